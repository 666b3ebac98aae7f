//! Any bytes as a cache: a whole pack, a record whose checksum is right, and the facts in one.
#![no_main]

use std::path::Path;

use fastcollect_scanner::cache::{decode, kept_in, pack_of};
use fastcollect_scanner::proof::FileState;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let there = Path::new("/");
    for pack in [bytes.to_vec(), pack_of(&[bytes]), [pack_of(&[]), bytes.to_vec()].concat()] {
        let _ = kept_in(pack).get(there, &FileState::of(there));
    }
    let _ = decode(bytes);
});
