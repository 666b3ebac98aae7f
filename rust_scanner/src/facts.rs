//! Parsed files, kept until they change.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::parse::{Source, parse};
use crate::proof::FileState;

/// Unsaved buffers, by absolute path.
pub type Overlays = HashMap<PathBuf, Vec<u8>>;

/// What reading a file gave, or one line about why it could not be read.
pub type Reading = Result<Source, String>;

/// What a fact holds for.
#[derive(Debug, Clone, PartialEq)]
enum Key {
    /// The file on disk, in this state.
    Disk(FileState),
    /// An unsaved buffer with this text.
    Buffer(Arc<[u8]>),
}

/// One file's facts.
#[derive(Debug, Clone)]
struct Entry {
    key: Key,
    /// Whether the key tells every later change.
    is_certain: bool,
    reading: Arc<Reading>,
}

/// The facts of all files that one pass looked at, and those of the pass before.
#[derive(Debug, Default)]
pub struct Facts {
    before: HashMap<PathBuf, Entry>,
    overlays: Overlays,
    now: Mutex<HashMap<PathBuf, Entry>>,
}

impl Facts {
    /// Begin a pass: what it does not look at is forgotten when the next one begins.
    #[must_use]
    pub fn next(self, overlays: Overlays) -> Self {
        let before = self.now.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self { before, overlays, now: Mutex::default() }
    }

    /// The facts of `path`, read again only if it changed; the same `Arc` if it did not.
    #[must_use]
    pub fn read(&self, path: &Path) -> Arc<Reading> {
        if let Some(entry) = self.lock().get(path) {
            return Arc::clone(&entry.reading);
        }
        let entry = match self.overlays.get(path) {
            Some(text) => buffer(text, self.before.get(path)),
            None => disk(path, self.before.get(path), SystemTime::now()),
        };
        let reading = Arc::clone(&entry.reading);
        self.lock().insert(path.to_owned(), entry);
        reading
    }

    /// Read one file again: from `text`, or from disk.
    pub fn update(&mut self, path: &Path, text: Option<&[u8]>) -> Arc<Reading> {
        let known = self.lock().remove(path);
        let entry = match text {
            Some(text) => buffer(text, known.as_ref()),
            None => disk(path, known.as_ref(), SystemTime::now()),
        };
        let reading = Arc::clone(&entry.reading);
        self.lock().insert(path.to_owned(), entry);
        reading
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Entry>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn buffer(text: &[u8], known: Option<&Entry>) -> Entry {
    match known {
        Some(known) if matches!(&known.key, Key::Buffer(before) if before.as_ref() == text) => {
            known.clone()
        }
        _ => Entry {
            key: Key::Buffer(text.into()),
            is_certain: true,
            reading: renewed(guarded(text), known),
        },
    }
}

/// The facts of a file on disk; `now` is given for the tests' sake.
fn disk(path: &Path, known: Option<&Entry>, now: SystemTime) -> Entry {
    // The state is taken before the text: a change in between shows the next time.
    let state = FileState::of(path);
    if let Some(known) = known.filter(|known| known.is_certain)
        && matches!(&known.key, Key::Disk(before) if *before == state)
    {
        return known.clone();
    }
    let is_certain = state.stat().is_ok_and(|stat| !stat.is_racy(now));
    let reading = match std::fs::read(path) {
        Ok(text) => guarded(&text),
        Err(error) => Err(format!("cannot be read: {error}")),
    };
    Entry { key: Key::Disk(state), is_certain, reading: renewed(reading, known) }
}

/// What was known already, if it says the same: who compares by address sees no change then.
fn renewed(reading: Reading, known: Option<&Entry>) -> Arc<Reading> {
    match known {
        Some(known) if *known.reading == reading => Arc::clone(&known.reading),
        _ => Arc::new(reading),
    }
}

/// Parse; a panic in the parser is the file's problem, not the project's.
fn guarded(text: &[u8]) -> Reading {
    catch_unwind(AssertUnwindSafe(|| parse(text)))
        .map_err(|_| "internal error of the scanner: the parser panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_read_within_the_tick_of_a_change_is_read_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.py");
        std::fs::write(&path, "x = 1").expect("written");
        let changed = std::fs::metadata(&path).and_then(|meta| meta.modified()).expect("mtime");
        let young = disk(&path, None, changed);
        assert!(!young.is_certain);
        let old = disk(&path, Some(&young), changed + Duration::from_secs(10));
        assert!(old.is_certain && Arc::ptr_eq(&old.reading, &young.reading));
    }

    #[test]
    fn what_did_not_change_is_not_parsed_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.py");
        std::fs::write(&path, "def test_1(): pass").expect("written");
        let first = Facts::default().next(Overlays::new());
        let reading = first.read(&path);
        let second = first.next(Overlays::new());
        assert!(Arc::ptr_eq(&reading, &second.read(&path)));
        std::fs::write(&path, "def test_2(): pass").expect("written");
        let third = second.next(Overlays::new());
        assert!(!Arc::ptr_eq(&reading, &third.read(&path)));
    }
}
