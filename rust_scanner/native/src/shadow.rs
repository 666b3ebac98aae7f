//! Standing for a run child until it ends: signals go on to it, and its end becomes ours.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::low_level::{emulate_default_handler, pipe};

use crate::hand_over::{RunChild, receive};

/// Exit status of a caller whose run child vanished without one (sysexits.h `EX_SOFTWARE`).
const LOST: u8 = 70;
const FORWARDED: [i32; 8] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP];
/// How long the checkpoint may take to tell a status, after the run child has ended.
const GRACE: Duration = Duration::from_secs(1);

/// For each signal that goes on to a run, the end of a pipe that it makes readable.
pub type Signals = Vec<(i32, UnixStream)>;

/// Wait for the end of a run; its exit code. A signal that ended it ends this process as well.
pub fn shadow(channel: &OwnedFd, child: &RunChild, mut signals: Signals) -> std::io::Result<u8> {
    let mut announced = None;
    let mut gone = None;
    loop {
        let ready = wait(channel, child, &signals, gone)?;
        for (number, ours) in &mut signals {
            forward(*number, ours, child.pid)?;
        }
        if ready.channel {
            let (text, _) = receive(channel)?;
            match text.split_once(' ') {
                Some(("status", value)) => {
                    return Ok(end_as(value.parse().unwrap_or(i32::from(LOST) << 8)));
                }
                Some(("exit", value)) => announced = value.parse().ok(),
                _ => return Ok(lost(announced)),
            }
        } else if gone.is_some_and(|moment: Instant| moment.elapsed() >= GRACE) {
            return Ok(lost(announced));
        }
        if ready.ended && gone.is_none() {
            gone = Some(Instant::now());
        }
    }
}

/// Catch the signals that are not ignored.
pub fn forwarded() -> std::io::Result<Signals> {
    let ignored = ignored();
    let mut found = Vec::new();
    for number in FORWARDED {
        if ignored >> (number - 1) & 1 == 0 {
            let (ours, theirs) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            pipe::register(number, theirs)?;
            found.push((number, ours));
        }
    }
    Ok(found)
}

fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn forward(number: i32, pipe: &mut UnixStream, child: Pid) -> std::io::Result<()> {
    let mut received = [0; 64];
    match pipe.read(&mut received) {
        Ok(0) => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    }
    let Some(signal) = Signal::from_named_raw(number) else { return Ok(()) };
    // A run that has just ended cannot be told anything, and need not be.
    let _ = kill_process_group(child, signal);
    if number == SIGTSTP {
        kill_process(rustix::process::getpid(), Signal::STOP)?;
        let _ = kill_process_group(child, Signal::CONT);
    }
    Ok(())
}

struct Ready {
    channel: bool,
    ended: bool,
}

fn wait(
    channel: &OwnedFd,
    child: &RunChild,
    signals: &[(i32, UnixStream)],
    gone: Option<Instant>,
) -> std::io::Result<Ready> {
    let mut fds = vec![PollFd::from_borrowed_fd(channel.as_fd(), PollFlags::IN)];
    fds.extend(
        signals.iter().map(|(_, pipe)| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)),
    );
    if let (Some(pidfd), None) = (&child.pidfd, gone) {
        fds.push(PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN));
    }
    let left = gone.map(|moment| GRACE.saturating_sub(moment.elapsed()));
    let timeout = left.map(Timespec::try_from).transpose().map_err(std::io::Error::other)?;
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(Ready { channel: false, ended: false }),
        Err(error) => return Err(error.into()),
    }
    let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
    let ended = fds.len() > 1 + signals.len() && fds.last().is_some_and(is_ready);
    Ok(Ready { channel: is_ready(&fds[0]), ended })
}

/// The exit code of a run whose process told none, but what it may have announced.
pub fn lost(announced: Option<u8>) -> u8 {
    announced.unwrap_or_else(|| {
        let _ = writeln!(
            std::io::stderr(),
            "fastcollect: the process that ran the tests was lost; its status is unknown"
        );
        LOST
    })
}

/// The exit code of a wait status; a signal in it ends this process.
fn end_as(status: i32) -> u8 {
    let signal = status & 0x7f;
    if signal == 0 {
        return u8::try_from(status >> 8 & 0xff).unwrap_or(LOST);
    }
    // The run child has left the core dump, if one was wanted: ours would overwrite it.
    let maximum = rustix::process::getrlimit(Resource::Core).maximum;
    let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
    let _ = emulate_default_handler(signal);
    128 + u8::try_from(signal).unwrap_or(0)
}
