//! What has happened and has not been taken yet, with a descriptor to wait on.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Aim;

/// What may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// These paths, sorted.
    Paths(Vec<PathBuf>),
    /// More than can be named, or nobody knows.
    Everything,
}

/// Filled by the watching thread, emptied by whoever waits for its signal.
#[derive(Debug)]
pub struct Mailbox {
    most: usize,
    pending: Mutex<Pending>,
    /// Holds a byte while there is something to take.
    signal: (UnixStream, UnixStream),
}

#[derive(Debug, Default)]
struct Pending {
    paths: BTreeSet<PathBuf>,
    is_everything: bool,
    /// Watched directories that may have been moved away.
    doubtful: HashSet<PathBuf>,
}

impl Mailbox {
    /// An empty one, where `most` paths are told apart.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn new(most: usize) -> io::Result<Self> {
        let signal = UnixStream::pair()?;
        signal.0.set_nonblocking(true)?;
        signal.1.set_nonblocking(true)?;
        Ok(Self { most, pending: Mutex::default(), signal })
    }

    /// The descriptor that is readable while there is something to take.
    pub fn signal(&self) -> RawFd {
        self.signal.0.as_raw_fd()
    }

    /// Take down what matters of an event.
    pub fn put(&self, event: &notify::Event, aim: &Aim) {
        for path in &event.paths {
            if aim.matters(&event.kind, path) {
                let mut pending = self.pending();
                if aim.is_lost(&event.kind, path) {
                    pending.doubtful.insert(path.clone());
                }
                self.ring(&pending);
                if !pending.is_everything && !pending.paths.contains(path) {
                    pending.paths.insert(path.clone());
                }
                if pending.paths.len() > self.most {
                    pending.paths.clear();
                    pending.is_everything = true;
                }
            }
        }
    }

    /// Something has happened, somewhere.
    pub fn put_everything(&self) {
        let mut pending = self.pending();
        self.ring(&pending);
        pending.paths.clear();
        pending.is_everything = true;
    }

    /// What may have changed since the last call; the signal is silent until there is more.
    pub fn take(&self) -> Taken {
        let mut pending = self.pending();
        while matches!((&self.signal.0).read(&mut [0; 16]), Ok(read) if read > 0) {}
        let paths = std::mem::take(&mut pending.paths);
        if std::mem::take(&mut pending.is_everything) {
            return Taken::Everything;
        }
        Taken::Paths(paths.into_iter().collect())
    }

    /// Watched directories that may have been moved away since the last call.
    pub fn take_doubtful(&self) -> HashSet<PathBuf> {
        std::mem::take(&mut self.pending().doubtful)
    }

    /// Signal, once. Under the lock, as in `take`: no signal without content, none lost.
    fn ring(&self, pending: &Pending) {
        if pending.paths.is_empty() && !pending.is_everything {
            // It can only fail where there is a byte already.
            let _ = (&self.signal.1).write(&[0]);
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
