//! Directories as imports look at them, each listed once.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// What one directory holds under a module's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// `NAME/__init__.py`.
    Package,
    /// `NAME.py`.
    Module,
    /// A compiled module, or a package whose `__init__` is compiled.
    Compiled,
    /// `NAME/`, perhaps a portion of a namespace package.
    Directory,
}

/// The names in a directory that an import could mean.
#[derive(Debug, Default)]
struct Listing {
    modules: HashMap<String, Found>,
    directories: HashSet<String>,
    has_init: bool,
    has_conftest: bool,
    others: Vec<String>,
}

/// The listings of all directories asked for.
#[derive(Debug, Default)]
pub struct Listings {
    known: RwLock<HashMap<PathBuf, Arc<Listing>>>,
}

impl Listings {
    /// What `dir` holds as the module `name`, in the order of `importlib`'s `FileFinder`.
    pub fn find(&self, dir: &Path, name: &str) -> Option<Found> {
        let listing = self.of(dir);
        let is_directory = listing.directories.contains(name);
        if is_directory {
            let inner = self.of(&dir.join(name));
            match inner.modules.get("__init__") {
                Some(Found::Compiled) => return Some(Found::Compiled),
                Some(_) => return Some(Found::Package),
                None => {}
            }
        }
        listing.modules.get(name).copied().or(is_directory.then_some(Found::Directory))
    }

    /// Whether `dir` has an `__init__.py`.
    pub fn is_package(&self, dir: &Path) -> bool {
        self.of(dir).has_init
    }

    /// Whether `dir` has a `conftest.py`.
    pub fn has_conftest(&self, dir: &Path) -> bool {
        self.of(dir).has_conftest
    }

    /// The files in `dir` that end in `suffix` and are no modules, sorted.
    pub fn others(&self, dir: &Path, suffix: &str) -> Vec<String> {
        self.of(dir).others.iter().filter(|name| name.ends_with(suffix)).cloned().collect()
    }

    /// The directories in `dir` that describe installed distributions, sorted.
    pub fn metadata(&self, dir: &Path) -> Vec<PathBuf> {
        let listing = self.of(dir);
        let is_metadata = |name: &&String| {
            let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix);
            matches!(suffix, Some("dist-info" | "egg-info"))
        };
        let mut found: Vec<PathBuf> =
            listing.directories.iter().filter(is_metadata).map(|name| dir.join(name)).collect();
        found.sort();
        found
    }

    fn of(&self, dir: &Path) -> Arc<Listing> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(dir).cloned();
        if let Some(known) = known {
            return known;
        }
        let listing = Arc::new(Listing::read(dir));
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(dir.to_owned()).or_insert(listing))
    }
}

impl Listing {
    fn read(dir: &Path) -> Self {
        let mut listing = Self::default();
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
                continue;
            };
            let is_dir = kind.is_dir() || kind.is_symlink() && entry.path().is_dir();
            listing.add(name, is_dir);
        }
        listing.others.sort();
        listing
    }

    fn add(&mut self, name: String, is_dir: bool) {
        if is_dir {
            self.directories.insert(name);
            return;
        }
        self.has_init |= name == "__init__.py";
        self.has_conftest |= name == "conftest.py";
        if let Some(module) = name.strip_suffix(".py") {
            self.modules.entry(module.to_owned()).or_insert(Found::Module);
        } else if let Some(module) = name.strip_suffix(".so").or(name.strip_suffix(".pyd")) {
            // `name.so`, `name.abi3.so`, `name.cpython-311-x86_64-linux-gnu.so`: before sources.
            let module = module.split('.').next().unwrap_or(module);
            self.modules.insert(module.to_owned(), Found::Compiled);
        } else {
            self.others.push(name);
        }
    }
}
