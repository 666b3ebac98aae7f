//! Proofs that the inputs of a checkpoint have not changed.

mod listing;
mod prefix;
mod stat;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::pool;
pub use listing::{DirState, Names, is_relevant_dir, is_relevant_file};
pub use prefix::PrefixState;
pub use stat::{FileState, Missing, Stat};

/// Inputs that one task looks at: large enough to hide what a task costs, small enough to share out.
const CHUNK: usize = 256;

/// Files and directories as they were; proves later that they have not changed since.
#[derive(Debug)]
pub struct InputSet {
    files: Vec<(PathBuf, FileState)>,
    dirs: Vec<(PathBuf, DirState)>,
    prefixes: Vec<(PathBuf, PrefixState)>,
    taken_ns: i128,
}

impl InputSet {
    /// Snapshot now, in parallel; of `prefixes`, the first bytes alone; of `listings`, directories, all names.
    /// Missing or unreadable paths are recorded as such.
    #[must_use]
    pub fn snapshot(
        files: Vec<PathBuf>,
        dirs: Vec<PathBuf>,
        prefixes: Vec<(PathBuf, u64)>,
        listings: Vec<PathBuf>,
    ) -> Self {
        let dirs: Vec<(PathBuf, Names)> = dirs
            .into_iter()
            .map(|path| (path, Names::Relevant))
            .chain(listings.into_iter().map(|path| (path, Names::All)))
            .collect();
        let taken_ns = now_ns();
        pool::run(|| Self {
            files: files
                .into_par_iter()
                .with_min_len(CHUNK)
                .map(|path| observed(path, FileState::of))
                .collect(),
            dirs: dirs
                .into_par_iter()
                .with_min_len(CHUNK / 16)
                .map(|(path, which)| observed(path, |path| DirState::of(path, which)))
                .collect(),
            prefixes: prefixes
                .into_par_iter()
                .map(|(path, length)| observed(path, |path| PrefixState::of(path, length)))
                .collect(),
            taken_ns,
        })
    }

    /// Verify all inputs in one parallel pass: up to `limit` paths that differ, in the order given.
    ///
    /// Empty means proven, so a `limit` of 0 counts as 1. As soon as `limit` differences are known, the
    /// rest is left unchecked.
    #[must_use]
    pub fn changed(&self, limit: usize) -> Vec<PathBuf> {
        let limit = limit.max(1);
        let found = AtomicUsize::new(0);
        let differs = |same: bool| !same && found.fetch_add(1, Ordering::Relaxed) < limit;
        let go_on = || found.load(Ordering::Relaxed) < limit;
        let mut changed: Vec<PathBuf> = pool::run(|| {
            let (mut files, dirs): (Vec<_>, Vec<_>) = rayon::join(
                || {
                    let files = self.files.par_chunks(CHUNK).flat_map_iter(|chunk| {
                        chunk.iter().filter(|(path, state)| {
                            go_on() && differs(FileState::of(path) == *state)
                        })
                    });
                    files.map(|(path, _)| path.clone()).collect()
                },
                || {
                    let dirs = self.dirs.par_chunks(CHUNK / 16).flat_map_iter(|chunk| {
                        chunk.iter().filter(|(path, state)| go_on() && differs(state.holds(path)))
                    });
                    dirs.map(|(path, _)| path.clone()).collect()
                },
            );
            files.extend(dirs);
            let prefixes = self.prefixes.par_iter();
            let prefixes = prefixes.filter(|(path, state)| go_on() && differs(state.holds(path)));
            files.par_extend(prefixes.map(|(path, _)| path.clone()));
            files
        });
        changed.truncate(limit);
        changed
    }

    /// The latest ctime of all inputs, in nanoseconds since the epoch; 0 for none.
    #[must_use]
    pub fn newest_ctime_ns(&self) -> i128 {
        let files = self.files.iter().filter_map(|(_, state)| state.ctime_ns());
        let dirs = self.dirs.iter().filter_map(|(_, state)| state.ctime_ns());
        let prefixes = self.prefixes.iter().filter_map(|(_, state)| state.ctime_ns());
        files.chain(dirs).chain(prefixes).max().unwrap_or(0)
    }

    /// When the snapshot was begun, in nanoseconds since the epoch.
    #[must_use]
    pub fn taken_ns(&self) -> i128 {
        self.taken_ns
    }

    /// The files, also those of which only the beginning counts, whether or not they exist.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let prefixes = self.prefixes.iter().map(|(path, _)| path.as_path());
        self.files.iter().map(|(path, _)| path.as_path()).chain(prefixes)
    }

    /// The directories, whether or not they exist.
    pub fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.dirs.iter().map(|(path, _)| path.as_path())
    }

    /// How many files, directories and beginnings of files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len() + self.dirs.len() + self.prefixes.len()
    }

    /// Whether there is nothing to prove.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn observed<S>(path: PathBuf, observe: impl Fn(&Path) -> S) -> (PathBuf, S) {
    let state = observe(&path);
    (path, state)
}

/// The value behind a lock that no panic can leave half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ns() -> i128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |age| i128::try_from(age.as_nanos()).unwrap_or(i128::MAX))
}

#[cfg(test)]
mod tests;
