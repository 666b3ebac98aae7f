//! One project's cache file.
//!
//! A header, then records one after the other, each with its length and a checksum; a later record
//! of a path stands for the earlier ones. Writers hold a lock and append in one write, readers hold none:
//! what a writer has not finished, or was killed over, has a wrong checksum, ends the file for readers,
//! and is cut off by the next writer.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use xxhash_rust::xxh3::xxh3_64;

use super::directory::is_ours;
use super::{BUILD, record};
use crate::proof::FileState;

/// A pack longer than this, in bytes, is begun anew.
const MAX_LENGTH: usize = 64 << 20;
/// Superseded records are left where they are until there are this many bytes of them, and
const MIN_GARBAGE: usize = 1 << 20;
/// Before each record: its length (u32) and its checksum (u64), little endian.
const PREFIX: usize = 12;
/// Reading a pack keeps it from being the least recently used; noted once in this time.
const USE_IS_NOTED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// What every pack of this build begins with.
fn header() -> Vec<u8> {
    format!("pytest-fastcollect facts {BUILD}\n").into_bytes()
}

/// The content of a pack.
///
/// # Errors
/// There is none, or it is not a file of ours alone, or too long.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(OpenOptions::new().read(true), path)?;
    let bytes = content(&mut file)?;
    let modified = file.metadata()?.modified()?;
    let now = SystemTime::now();
    if now.duration_since(modified).is_ok_and(|age| age > USE_IS_NOTED_EVERY) {
        file.set_modified(now)?;
    }
    Ok(bytes)
}

/// Where the records are in the bytes of a pack; nothing of what is not a pack of this build.
pub fn bodies(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut next = bytes.starts_with(&header()).then(|| header().len());
    std::iter::from_fn(move || {
        let body = body(bytes, next?)?;
        next = Some(body.end);
        Some(body)
    })
}

/// The record whose prefix begins at `start`.
fn body(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let prefix = bytes.get(start..start.checked_add(PREFIX)?)?;
    let (length, checksum) = prefix.split_at(4);
    let length = u32::from_le_bytes(length.try_into().ok()?);
    let checksum = u64::from_le_bytes(checksum.try_into().ok()?);
    let begin = start + PREFIX;
    let body = begin..begin.checked_add(usize::try_from(length).ok()?)?;
    (xxh3_64(bytes.get(body.clone())?) == checksum).then_some(body)
}

/// Add records; whether that was done. Not done while another process does it.
///
/// # Errors
/// The file cannot be made or written, or is not ours.
pub fn append(path: &Path, new: &[Vec<u8>]) -> io::Result<bool> {
    let Some(mut file) = locked(path)? else { return Ok(false) };
    let bytes = content(&mut file).unwrap_or_default();
    let end = bodies(&bytes).last().map_or_else(
        || if bytes.starts_with(&header()) { header().len() } else { 0 },
        |body| body.end,
    );
    let added = joined(new, end == 0);
    let live = Live::of(&bytes);
    let length = end + added.len();
    if length > MAX_LENGTH || live.garbage > MIN_GARBAGE.max(length / 2) {
        return replace(path, &live.with(new)).map(|()| true);
    }
    file.set_len(end as u64)?;
    file.seek(SeekFrom::Start(end as u64))?;
    file.write_all(&added)?;
    Ok(true)
}

/// The file, opened and locked, and still the one at `path`; `None` while another process has the lock.
fn locked(path: &Path) -> io::Result<Option<File>> {
    loop {
        let mut options = OpenOptions::new();
        let file = open(options.read(true).write(true).create(true).mode(0o600), path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // A compaction puts another file there: then what we locked is not what the next one opens.
        let (ours, there) = (file.metadata()?, std::fs::symlink_metadata(path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(Some(file));
        }
    }
}

/// Open a file that is ours alone, never through a link, and never waiting for a pipe.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = options.custom_flags(flags.cast_signed()).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() && is_ours(&meta) {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "not a file of ours alone"))
}

fn content(file: &mut File) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > MAX_LENGTH {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than any pack of ours"));
    }
    let mut bytes = Vec::with_capacity(length);
    file.take(MAX_LENGTH as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Records as they are written, the header before them if they are the first.
pub fn joined<B: AsRef<[u8]>>(records: &[B], with_header: bool) -> Vec<u8> {
    let mut bytes = if with_header { header() } else { Vec::new() };
    for record in records.iter().map(AsRef::as_ref) {
        // Longer ones are never made.
        let Ok(length) = u32::try_from(record.len()) else { continue };
        bytes.extend(length.to_le_bytes());
        bytes.extend(xxh3_64(record).to_le_bytes());
        bytes.extend(record);
    }
    bytes
}

/// The records of a pack that no later one stands for.
struct Live<'a> {
    records: HashMap<PathBuf, &'a [u8]>,
    /// Bytes of the others.
    garbage: usize,
}

impl<'a> Live<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let mut live = Self { records: HashMap::new(), garbage: 0 };
        for body in bodies(bytes).map(|body| &bytes[body]) {
            let superseded = match record::head(body) {
                Some((path, ..)) => live.records.insert(path, body),
                None => Some(body),
            };
            live.garbage += superseded.map_or(0, <[u8]>::len);
        }
        live
    }

    /// These and the `new` ones: no more than half of what a pack may hold, of files that are as they
    /// were, the new ones first.
    fn with(mut self, new: &'a [Vec<u8>]) -> Vec<&'a [u8]> {
        let mut left = MAX_LENGTH / 2;
        let mut fits = |record: &&[u8]| match left.checked_sub(record.len() + PREFIX) {
            Some(less) => {
                left = less;
                true
            }
            None => false,
        };
        for (path, ..) in new.iter().filter_map(|record| record::head(record)) {
            self.records.remove(&path);
        }
        let mut records: Vec<&[u8]> = new.iter().map(Vec::as_slice).filter(&mut fits).collect();
        let is_current = |body: &&[u8]| {
            record::head(body).is_some_and(|(path, state, _)| FileState::of(&path) == state)
        };
        records.extend(self.records.into_values().filter(is_current).filter(&mut fits));
        records
    }
}

/// Put a new pack in the place of the old one, at once.
fn replace(path: &Path, records: &[&[u8]]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    // Made with mode 0600; removed if it does not get to its place.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&joined(records, true))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
