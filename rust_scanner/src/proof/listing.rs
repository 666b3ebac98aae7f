//! Directories: the names in them that an import or a collection could depend on.

use std::ffi::{OsStr, OsString};
use std::fs::DirEntry;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use super::lock;
use super::stat::{Missing, Stat, stat};

/// Ends of the names of files that imports, `site` and pytest look for.
const SUFFIXES: [&str; 14] = [
    ".py",
    ".pyi",
    ".so",
    ".pyd",
    ".pyc",
    ".pth",
    ".egg-link",
    ".zip",
    ".toml",
    ".ini",
    ".cfg",
    ".rst",
    ".txt",
    ".md",
];
/// Hidden files that count as well, and the mark of a virtual environment.
const NAMES: [&str; 3] = [".pytest.ini", ".pytest.toml", "pyvenv.cfg"];

/// A relevant entry: its name, and whether it is (or links to) a directory.
type Entry = (OsString, bool);

/// Which names of a directory count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Those that an import, or pytest's own collection, could depend on.
    Relevant,
    /// All: any file may be collected by a plugin. Only what Python puts there for itself does not count.
    All,
}

/// The state of a path that was listed, or searched, as a directory.
#[derive(Debug)]
pub struct DirState {
    which: Names,
    names: Result<Box<[Entry]>, Missing>,
    /// The stat the listing is known to hold for; `None` where only listing again can tell.
    proven: Mutex<Option<Stat>>,
    ctime_ns: Option<i128>,
}

impl DirState {
    /// The state of `path` now.
    #[must_use]
    pub fn of(path: &Path, which: Names) -> Self {
        let ctime_ns = stat(path).ok().map(|stat| stat.ctime_ns);
        let (names, proven) = read(path, which, SystemTime::now());
        Self { which, names, proven: Mutex::new(proven), ctime_ns }
    }

    /// When anything in the directory last came or went before the listing (ns since the epoch).
    #[must_use]
    pub fn ctime_ns(&self) -> Option<i128> {
        self.ctime_ns
    }

    /// Whether `path` still holds the same names.
    ///
    /// One system call where the directory's stat is the known one. Where it differs and the names are
    /// the same, the new stat is remembered.
    #[must_use]
    pub fn holds(&self, path: &Path) -> bool {
        let now = stat(path);
        let known = *lock(&self.proven);
        match (now, known) {
            (Ok(now), Some(known)) if now == known => return true,
            (Err(now), None) if self.names.as_ref().err() == Some(&now) => return true,
            _ => {}
        }
        let (names, proven) = read(path, self.which, SystemTime::now());
        let same = names == self.names;
        if same {
            *lock(&self.proven) = proven;
        }
        same
    }
}

/// The names of a directory that count, sorted, and the stat that stands for them.
///
/// The stat is taken first, so that a change during the listing shows as another stat later. A change
/// within the same clock tick would not show: then no stat stands for the listing. `now` is given for
/// the tests' sake.
fn read(
    path: &Path,
    which: Names,
    now: SystemTime,
) -> (Result<Box<[Entry]>, Missing>, Option<Stat>) {
    let before = match stat(path) {
        Ok(stat) => stat,
        Err(missing) => return (Err(missing), None),
    };
    match names_in(path, which) {
        Ok(names) => (Ok(names), (!before.is_racy(now)).then_some(before)),
        Err(error) => (Err(error.into()), None),
    }
}

fn names_in(path: &Path, which: Names) -> io::Result<Box<[Entry]>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_dir = is_directory(&entry);
        let counts = match which {
            Names::All => name != "__pycache__",
            Names::Relevant if is_dir => is_relevant_dir(&name),
            Names::Relevant => is_relevant_file(&name),
        };
        if counts {
            names.push((name, is_dir));
        }
    }
    names.sort_unstable();
    Ok(names.into_boxed_slice())
}

fn is_directory(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => {
            std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir())
        }
        Ok(kind) => kind.is_dir(),
        Err(_) => false,
    }
}

/// Whether an import or a collection could depend on a directory of this name being there.
#[must_use]
pub fn is_relevant_dir(name: &OsStr) -> bool {
    !name.as_bytes().starts_with(b".") && name != "__pycache__"
}

/// Whether an import or a collection could depend on a file of this name being there.
#[must_use]
pub fn is_relevant_file(name: &OsStr) -> bool {
    let name = name.as_bytes();
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix.as_bytes()))
        || NAMES.iter().any(|known| name == known.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn dir() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    /// As if the directory had been left alone for a while before.
    fn settled(path: &Path) -> DirState {
        let (names, proven) =
            read(path, Names::Relevant, SystemTime::now() + Duration::from_secs(10));
        assert!(proven.is_some());
        DirState { which: Names::Relevant, names, proven: Mutex::new(proven), ctime_ns: None }
    }

    #[test]
    fn a_directory_with_the_same_stat_is_not_listed_again() {
        let dir = dir();
        std::fs::write(dir.path().join("a.py"), "").expect("writable");
        let mut state = settled(dir.path());
        state.names = Ok(Box::default());
        assert!(state.holds(dir.path()), "its names are not looked at");
        *lock(&state.proven) = None;
        assert!(!state.holds(dir.path()));
    }

    #[test]
    fn a_directory_with_another_stat_is() {
        let dir = dir();
        let state = settled(dir.path());
        let before = *lock(&state.proven);
        std::fs::write(dir.path().join("notes"), "").expect("writable");
        while stat(dir.path()).ok() == before {
            std::fs::write(dir.path().join("notes"), "").expect("writable");
            std::fs::remove_file(dir.path().join("notes")).expect("there");
        }
        assert!(state.holds(dir.path()), "no relevant name is new");
        std::fs::write(dir.path().join("b.py"), "").expect("writable");
        assert!(!state.holds(dir.path()));
    }

    #[test]
    fn a_directory_that_was_there_and_is_gone() {
        let dir = dir();
        let (young, old) = (DirState::of(dir.path(), Names::Relevant), settled(dir.path()));
        *lock(&young.proven) = None;
        std::fs::remove_dir(dir.path()).expect("empty");
        assert!(!young.holds(dir.path()));
        assert!(!old.holds(dir.path()));
        let absent = DirState::of(dir.path(), Names::Relevant);
        assert!(absent.holds(dir.path()));
        std::fs::create_dir(dir.path()).expect("writable");
        assert!(!absent.holds(dir.path()));
    }

    #[test]
    fn no_stat_stands_for_a_listing_made_within_the_tick_of_a_change() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let changed =
            std::fs::metadata(dir.path()).and_then(|meta| meta.modified()).expect("mtime");
        assert_eq!(read(dir.path(), Names::Relevant, changed + Duration::from_millis(1)).1, None);
        let later = read(dir.path(), Names::Relevant, changed + Duration::from_secs(10)).1;
        assert_eq!(later, stat(dir.path()).ok());
    }
}
