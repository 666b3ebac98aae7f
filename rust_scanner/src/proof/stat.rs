//! What `stat` says about a file, as a value that can be compared.

use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The part of a stat that changes whenever the content may have.
///
/// Compared for equality only, never by age: `cp -p` and `rsync -t` bring older times, and an edit
/// that restores the mtime still moves the ctime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// Last modification, in nanoseconds since the epoch.
    pub mtime_ns: i128,
    /// Last change of content or attributes, in nanoseconds since the epoch.
    pub ctime_ns: i128,
    /// Length in bytes.
    pub size: u64,
    /// Inode number.
    pub inode: u64,
    /// Device number.
    pub device: u64,
}

impl From<&std::fs::Metadata> for Stat {
    fn from(meta: &std::fs::Metadata) -> Self {
        Self {
            mtime_ns: nanoseconds(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: nanoseconds(meta.ctime(), meta.ctime_nsec()),
            size: meta.size(),
            inode: meta.ino(),
            device: meta.dev(),
        }
    }
}

/// Two changes closer than this may carry the same time stamp: the kernel's clock for them ticks
/// every 1 to 10 ms.
const CLOCK_TICK: Duration = Duration::from_millis(100);
/// The same where the file system keeps whole seconds (two of them, on FAT).
const COARSE_CLOCK_TICK: Duration = Duration::from_secs(2);

impl Stat {
    /// The part that counts of what a link leads to: of a directory which one it is, not what is done
    /// in it. Who lists a directory through a link depends on the directory itself as well.
    fn of_link_target(self, is_dir: bool) -> Self {
        if is_dir { Self { mtime_ns: 0, ctime_ns: 0, size: 0, ..self } } else { self }
    }

    /// Whether a later change could leave this stat as it is, given that it was taken at `now`.
    #[must_use]
    pub fn is_racy(&self, now: SystemTime) -> bool {
        let changed_ns = self.mtime_ns.max(self.ctime_ns);
        let tick = if changed_ns % 1_000_000_000 == 0 { COARSE_CLOCK_TICK } else { CLOCK_TICK };
        let now_ns = now.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
        let age_ns = i128::try_from(now_ns).unwrap_or(i128::MAX) - changed_ns;
        age_ns < i128::try_from(tick.as_nanos()).unwrap_or(i128::MAX)
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}

/// Why there is no stat; a state like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// Nothing is there (`ENOENT`, or `ENOTDIR` on the way).
    Absent,
    /// Something is in the way: the `errno`, e.g. of a missing permission or a loop of links.
    Unreadable(i32),
}

impl From<io::Error> for Missing {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Absent,
            _ => Self::Unreadable(error.raw_os_error().unwrap_or_default()),
        }
    }
}

/// One symbolic link: its own stat, and where it points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    stat: Stat,
    /// Bytes: a path need not be text.
    target: Option<Vec<u8>>,
}

/// The state of a path that was read, or looked for, as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Set where the path itself is a symbolic link; boxed because most are not.
    link: Option<Box<Link>>,
    target: Result<Stat, Missing>,
}

impl FileState {
    /// The link that the path itself is.
    #[must_use]
    pub fn link(&self) -> Option<&Link> {
        self.link.as_deref()
    }

    /// The state of `path` now: one system call, three for a link.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        match std::fs::symlink_metadata(path) {
            Err(error) => Self { link: None, target: Err(error.into()) },
            Ok(meta) if meta.is_symlink() => Self {
                link: Some(Box::new(Link {
                    stat: Stat::from(&meta),
                    target: std::fs::read_link(path)
                        .ok()
                        .map(|target| target.into_os_string().into_vec()),
                })),
                target: std::fs::metadata(path)
                    .map(|meta| Stat::from(&meta).of_link_target(meta.is_dir()))
                    .map_err(Missing::from),
            },
            Ok(meta) => Self { link: None, target: Ok(Stat::from(&meta)) },
        }
    }

    /// The latest ctime of the file and its link, in nanoseconds since the epoch.
    #[must_use]
    pub fn ctime_ns(&self) -> Option<i128> {
        let link = self.link.as_ref().map(|link| link.stat.ctime_ns);
        link.max(self.target.ok().map(|stat| stat.ctime_ns))
    }

    /// The stat of the file at the end of all links.
    ///
    /// # Errors
    /// Why there is none.
    pub fn stat(&self) -> Result<Stat, Missing> {
        self.target
    }
}

/// The stat of what is at the end of all links.
///
/// # Errors
/// Why there is none.
pub fn stat(path: &Path) -> Result<Stat, Missing> {
    Ok(Stat::from(&std::fs::metadata(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn young_stats_are_racy_and_whole_seconds_longer() {
        let stat = |ns| Stat { mtime_ns: 0, ctime_ns: ns, size: 0, inode: 0, device: 0 };
        let after = |nanoseconds| UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        let precise = 5_000_000_001;
        assert!(stat(i128::from(precise)).is_racy(after(precise + 50_000_000)));
        assert!(!stat(i128::from(precise)).is_racy(after(precise + 150_000_000)));
        assert!(stat(i128::from(precise)).is_racy(after(precise + 99_999_999)));
        assert!(!stat(i128::from(precise)).is_racy(after(precise + 100_000_000)));
        assert!(stat(5_000_000_000).is_racy(after(6_900_000_000)));
        assert!(!stat(5_000_000_000).is_racy(after(7_100_000_000)));
        // A time stamp of the future, as of a server whose clock is ahead, is racy until it has come.
        assert!(stat(9_000_000_001).is_racy(after(precise)));
    }

    #[test]
    fn of_a_directory_at_the_end_of_a_link_it_counts_which_it_is() {
        let whole = Stat { mtime_ns: 1, ctime_ns: 2, size: 3, inode: 4, device: 5 };
        let which = Stat { mtime_ns: 0, ctime_ns: 0, size: 0, inode: 4, device: 5 };
        assert_eq!(whole.of_link_target(true), which);
        assert_eq!(whole.of_link_target(false), whole);
    }

    #[test]
    fn times_are_whole_nanoseconds() {
        assert_eq!(nanoseconds(2, 3), 2_000_000_003);
        assert_eq!(nanoseconds(-1, 5), -999_999_995);
    }

    #[test]
    fn only_a_link_has_a_link() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "x").expect("written");
        std::os::unix::fs::symlink("file", &link).expect("linked");
        assert!(FileState::of(&file).link.is_none());
        let state = FileState::of(&link);
        assert_eq!(
            state.link.as_ref().and_then(|link| link.target.clone()),
            Some(b"file".to_vec())
        );
        assert_eq!(state.stat(), FileState::of(&file).stat());
        assert!(state.ctime_ns() >= FileState::of(&file).ctime_ns());
        assert_eq!(FileState::of(&dir.path().join("absent")).ctime_ns(), None);
    }
}
