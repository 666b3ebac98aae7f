//! Watching the file system: which paths may have changed since somebody last asked.
//!
//! A hint and never a proof: whoever is told looks for himself (`proof`, `scan`). So a change may be
//! reported late, twice or for nothing; and where watching fails, it says so and goes on without.
//!
//! `aim` decides what is watched and which events matter, `mailbox` keeps what has happened until it
//! is taken, `Watcher` joins both to the kernel through `notify`. No watch is recursive: the
//! directories that matter are known, and a project has many that do not (`node_modules`).

mod aim;
mod mailbox;

use std::collections::HashSet;
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use notify::{Config, ErrorKind, EventKindMask, PathOp, RecommendedWatcher, Watcher as _};

use crate::proof::InputSet;
use aim::Aim;
use mailbox::Mailbox;
pub use mailbox::Taken;

/// What wakes us: all but opening and reading. That a file which was open for writing is closed is the
/// only sign of what was written through a mapping.
const KINDS: EventKindMask = EventKindMask::CORE.union(EventKindMask::ACCESS_CLOSE);

/// Ending one watch costs `notify` a look at all others; more than these, and beginning anew is cheaper.
const MOST_UNWATCHED: usize = 64;
/// For the thread to end, which it does at once.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Watches directories until dropped. Failing to is a state, not an error.
#[derive(Debug)]
pub struct Watcher {
    mailbox: Arc<Mailbox>,
    aim: Arc<RwLock<Aim>>,
    limit: usize,
    /// Held while the kernel is told what to watch.
    running: Mutex<Running>,
    /// Never held for longer than it takes to copy.
    state: Mutex<State>,
}

/// The kernel's side.
#[derive(Debug, Default)]
struct Running {
    notify: Option<Notify>,
}

/// A watching thread.
#[derive(Debug)]
struct Notify {
    watcher: RecommendedWatcher,
    /// Hangs up when the thread has ended: its handler holds the other end.
    ended: Receiver<()>,
}

/// How much is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Directories whose events are awaited.
    pub watched: usize,
    /// Directories whose events should be.
    pub wanted: usize,
    /// Why these are more than those, where that is not for want of a directory.
    pub trouble: Option<String>,
}

impl Watcher {
    /// A watcher of nothing yet.
    ///
    /// `most`: changed paths that are told apart. `limit`: directories that are watched at most, as the
    /// kernel's watches are shared with all other programs of the user.
    ///
    /// # Errors
    /// Where there is no descriptor left for the signal.
    pub fn new(most: usize, limit: usize) -> io::Result<Self> {
        Ok(Self {
            mailbox: Arc::new(Mailbox::new(most)?),
            aim: Arc::default(),
            limit,
            running: Mutex::default(),
            state: Mutex::default(),
        })
    }

    /// The descriptor that is readable while there is something to take; valid until this is dropped.
    #[must_use]
    pub fn signal(&self) -> RawFd {
        self.mailbox.signal()
    }

    /// What may have changed since the last call.
    pub fn take(&self) -> Taken {
        self.mailbox.take()
    }

    /// Watch `directories` and those of `inputs`, and nothing else any more.
    ///
    /// Costs what differs from before. Where not all can be watched, the first ones are. Returns those
    /// that were not watched before: what has happened in them until now, nobody has seen.
    pub fn watch(&self, directories: Vec<PathBuf>, inputs: &[&InputSet]) -> Vec<PathBuf> {
        let (aim, mut places) = Aim::new(directories, inputs);
        // Before the kernel is asked: its first events are to be judged by what is wanted now.
        *self.aim.write().unwrap_or_else(PoisonError::into_inner) = aim;
        let mut running = lock(&self.running);
        let mut state = State { wanted: places.len(), ..State::default() };
        state.trouble = (places.len() > self.limit).then(|| "more would be too many".to_owned());
        places.truncate(self.limit);
        let doubtful = self.mailbox.take_doubtful();
        let updated = self.update(&mut running, &mut state, &places, &doubtful);
        let fresh = updated.unwrap_or_else(|error| {
            state.watched = 0;
            state.trouble = Some(in_words(&error));
            // Its thread may be gone, and then its destructor panics.
            std::mem::forget(running.notify.take());
            Vec::new()
        });
        *lock(&self.state) = state;
        fresh
    }

