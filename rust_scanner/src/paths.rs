//! Paths as pytest sees them: absolute and normalised without looking at the disk.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// Join `path` to `cwd` and remove `.` and `..` lexically, as Python's `os.path.abspath` does.
///
/// Symbolic links are kept on purpose: pytest's ids follow the path as typed
/// (`_pytest/pathlib.py::absolutepath`).
#[must_use]
pub fn absolute(cwd: &Path, path: impl AsRef<OsStr>) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for component in cwd.join(Path::new(path.as_ref())).components() {
        match component {
            Component::Normal(part) => normal.push(part),
            Component::ParentDir => {
                normal.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    normal
}

/// The longest common directory of two absolute paths (`os.path.commonpath`).
#[must_use]
pub fn common(a: &Path, b: &Path) -> PathBuf {
    a.components().zip(b.components()).take_while(|(x, y)| x == y).map(|(x, _)| x).collect()
}

/// Whether `path` is the root of the file system.
#[must_use]
pub fn is_root(path: &Path) -> bool {
    path.parent().is_none()
}

/// The suffix that a file's name or a pattern for such names ends in: `.rst` of `*.rst`.
#[must_use]
pub fn suffix(name: &str) -> Option<&str> {
    let suffix = &name[name.rfind('.')?..];
    let is_word = suffix.len() > 1 && suffix[1..].chars().all(|c| c.is_ascii_alphanumeric());
    is_word.then_some(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_is_lexical() {
        let cwd = Path::new("/a/b");
        assert_eq!(absolute(cwd, "c/../d/./e"), Path::new("/a/b/d/e"));
        assert_eq!(absolute(cwd, "../../../x"), Path::new("/x"));
        assert_eq!(absolute(cwd, "/abs//y/"), Path::new("/abs/y"));
        assert_eq!(absolute(cwd, ""), Path::new("/a/b"));
    }

    #[test]
    fn common_is_by_component() {
        let common = |a, b| common(Path::new(a), Path::new(b));
        assert_eq!(common("/a/bc", "/a/bd"), Path::new("/a"));
        assert_eq!(common("/a", "/a/b"), Path::new("/a"));
        assert_eq!(common("/a", "/b"), Path::new("/"));
    }
}
