//! Files of which only the beginning was executed.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::lock;
use super::stat::{FileState, Link, Missing};

/// The state of a file of which only the first bytes count: what follows them may be edited.
///
/// Of no bytes at all it says whether there is a file, a directory or nothing; and, as who asks that may
/// follow links, whether the path is one, and where it leads.
#[derive(Debug)]
pub struct PrefixState {
    bytes: Result<Box<[u8]>, Missing>,
    /// The state of the whole file that is known to have this beginning; `None` where only reading
    /// again can tell.
    proven: Mutex<Option<FileState>>,
    link: Option<Link>,
    ctime_ns: Option<i128>,
}

impl PrefixState {
    /// The first `length` bytes of `path` now.
    #[must_use]
    pub fn of(path: &Path, length: u64) -> Self {
        let (now, before) = (SystemTime::now(), FileState::of(path));
        let bytes = read(path, length).map_err(Missing::from);
        // Whatever is done inside a directory changes it, and is of no concern.
        let ctime_ns = bytes.is_ok().then(|| before.ctime_ns()).flatten();
        let link = before.link().cloned();
        Self { bytes, proven: Mutex::new(settled(before, now)), link, ctime_ns }
    }

    /// When the file last changed before it was read (ns since the epoch).
    #[must_use]
    pub fn ctime_ns(&self) -> Option<i128> {
        self.ctime_ns
    }

    /// Whether `path` still begins with the same bytes.
    ///
    /// One system call where the file is untouched; else its beginning is read, and where that is the
    /// same, the new state is remembered.
    #[must_use]
    pub fn holds(&self, path: &Path) -> bool {
        let (now, state) = (SystemTime::now(), FileState::of(path));
        if lock(&self.proven).as_ref() == Some(&state) {
            return true;
        }
        let is_kind = self.bytes.as_ref().map_or(true, |bytes| bytes.is_empty());
        if is_kind && self.link.as_ref() != state.link() {
            return false;
        }
        let Ok(bytes) = &self.bytes else {
            return read(path, 0).map_err(Missing::from).err()
                == self.bytes.as_ref().err().copied();
        };
        let same = read(path, bytes.len() as u64).is_ok_and(|found| found == *bytes);
        if same {
            *lock(&self.proven) = settled(state, now);
        }
        same
    }
}

/// A state that no later change could leave as it is, given that it was taken after `now`; and both
/// before the file was read: how long that took must not make a young state look old.
fn settled(state: FileState, now: SystemTime) -> Option<FileState> {
    state.stat().is_ok_and(|stat| !stat.is_racy(now)).then_some(state)
}

fn read(path: &Path, length: u64) -> io::Result<Box<[u8]>> {
    let mut bytes = Vec::new();
    // Without waiting for anybody to write to what has become a pipe.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_dir() {
        return Err(Errno::ISDIR.into());
    }
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_has_just_changed_is_read_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("module.py");
        std::fs::write(&path, "import numpy").expect("written");
        let now = SystemTime::now();
        assert_eq!(settled(FileState::of(&path), now), None);
        let old = FileState::of(&path);
        assert_eq!(settled(old.clone(), now + Duration::from_secs(10)), Some(old));
        let absent = FileState::of(&dir.path().join("absent"));
        assert_eq!(settled(absent, now + Duration::from_secs(10)), None);
    }

    #[test]
    fn a_file_with_the_same_state_is_not_read_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("module.py");
        std::fs::write(&path, "import numpy").expect("written");
        let mut state = PrefixState::of(&path, 6);
        state.bytes = Ok(Box::from(*b"export"));
        assert!(!state.holds(&path));
        *lock(&state.proven) = Some(FileState::of(&path));
        assert!(state.holds(&path), "its bytes are not looked at");
    }

    #[test]
    fn what_follows_the_beginning_may_change() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("module.py");
        let write = |text: &str| std::fs::write(&path, text).expect("written");
        write("import numpy\nx = 1\n");
        let state = PrefixState::of(&path, 13);
        assert!(state.holds(&path));
        write("import numpy\nx = 2\n");
        assert!(state.holds(&path));
        write("import numpi\nx = 1\n");
        assert!(!state.holds(&path));
        let kind = PrefixState::of(&path, 0);
        write("import num");
        assert!(kind.holds(&path), "it is still a file");
        assert!(!state.holds(&path));
        std::fs::remove_file(&path).expect("removed");
        assert!(!kind.holds(&path));
        std::fs::create_dir(&path).expect("created");
        assert!(!kind.holds(&path), "a directory is no file");
        std::fs::remove_dir(&path).expect("removed");
        assert!(!state.holds(&path));
        write("import numpy\n");
        assert!(state.holds(&path));
    }

    #[test]
    fn a_directory_is_the_one_that_its_path_leads_to() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name);
        for name in ["one", "two"] {
            std::fs::create_dir(path(name)).expect("created");
        }
        let link = |target: &str| std::os::unix::fs::symlink(target, path("link")).expect("linked");
        link("one");
        let (direct, linked) =
            (PrefixState::of(&path("one"), 0), PrefixState::of(&path("link"), 0));
        std::fs::write(path("one").join("file"), "").expect("written");
        assert!(
            direct.holds(&path("one")) && linked.holds(&path("link")),
            "what is in it may change"
        );
        assert_eq!((direct.ctime_ns(), linked.ctime_ns()), (None, None));
        std::fs::remove_file(path("link")).expect("removed");
        link("two");
        assert!(!linked.holds(&path("link")), "it leads elsewhere");
        std::fs::rename(path("one"), path("three")).expect("renamed");
        std::os::unix::fs::symlink("three", path("one")).expect("linked");
        assert!(!direct.holds(&path("one")), "it has become a link");
    }

    #[test]
    fn an_absent_file_has_no_beginning() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("module.py");
        let state = PrefixState::of(&path, 5);
        assert!(state.holds(&path));
        std::fs::write(&path, "").expect("written");
        assert!(!state.holds(&path));
    }
}
