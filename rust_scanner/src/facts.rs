//! Parsed files, kept until they change; across processes too, where there is a cache.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::cache::{Cache, Fact, Kept};
use crate::doctest;
use crate::parse::{Source, parse};
use crate::pool;
use crate::proof::FileState;
use crate::syntax::Module;

/// Unsaved buffers, by absolute path.
pub type Overlays = HashMap<PathBuf, Vec<u8>>;

/// What reading a file gave, or one line about why it could not be read.
pub type Reading = Result<Source, String>;

/// Reads what a kind of file says.
type Parser = fn(&[u8]) -> Source;

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
    /// Whether the cache has it.
    is_cached: bool,
    reading: Arc<Reading>,
}

impl Entry {
    /// What is to be cached: certain, on disk, and read without an error.
    fn uncached<'a>(&'a self, path: &'a Path) -> Option<Fact<'a>> {
        match (&self.key, self.reading.as_ref()) {
            (Key::Disk(state), Ok(source)) if self.is_certain && !self.is_cached => {
                Some(Fact { path, state, source })
            }
            _ => None,
        }
    }
}

/// The facts of all files that one pass looked at, and those of the pass before.
#[derive(Debug, Default)]
pub struct Facts {
    before: HashMap<PathBuf, Entry>,
    overlays: Overlays,
    now: Mutex<HashMap<PathBuf, Entry>>,
    cache: Option<Cache>,
    /// What the cache held when the first pass began.
    kept: Kept,
    /// Whether a pass has begun.
    is_begun: bool,
}

impl Facts {
    /// None so far, but those of `cache` once the first pass begins.
    #[must_use]
    pub fn cached(cache: Option<Cache>) -> Self {
        Self { cache, ..Self::default() }
    }

    /// Begin a pass: what it does not look at is forgotten when the next one begins.
    #[must_use]
    pub fn next(self, overlays: Overlays) -> Self {
        let before = self.now.into_inner().unwrap_or_else(PoisonError::into_inner);
        let kept = match &self.cache {
            Some(cache) if !self.is_begun => cache.load(),
            _ => self.kept,
        };
        let (now, cache) = (Mutex::default(), self.cache);
        Self { before, overlays, now, cache, kept, is_begun: true }
    }

    /// In the midst of a pass, make what the cache holds known again: files of another kind are asked for.
    pub fn recall(&mut self) {
        self.kept = self.cache.as_ref().map_or_else(Kept::default, Cache::load);
    }

    /// End a pass: have the cache keep what it does not have. What it held is in memory by now.
    pub fn keep(&mut self) {
        self.kept = Kept::default();
        let Some(cache) = &self.cache else { return };
        let now = self.now.get_mut().unwrap_or_else(PoisonError::into_inner);
        let uncached: Vec<Fact> =
            now.iter().filter_map(|(path, entry)| entry.uncached(path)).collect();
        if !uncached.is_empty() && pool::run(|| cache.add(&uncached)) {
            now.values_mut().filter(|entry| entry.is_certain).for_each(|e| e.is_cached = true);
        }
    }

    /// The facts of `path`, read again only if it changed; the same `Arc` if it did not.
    #[must_use]
    pub fn read(&self, path: &Path) -> Arc<Reading> {
        self.read_as(path, parse)
    }

    fn read_as(&self, path: &Path, parse: Parser) -> Arc<Reading> {
        if let Some(entry) = self.lock().get(path) {
            return Arc::clone(&entry.reading);
        }
        let entry = match self.overlays.get(path) {
            Some(text) => buffer(text, self.before.get(path), parse),
            None => disk(path, self.before.get(path), &self.kept, parse, SystemTime::now()),
        };
        let reading = Arc::clone(&entry.reading);
        self.lock().insert(path.to_owned(), entry);
        reading
    }

    /// The same of a text file, of which only doctest's examples count.
    #[must_use]
    pub fn read_text(&self, path: &Path) -> Arc<Reading> {
        self.read_as(path, examples)
    }

    /// Read one file again: from `text`, or from disk.
    pub fn update(&mut self, path: &Path, text: Option<&[u8]>) -> Arc<Reading> {
        let known = self.lock().remove(path);
        let entry = match text {
            Some(text) => buffer(text, known.as_ref(), parse),
            None => disk(path, known.as_ref(), &self.kept, parse, SystemTime::now()),
        };
        let reading = Arc::clone(&entry.reading);
        self.lock().insert(path.to_owned(), entry);
        reading
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Entry>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn buffer(text: &[u8], known: Option<&Entry>, parse: Parser) -> Entry {
    match known {
        Some(known) if matches!(&known.key, Key::Buffer(before) if before.as_ref() == text) => {
            known.clone()
        }
        _ => Entry {
            key: Key::Buffer(text.into()),
            is_certain: true,
            is_cached: false,
            reading: renewed(guarded(text, parse), known),
        },
    }
}

/// The facts of a file on disk; `now` is given for the tests' sake.
fn disk(path: &Path, known: Option<&Entry>, kept: &Kept, parse: Parser, now: SystemTime) -> Entry {
    // The state is taken before the text: a change in between shows the next time.
    let state = FileState::of(path);
    if let Some(known) = known.filter(|known| known.is_certain)
        && matches!(&known.key, Key::Disk(before) if *before == state)
    {
        return known.clone();
    }
    if let Some(source) = kept.get(path, &state) {
        let (key, reading) = (Key::Disk(state), renewed(Ok(source), known));
        return Entry { key, is_certain: true, is_cached: true, reading };
    }
    let is_certain = state.stat().is_ok_and(|stat| !stat.is_racy(now));
    let reading = match std::fs::read(path) {
        Ok(text) => guarded(&text, parse),
        Err(error) => Err(format!("cannot be read: {error}")),
    };
    let (key, reading) = (Key::Disk(state), renewed(reading, known));
    Entry { key, is_certain, is_cached: false, reading }
}

/// What was known already, if it says the same: who compares by address sees no change then.
fn renewed(reading: Reading, known: Option<&Entry>) -> Arc<Reading> {
    match known {
        Some(known) if *known.reading == reading => Arc::clone(&known.reading),
        _ => Arc::new(reading),
    }
}

/// What a text file says.
fn examples(bytes: &[u8]) -> Source {
    let has_examples = doctest::has_examples(&String::from_utf8_lossy(bytes));
    Source::Module(Arc::new(Module { has_examples, ..Module::default() }))
}

/// Parse; a panic in the parser is the file's problem, not the project's.
fn guarded(text: &[u8], parse: Parser) -> Reading {
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
        let young = disk(&path, None, &Kept::default(), parse, changed);
        assert!(!young.is_certain);
        let old =
            disk(&path, Some(&young), &Kept::default(), parse, changed + Duration::from_secs(10));
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
