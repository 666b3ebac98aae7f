//! The hand-over of a run, as `fastcollect_lsp/client.py` does it.

use std::ffi::OsString;
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use serde::Serialize;

use crate::place::{Installation, is_private};
use crate::shadow::Signals;
use crate::{caller, shadow};

/// How a run that was to be handed over has gone.
pub enum Outcome {
    /// It has ended with this exit code.
    Ended(u8),
    /// It has not begun.
    Cold,
}

/// How long the server may take to decide.
const DECISION_TIMEOUT: Duration = Duration::from_secs(5);
/// The same where it has said that this run waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it may say so.
const MAX_TURNS: u32 = 3;
const MAX_FRAME: usize = 1 << 20;
/// What is received at once: no answer is longer than its reason.
const CHUNK: usize = 4096;

#[derive(Serialize)]
struct Hello {
    kind: &'static str,
    version: &'static str,
    pid: u32,
}

/// Hand a run over, if there is a server that takes it.
///
/// The commit point is our `go`: before it nothing has happened, after it the run is never begun again.
pub fn hand_over(installation: &Installation, arguments: &[OsString]) -> std::io::Result<Outcome> {
    let Some(arguments) = caller::texts(arguments) else { return Ok(Outcome::Cold) };
    let cwd = std::env::current_dir()?;
    let Some(directory) = installation.server(&cwd, &arguments) else { return Ok(Outcome::Cold) };
    let Some(mut server) = connect(&directory)? else { return Ok(Outcome::Cold) };
    let Some(request) = caller::describe(installation, &arguments) else {
        return Ok(Outcome::Cold);
    };
    let hello =
        Hello { kind: "native", version: env!("CARGO_PKG_VERSION"), pid: std::process::id() };
    server.write_all(&frame(&hello)?)?;
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    send_inherited(&ours, &request.inherited)?;
    let data = frame(&request)?;
    if data.len() > MAX_FRAME {
        return Ok(Outcome::Cold);
    }
    send_with_descriptors(&mut server, &data, &theirs)?;
    drop(theirs);
    let Some((child, signals)) = await_ready(&server, &ours)? else { return Ok(Outcome::Cold) };
    // Whatever goes wrong now, the run has begun: it is not begun again.
    Ok(Outcome::Ended(
        shadow::shadow(&ours, &child, signals).unwrap_or_else(|_| shadow::lost(None)),
    ))
}

fn connect(directory: &Path) -> std::io::Result<Option<UnixStream>> {
    let path = directory.join("socket");
    if !is_private(directory) {
        return Ok(None);
    }
    let Ok(address) = SocketAddrUnix::new(path) else { return Ok(None) }; // too long: pytest can
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let stream = UnixStream::from(socket);
    stream.set_read_timeout(Some(DECISION_TIMEOUT))?;
    stream.set_write_timeout(Some(DECISION_TIMEOUT))?; // also for a server that lets nobody in
    rustix::net::connect(&stream, &address)?;
    let peer = rustix::net::sockopt::socket_peercred(&stream)?;
    Ok((peer.uid == rustix::process::geteuid()).then_some(stream))
}

/// 4 bytes of length, then JSON (`protocol.encode`).
fn frame(message: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut data = vec![0; 4];
    serde_json::to_writer(&mut data, message)?;
    let length = u32::try_from(data.len() - 4).map_err(std::io::Error::other)?;
    data[..4].copy_from_slice(&length.to_be_bytes());
    Ok(data)
}

