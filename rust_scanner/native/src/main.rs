//! The `fastcollect` command.
//!
//! `run` (and any name but `fastcollect`, see `fastcollect shim`) finds the project's server, hands its
//! descriptors over and ends as the run does, without ever starting Python. Whatever it cannot do, or is
//! not certain of, is left to pytest itself by `exec`; all other commands to `python -m fastcollect_lsp`.

mod caller;
mod hand_over;
mod place;
mod shadow;

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use hand_over::Outcome;

fn main() -> ExitCode {
    let incomplete = fastcollect_start::close_again_on_exec();
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    let installation = match place::Installation::find(&name) {
        Ok(installation) => installation,
        Err(reason) => return fail(&reason),
    };
    let is_shim = Path::new(&name).file_name().is_some_and(|name| name != "fastcollect");
    if is_shim {
        take_name(&name);
        return run(&installation, &arguments, incomplete);
    }
    match arguments.split_first() {
        Some((command, rest)) if command == "run" => run(&installation, rest, incomplete),
        _ => leave(
            Command::new(&installation.python).args(["-m", "fastcollect_lsp"]).args(arguments),
        ),
    }
}

/// Be called in lists of processes as if this were pytest's own script: for `killall pytest`.
fn take_name(called: &OsStr) {
    let name = Path::new(called).file_name().and_then(|name| CString::new(name.as_bytes()).ok());
    if let Some(name) = name {
        let _ = rustix::thread::set_name(&name); // nothing depends on it
    }
}

/// `incomplete`: without some standard stream, which only pytest itself can hand over.
fn run(installation: &place::Installation, arguments: &[OsString], incomplete: bool) -> ExitCode {
    let outcome =
        if incomplete { Ok(Outcome::Cold) } else { hand_over::hand_over(installation, arguments) };
    match outcome {
        Ok(Outcome::Ended(code)) => ExitCode::from(code),
        // Cold, or for another way to the server: pytest finds out by itself, and says why.
        Ok(Outcome::Cold) | Err(_) => {
            fastcollect_start::set_on_exec(caller::LEFT, "1");
            if std::env::var_os("CI").is_some_and(|value| !value.is_empty())
                && std::env::var_os("FASTCOLLECT").is_none()
                && !installation.is_shim
            {
                // Who types `fastcollect run` has asked for it.
                fastcollect_start::set_on_exec("FASTCOLLECT", "1");
            }
            leave(Command::new(&installation.python).arg(&installation.script).args(arguments))
        }
    }
}

/// Become another program; returns only if that cannot be started.
fn leave(command: &mut Command) -> ExitCode {
    let error = command.exec();
    fail(&format!("{} cannot be started ({error})", command.get_program().display()))
}

#[allow(clippy::print_stderr)]
fn fail(reason: &str) -> ExitCode {
    eprintln!("fastcollect: {reason}");
    ExitCode::from(2)
}
