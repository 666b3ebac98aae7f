//! Which file an import names, by Python's and pytest's rules, without importing anything.
//!
//! The search path is that of `python -m pytest` started in the project's working directory:
//!
//! 1. what pytest inserts for the importing file itself and for the conftest.py files above it
//!    (`--import-mode=prepend`: before all others, nearest first; `append`: behind; `importlib`: nothing),
//! 2. `pythonpath` of the configuration,
//! 3. the working directory, which plain `pytest` does not add,
//! 4. the interpreter's own `sys.path`, with what `.pth` files and setuptools' editable finders add.
//!
//! Directories that other test files have had inserted are not counted on: they depend on the order of
//! collection. What code does to `sys.path` or `__path__` is not seen. A module that Python has loaded
//! before is not told from one that it would find.

mod listing;
mod plugins;
mod site;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::config::{ImportMode, PluginOptions, ProjectConfig, is_site_dir};
use crate::paths::absolute;
use listing::{Found, Listings};
pub use plugins::Plugin;
use site::Site;

/// What an import names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// A module's file, or a package's `__init__.py`; absolute.
    Source(PathBuf),
    /// A package without `__init__.py`: its directories, in the order of its `__path__`.
    Namespace(Vec<PathBuf>),
    /// Built into Python or compiled: there is no source to read.
    Compiled,
    /// Nothing of that name is on the search path.
    Missing,
}

impl Resolution {
    /// The source file, if it is one.
    #[must_use]
    pub fn source(&self) -> Option<&Path> {
        match self {
            Self::Source(path) => Some(path),
            _ => None,
        }
    }

    /// Where submodules are looked for; nothing for a plain module.
    fn portions(&self) -> Vec<PathBuf> {
        match self {
            Self::Source(path) if path.file_name().is_some_and(|name| name == "__init__.py") => {
                path.parent().map(Path::to_owned).into_iter().collect()
            }
            Self::Namespace(dirs) => dirs.clone(),
            _ => Vec::new(),
        }
    }
}

/// Modules that every Python has built in, so that no file can stand for them.
const BUILT_IN: [&str; 12] = [
    "_thread",
    "builtins",
    "errno",
    "faulthandler",
    "gc",
    "itertools",
    "marshal",
    "posix",
    "pwd",
    "sys",
    "time",
    "_io",
];

/// Resolves imports of one project; everything is looked up once, so one belongs to one pass over the
/// project. Many threads may ask at the same time.
#[derive(Debug)]
pub struct Resolver {
    root: PathBuf,
    cwd: PathBuf,
    mode: ImportMode,
    /// With `consider_namespace_packages`.
    with_namespaces: bool,
    pythonpath: Vec<PathBuf>,
    environment: Vec<PathBuf>,
    site: OnceLock<Site>,
    plugin_options: PluginOptions,
    plugins: OnceLock<Arc<[Plugin]>>,
    listings: Listings,
    /// Directories that pytest inserts for files in a directory.
    inserted: RwLock<HashMap<PathBuf, Arc<[PathBuf]>>>,
    /// Answers, by the directory of the importing file (none: not of the project) and the name.
    known: RwLock<HashMap<(Option<PathBuf>, String), Resolution>>,
}

impl Resolver {
    /// For a project. Nothing is read yet.
    #[must_use]
    pub fn new(config: &ProjectConfig) -> Self {
        let base = config.inifile.as_deref().and_then(Path::parent).unwrap_or(&config.root);
        let options = &config.options;
        Self {
            root: config.root.clone(),
            cwd: config.cwd.clone(),
            mode: options.import_mode,
            with_namespaces: options.consider_namespace_packages,
            pythonpath: options.pythonpath.iter().map(|path| absolute(base, path)).collect(),
            environment: config.environment.search_path.clone(),
            site: OnceLock::new(),
            plugin_options: options.plugins.clone(),
            plugins: OnceLock::new(),
            listings: Listings::default(),
            inserted: RwLock::default(),
            known: RwLock::default(),
        }
    }

    /// What `module` names in an import statement of `from_file`, which is absolute.
    ///
    /// `level` is the number of leading dots of a relative import. An empty `module` is the package
    /// itself, as in `from . import x`.
    #[must_use]
    pub fn resolve(&self, from_file: &Path, module: &str, level: usize) -> Resolution {
        self.resolve_all(from_file, module, level).pop().unwrap_or(Resolution::Missing)
    }

    /// `module` and the packages around it, outermost first: all that the import executes.
    ///
    /// Of a relative import, only what is named. Ends with the first part that is `Missing`.
    #[must_use]
    pub fn resolve_all(&self, from_file: &Path, module: &str, level: usize) -> Vec<Resolution> {
        let mut parts = module.split('.').filter(|part| !part.is_empty());
        let mut found = Vec::new();
        let mut current = match level.checked_sub(1) {
            Some(up) => self.around(from_file, up),
            None => match parts.next() {
                Some(top) => self.top_level(from_file, top),
                None => Resolution::Missing,
            },
        };
        for part in parts {
            let next = self.submodule(&current, part);
            found.push(current);
            current = next;
            if current == Resolution::Missing {
                break;
            }
        }
        found.push(current);
        found
    }

    /// The submodule `name` of a package; `Missing` where there is none.
    #[must_use]
    pub fn submodule(&self, package: &Resolution, name: &str) -> Resolution {
        if package == &Resolution::Compiled {
            return Resolution::Compiled;
        }
        self.find(&package.portions(), name)
    }

