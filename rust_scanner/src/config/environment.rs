//! The interpreter that runs the tests, as far as collection depends on it.

use std::path::{Path, PathBuf};

/// A version: major, minor, micro; what is not a number counts as the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16, pub u16, pub u16);

impl Version {
    /// The release part of a version: `9.2.0`, `9.2.0rc1`, `9.2`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map_while(|part| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..end].parse::<u16>().ok()
        });
        let major = numbers.next()?;
        Some(Self(major, numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)))
    }
}

/// An interpreter's search path, and what that says about its Python and pytest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// Its `sys.path` at start, without the script's directory: standard library, site-packages and
    /// what `PYTHONPATH` and `.pth` files add.
    pub search_path: Vec<PathBuf>,
    /// Its Python; the micro version is not known.
    pub python: Option<Version>,
    /// Its pytest.
    pub pytest: Option<Version>,
}

impl Environment {
    /// Look at the directories of an interpreter's `sys.path`.
    #[must_use]
    pub fn read(search_path: Vec<PathBuf>) -> Self {
        let search_path: Vec<PathBuf> =
            search_path.into_iter().filter(|path| path.is_absolute()).collect();
        Self {
            python: search_path.iter().find_map(|path| python_version(path)),
            pytest: search_path
                .iter()
                .filter(|path| is_site_dir(path))
                .find_map(|path| installed_version(path, "pytest")),
            search_path,
        }
    }
}

/// Whether `path` is a directory that packages are installed into.
#[must_use]
pub fn is_site_dir(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "site-packages" || name == "dist-packages")
}

/// The version in `.../lib/python3.11/...`.
fn python_version(path: &Path) -> Option<Version> {
    path.components().rev().find_map(|component| {
        // `python3.13`, or `python3.13t` without a lock; but not `python313.zip`.
        let version = component.as_os_str().to_str()?.strip_prefix("python")?;
        let (major, minor) = version.strip_suffix('t').unwrap_or(version).split_once('.')?;
        Some(Version(major.parse().ok()?, minor.parse().ok()?, 0))
    })
}

/// The version of the distribution `name`, by the name of its metadata's directory.
fn installed_version(site_dir: &Path, name: &str) -> Option<Version> {
    let entries = std::fs::read_dir(site_dir).ok()?;
    entries.flatten().find_map(|entry| {
        let entry = entry.file_name();
        let version = entry.to_str()?.strip_suffix(".dist-info")?.strip_prefix(name)?;
        Version::parse(version.strip_prefix('-')?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(Version::parse("9.2.0"), Some(Version(9, 2, 0)));
        assert_eq!(Version::parse("8.4.0rc1.dev3"), Some(Version(8, 4, 0)));
        assert_eq!(Version::parse("9"), Some(Version(9, 0, 0)));
        assert_eq!(Version::parse("x"), None);
        assert!(Version(8, 4, 2) < Version(9, 0, 0));
    }

    #[test]
    fn an_environment_is_told_by_its_directories() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let site = dir.path().join("lib/python3.12/site-packages");
        for name in ["pytest-8.3.5.dist-info", "pytest_mock-3.14.0.dist-info"] {
            std::fs::create_dir_all(site.join(name)).expect("made");
        }
        let zip = dir.path().join("lib/python312.zip");
        let environment = Environment::read(vec![PathBuf::from(""), zip.clone(), site.clone()]);
        assert_eq!(environment.search_path, [zip, site]);
        assert_eq!(environment.python, Some(Version(3, 12, 0)));
        assert_eq!(environment.pytest, Some(Version(8, 3, 5)));
    }
}
