//! One file's facts as bytes: postcard, a compact binary form with a stable specification.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Fact;
use crate::parse::Source;
use crate::proof::FileState;

/// A record longer than this is not kept: parsing its file is not what takes the time.
pub const MAX_LENGTH: usize = 16 << 20;

/// What a record is about; the facts follow.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    path: &'a [u8],
    state: FileState,
}

/// The record of a file's facts; `None` where it would be too long.
pub fn encode(fact: &Fact) -> Option<Vec<u8>> {
    let head = Head { path: fact.path.as_os_str().as_bytes(), state: fact.state.clone() };
    let bytes = postcard::to_allocvec(&head).ok()?;
    let bytes = postcard::to_extend(fact.source, bytes).ok()?;
    (bytes.len() <= MAX_LENGTH).then_some(bytes)
}

/// What `decode` takes.
#[must_use]
pub fn encode_facts(source: &Source) -> Option<Vec<u8>> {
    postcard::to_allocvec(source).ok()
}

/// The path and state that a record is about, and the length of that part.
pub fn head(record: &[u8]) -> Option<(PathBuf, FileState, usize)> {
    let (head, facts): (Head, _) = postcard::take_from_bytes(record).ok()?;
    let path = Path::new(OsStr::from_bytes(head.path)).to_owned();
    Some((path, head.state, record.len() - facts.len()))
}

/// The facts of a record, without its head; `None` where they are damaged.
#[must_use]
pub fn decode(facts: &[u8]) -> Option<Source> {
    postcard::from_bytes(facts).ok()
}