    /// Whether `path` belongs to the project rather than to its environment.
    #[must_use]
    pub fn is_first_party(&self, path: &Path) -> bool {
        let relative = path.strip_prefix(&self.root).or_else(|_| path.strip_prefix(&self.cwd));
        // An environment may lie inside the project.
        relative.is_ok_and(|relative| !relative.iter().any(|part| is_site_dir(Path::new(part))))
    }

    /// The plugins that pytest loads because of what is installed, or named by `-p`.
    #[must_use]
    pub fn plugins(&self) -> Arc<[Plugin]> {
        let found = || plugins::plugins(self, &self.plugin_options).into();
        Arc::clone(self.plugins.get_or_init(found))
    }

    fn site(&self) -> &Site {
        self.site.get_or_init(|| Site::read(&self.environment, &self.listings))
    }

    /// The package that `from_file` lies in, `up` directories higher.
    fn around(&self, from_file: &Path, up: usize) -> Resolution {
        match from_file.ancestors().nth(up + 1) {
            Some(dir) if self.listings.is_package(dir) => {
                Resolution::Source(dir.join("__init__.py"))
            }
            Some(dir) => Resolution::Namespace(vec![dir.to_owned()]),
            None => Resolution::Missing,
        }
    }

    fn top_level(&self, from_file: &Path, name: &str) -> Resolution {
        if BUILT_IN.contains(&name) {
            return Resolution::Compiled;
        }
        let dir = from_file.parent().filter(|_| self.is_first_party(from_file));
        let key = (dir.map(Path::to_owned), name.to_owned());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return known;
        }
        let inserted = dir.map_or_else(|| Arc::from([]), |dir| self.inserted(dir));
        let resolution = self.search(&inserted, name);
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(key).or_insert(resolution).clone()
    }

    fn search(&self, inserted: &[PathBuf], name: &str) -> Resolution {
        let site = self.site();
        let (before, behind) = match self.mode {
            ImportMode::Prepend => (inserted, &[][..]),
            ImportMode::Append => (&[][..], inserted),
            ImportMode::Importlib => (&[][..], &[][..]),
        };
        let own = self.pythonpath.iter().chain(std::iter::once(&self.cwd));
        let path: Vec<PathBuf> =
            before.iter().chain(own).chain(&site.path).chain(behind).cloned().collect();
        match self.find(&path, name) {
            Resolution::Missing => self.mapped(site, name),
            found => found,
        }
    }

    /// What setuptools' editable finders have, which come last.
    fn mapped(&self, site: &Site, name: &str) -> Resolution {
        let Some((_, path)) = site.mapped.iter().find(|(mapped, _)| mapped == name) else {
            return Resolution::Missing;
        };
        if self.listings.is_package(path) {
            return Resolution::Source(path.join("__init__.py"));
        }
        let module = path.with_extension("py");
        if module.is_file() {
            return Resolution::Source(module);
        }
        if path.is_dir() { Resolution::Namespace(vec![path.clone()]) } else { Resolution::Missing }
    }

    /// The module `name` in the first of `dirs` that has it (`PathFinder`).
    fn find(&self, dirs: &[PathBuf], name: &str) -> Resolution {
        let mut portions = Vec::new();
        for dir in dirs {
            match self.listings.find(dir, name) {
                Some(Found::Package) => {
                    return Resolution::Source(dir.join(name).join("__init__.py"));
                }
                Some(Found::Module) => return Resolution::Source(dir.join(format!("{name}.py"))),
                Some(Found::Compiled) => return Resolution::Compiled,
                Some(Found::Directory) => {
                    let portion = dir.join(name);
                    if !portions.contains(&portion) {
                        portions.push(portion);
                    }
                }
                None => {}
            }
        }
        if portions.is_empty() { Resolution::Missing } else { Resolution::Namespace(portions) }
    }

    /// What pytest has in `sys.path` for a file in `dir`: its own package's root, then those of the
    /// conftest.py files above, nearest first (`_pytest/pathlib.py::import_path`).
    fn inserted(&self, dir: &Path) -> Arc<[PathBuf]> {
        let known = self.inserted.read().unwrap_or_else(PoisonError::into_inner).get(dir).cloned();
        if let Some(known) = known {
            return known;
        }
        let mut roots = vec![self.package_root(dir)];
        for above in dir.ancestors().take_while(|above| above.starts_with(&self.root)) {
            if self.listings.has_conftest(above) {
                let root = self.package_root(above);
                if !roots.contains(&root) {
                    roots.push(root);
                }
            }
        }
        let roots: Arc<[PathBuf]> = roots.into();
        let mut all = self.inserted.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(dir.to_owned()).or_insert(roots))
    }

    /// The directory that a module in `dir` is imported from: the first upwards that is no package
    /// (`resolve_package_path`); with `consider_namespace_packages`, the one on the search path above.
    #[must_use]
    pub fn package_root(&self, dir: &Path) -> PathBuf {
        let plain = dir.ancestors().find(|dir| !self.listings.is_package(dir)).unwrap_or(dir);
        if self.with_namespaces {
            let on_path = |dir: &&Path| {
                self.pythonpath.iter().chain(&self.environment).any(|entry| entry == dir)
                    || *dir == self.cwd
            };
            if let Some(root) = plain.ancestors().find(on_path) {
                return root.to_owned();
            }
        }
        plain.to_owned()
    }
}
