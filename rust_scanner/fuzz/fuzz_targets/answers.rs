//! Any bytes as what the native command is told: by the server, in frames, and by a run child, in messages.
#![no_main]
#![allow(dead_code)]

#[path = "../../native/src/caller.rs"]
mod caller;
#[path = "../../native/src/hand_over.rs"]
mod hand_over;
#[path = "../../native/src/place.rs"]
mod place;
#[path = "../../native/src/shadow.rs"]
mod shadow;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};

fuzz_target!(|bytes: &[u8]| {
    let (mut server, ours) = UnixStream::pair().expect("a pair");
    server.write_all(bytes).expect("room for it");
    drop(server);
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut frames = 0;
    while hand_over::read_frame(&ours, deadline).is_ok() {
        frames += 1;
    }
    assert!(frames <= bytes.len() / 5, "a frame has a length and at least one byte");

    let flags = SocketFlags::CLOEXEC;
    let (theirs, channel) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).expect("a pair");
    for message in bytes.split(|byte| *byte == 0) {
        rustix::net::send(&theirs, message, SendFlags::NOSIGNAL).expect("room for it");
        let (text, descriptor) = hand_over::receive(&channel).expect("what was sent");
        assert!(descriptor.is_none() && text.len() <= 3 * message.len());
    }
});