/// The first thing that the run child reads, and under which numbers it is to have them.
fn send_inherited(channel: &OwnedFd, numbers: &[i32]) -> std::io::Result<()> {
    let mut message = String::from("descriptors");
    for number in numbers {
        message.push_str(&format!(" {number}"));
    }
    let rights = [ControlMessage::ScmRights(numbers)]; // by number: nobody here owns them
    let rights = if numbers.is_empty() { &[] } else { &rights[..] };
    let data = [IoSlice::new(message.as_bytes())];
    sendmsg::<()>(channel.as_raw_fd(), &data, rights, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

fn send_with_descriptors(
    server: &mut UnixStream,
    data: &[u8],
    channel: &OwnedFd,
) -> std::io::Result<()> {
    let fds =
        [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr(), channel.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(std::io::Error::other("no room for descriptors"));
    }
    let sent =
        rustix::net::sendmsg(&*server, &[IoSlice::new(data)], &mut ancillary, SendFlags::NOSIGNAL)?;
    server.write_all(&data[sent..])
}

/// A run that is ready to begin, and now does.
pub struct RunChild {
    /// Its process, which leads a group of its own.
    pub pid: rustix::process::Pid,
    /// Readable when it has ended.
    pub pidfd: Option<OwnedFd>,
}

/// Wait for the run child's `ready`, then say `go`; None where the run is to be cold.
fn await_ready(
    server: &UnixStream,
    channel: &OwnedFd,
) -> std::io::Result<Option<(RunChild, Signals)>> {
    let mut deadline = Instant::now() + DECISION_TIMEOUT;
    let mut turns = 0;
    let (mut accepted, mut lost) = (false, false);
    while !(accepted && lost) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let [from_server, from_child] =
            wait(server.as_fd(), channel.as_fd(), accepted, lost, left)?;
        if from_child {
            let (text, fd) = receive(channel)?;
            if let Some(pid) = text.strip_prefix("ready ") {
                // It leads a group, to which signals will go.
                let pid = pid.parse().ok().filter(|pid| *pid > 1);
                let pid = pid.and_then(rustix::process::Pid::from_raw);
                let pid = pid.ok_or_else(|| std::io::Error::other("no process"))?;
                let signals = shadow::forwarded()?;
                rustix::net::send(channel, b"go", SendFlags::NOSIGNAL)?;
                return Ok(Some((RunChild { pid, pidfd: fd }, signals)));
            }
            if !text.is_empty() {
                return Ok(None); // refused
            }
            lost = true;
        }
        if from_server {
            let answer = read_frame(server, deadline)?;
            let waiting = answer.get("waiting").and_then(serde_json::Value::as_str);
            if let Some(waiting) = waiting.filter(|_| turns < MAX_TURNS) {
                turns += 1;
                writeln!(std::io::stderr(), "fastcollect: {waiting}")?;
                deadline = Instant::now() + TURN_TIMEOUT;
                continue;
            }
            match answer.get("served").and_then(serde_json::Value::as_str) {
                Some("warm" | "collected") => accepted = true,
                _ => return Ok(None),
            }
        }
    }
    Ok(None)
}

fn wait(
    server: BorrowedFd<'_>,
    channel: BorrowedFd<'_>,
    accepted: bool,
    lost: bool,
    left: Duration,
) -> std::io::Result<[bool; 2]> {
    let wanted = |skip: bool| if skip { PollFlags::empty() } else { PollFlags::IN };
    let mut fds = Vec::new();
    if !accepted {
        fds.push(PollFd::from_borrowed_fd(server, wanted(false)));
    }
    if !lost {
        fds.push(PollFd::from_borrowed_fd(channel, wanted(false)));
    }
    let timeout = Timespec::try_from(left).map_err(std::io::Error::other)?;
    poll(&mut fds, Some(&timeout))?;
    let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
    let from_server = !accepted && ready.next().unwrap_or(false);
    let from_child = !lost && ready.next().unwrap_or(false);
    Ok([from_server, from_child])
}

/// The next frame. What is none ends the hand-over: the run is cold.
pub fn read_frame(server: &UnixStream, deadline: Instant) -> std::io::Result<serde_json::Value> {
    let mut length = [0; 4];
    read_until(server, &mut length, deadline)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(std::io::Error::other("a frame that is too large"));
    }
    let mut data = vec![0; length];
    read_until(server, &mut data, deadline)?;
    Ok(serde_json::from_slice(&data)?)
}

/// Fill `data`, from a server that may send it byte by byte but not for ever.
fn read_until(mut server: &UnixStream, data: &mut [u8], deadline: Instant) -> std::io::Result<()> {
    let mut filled = 0;
    while filled < data.len() {
        if Instant::now() >= deadline {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        match server.read(&mut data[filled..]) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// One message of the run channel, and the descriptor that came with it; empty at its end.
pub fn receive(channel: &OwnedFd) -> std::io::Result<(String, Option<OwnedFd>)> {
    let mut data = [0; CHUNK];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = match rustix::net::recvmsg(
        channel,
        &mut [IoSliceMut::new(&mut data)],
        &mut ancillary,
        flags,
    ) {
        Err(rustix::io::Errno::CONNRESET) => return Ok((String::new(), None)),
        other => other?,
    };
    let fd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok((String::from_utf8_lossy(&data[..received.bytes]).into_owned(), fd))
}
