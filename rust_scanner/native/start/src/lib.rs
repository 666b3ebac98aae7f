//! What a process was started with, and what the program that follows it by `exec` begins with.
//!
//! Rust's runtime opens /dev/null in their places before `main`, which nobody can tell from a /dev/null that
//! was handed down. pytest is to find them closed, so they are looked at before.

use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::stdio::{stderr, stdin, stdout};

static CLOSED: AtomicU8 = AtomicU8::new(0);

#[ctor::ctor(unsafe)]
fn look() {
    let closed = (0..3).filter(|fd| !Path::new("/proc/self/fd").join(fd.to_string()).exists());
    CLOSED.store(closed.fold(0, |bits, fd| bits | 1 << fd), Ordering::Relaxed);
}

/// Have the program that follows this one by `exec` find closed what this one found closed. Whether there is
/// any.
pub fn close_again_on_exec() -> bool {
    let closed = CLOSED.load(Ordering::Relaxed);
    for (number, descriptor) in [stdin(), stdout(), stderr()].into_iter().enumerate() {
        if closed & 1 << number != 0 {
            // Fails only where there is no such descriptor: then it is closed already.
            let _ = fcntl_setfd(descriptor, FdFlags::CLOEXEC);
        }
    }
    closed != 0
}

/// Set a variable for the program that follows this one by `exec`. The others stay in their order, which a
/// test can see; `Command::env` would sort them.
pub fn set_on_exec(name: &str, value: &str) {
    // SAFETY: the command has no other thread that could read the environment meanwhile.
    unsafe { std::env::set_var(name, value) }
}