    /// How much is watched, since the last call of `watch` has returned.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.state).clone()
    }

    /// Stop watching; nothing is signalled any more, and the thread and its descriptors are gone.
    pub fn close(&self) {
        *self.aim.write().unwrap_or_else(PoisonError::into_inner) = Aim::default();
        lock(&self.running).stop();
        *lock(&self.state) = State::default();
    }

    /// Watch `places` alone; what is below `doubtful` anew, as something else may be there by now.
    ///
    /// Returns those that were not watched before. What cannot be watched is counted only.
    fn update(
        &self,
        running: &mut Running,
        state: &mut State,
        places: &[PathBuf],
        doubtful: &HashSet<PathBuf>,
    ) -> notify::Result<Vec<PathBuf>> {
        let wanted: HashSet<&Path> = places.iter().map(PathBuf::as_path).collect();
        let is_kept = |path: &PathBuf| {
            wanted.contains(path.as_path()) && !path.ancestors().any(|dir| doubtful.contains(dir))
        };
        let (mut kept, mut gone): (HashSet<_>, Vec<_>) = match &running.notify {
            Some(notify) => {
                let (kept, gone): (Vec<_>, _) = watched(notify)?.into_iter().partition(is_kept);
                (kept.into_iter().collect(), gone)
            }
            None => Default::default(),
        };
        if gone.len() > MOST_UNWATCHED {
            running.stop();
            (kept, gone) = Default::default();
        }
        let notify = match &mut running.notify {
            Some(notify) => notify,
            // Tried again each time, as the limit of instances may have been reached only then.
            none => none.insert(self.start()?),
        };
        let fresh = || places.iter().filter(|path| !kept.contains(*path));
        let mut todo: Vec<PathOp> = gone.into_iter().map(PathOp::unwatch).collect();
        todo.extend(fresh().map(PathOp::watch_non_recursive));
        while let Err(error) = notify.watcher.update_paths(todo) {
            let is_vanished =
                matches!(error.source.kind, ErrorKind::PathNotFound | ErrorKind::WatchNotFound);
            if !is_vanished {
                state.trouble = Some(in_words(&error.source));
            }
            if error.origin.is_none() {
                return Err(error.source);
            }
            if matches!(error.source.kind, ErrorKind::MaxFilesWatch) {
                break;
            }
            todo = error.remaining;
        }
        let after: HashSet<PathBuf> = watched(notify)?.into_iter().collect();
        state.watched = places.iter().filter(|path| after.contains(*path)).count();
        Ok(fresh().filter(|path| after.contains(*path)).cloned().collect())
    }

    /// Start a thread that waits for the kernel.
    fn start(&self) -> notify::Result<Notify> {
        let (mailbox, aim) = (Arc::clone(&self.mailbox), Arc::clone(&self.aim));
        let (alive, ended) = std::sync::mpsc::channel::<()>();
        let handler = move |event: notify::Result<notify::Event>| {
            let _ = &alive;
            match event {
                Ok(event) if !event.need_rescan() => {
                    mailbox.put(&event, &aim.read().unwrap_or_else(PoisonError::into_inner));
                }
                // The kernel's queue was full, or could not be read.
                _ => mailbox.put_everything(),
            }
        };
        let config = Config::default().with_event_kinds(KINDS);
        Ok(Notify { watcher: RecommendedWatcher::new(handler, config)?, ended })
    }
}

impl Running {
    /// End the thread, and wait until its watches and descriptors are free for others.
    fn stop(&mut self) {
        if let Some(Notify { watcher, ended }) = self.notify.take() {
            drop(watcher);
            let _ = ended.recv_timeout(END_TIMEOUT);
        }
    }
}

/// What the kernel watches in truth: it stops by itself where a directory vanishes.
fn watched(notify: &Notify) -> notify::Result<Vec<PathBuf>> {
    Ok(notify.watcher.watched_paths()?.into_iter().map(|(path, _)| path).collect())
}

impl std::fmt::Display for State {
    /// All of it for people: "watching 120 directories", "not watching: the limit of …".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { watched, wanted, trouble } = self;
        match (watched, wanted) {
            (0, 0) => write!(f, "watching nothing yet")?,
            (0, _) => write!(f, "not watching")?,
            (1, 1) => write!(f, "watching 1 directory")?,
            _ if watched < wanted => write!(f, "watching {watched} of {wanted} directories")?,
            _ => write!(f, "watching {watched} directories")?,
        }
        trouble.as_ref().map_or(Ok(()), |trouble| write!(f, ": {trouble}"))
    }
}

/// The value behind a lock; a panic leaves nothing half changed that matters.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error with the name of the setting that is behind it (inotify(7)).
fn in_words(error: &notify::Error) -> String {
    const TOO_MANY_INSTANCES: i32 = 24; // EMFILE
    let limit = |what, setting| format!("the limit of inotify {what} is reached ({setting})");
    match &error.kind {
        ErrorKind::MaxFilesWatch => limit("watches", "fs.inotify.max_user_watches"),
        ErrorKind::Io(io) if io.raw_os_error() == Some(TOO_MANY_INSTANCES) => {
            limit("instances", "fs.inotify.max_user_instances")
        }
        ErrorKind::Io(io) => match error.paths.first() {
            Some(path) => format!("{}: {io}", path.display()),
            None => io.to_string(),
        },
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
