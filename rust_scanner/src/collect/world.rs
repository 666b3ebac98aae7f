//! The files that deciding about one file takes, read when they are asked for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use elsa::FrozenMap;

use super::stars::{Expansion, Exported};
use crate::facts::Reading;
use crate::parse::Source;
use crate::resolve::{Plugin, Resolution, Resolver};
use crate::syntax::{Module, Star};

/// Star imports of star imports beyond this are not followed.
const MAX_STARS: usize = 50;

/// A file that was read.
#[derive(Debug)]
pub struct File {
    /// Its path, absolute.
    pub path: PathBuf,
    /// What it says, star imports replaced by the names they bind as far as those are known.
    pub module: Arc<Module>,
}

/// An answer that a file's items depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// What an import names.
    Import {
        /// The importing file.
        from: PathBuf,
        /// The module.
        module: String,
        /// The number of leading dots.
        level: usize,
        /// What it names.
        answer: Resolution,
    },
    /// The module of a name in a package.
    Submodule {
        /// The package.
        package: Resolution,
        /// The name.
        name: String,
        /// What it names.
        answer: Resolution,
    },
    /// The directory that the modules of another are imported from.
    Root {
        /// The modules' directory.
        dir: PathBuf,
        /// The one on the search path.
        answer: PathBuf,
    },
    /// The installed plugins.
    Plugins(Arc<[Plugin]>),
}

impl Query {
    /// Whether the answer is the same now.
    #[must_use]
    pub fn holds(&self, resolver: &Resolver) -> bool {
        match self {
            Self::Import { from, module, level, answer } => {
                resolver.resolve(from, module, *level) == *answer
            }
            Self::Submodule { package, name, answer } => {
                resolver.submodule(package, name) == *answer
            }
            Self::Root { dir, answer } => resolver.package_root(dir) == *answer,
            Self::Plugins(answer) => resolver.plugins() == *answer,
        }
    }
}

/// What items, or the names of star imports, depend on in other files.
#[derive(Debug, Default)]
pub struct Needs {
    files: Vec<(PathBuf, Arc<Reading>)>,
    queries: Vec<Query>,
    expanded: Vec<Arc<Expanded>>,
}

impl Needs {
    /// Whether all of it is the same now.
    pub fn hold(&self, read: &Read, resolver: &Resolver, shared: &Shared) -> bool {
        self.queries.iter().all(|query| query.holds(resolver))
            && self.files.iter().all(|(path, reading)| Arc::ptr_eq(&read(path), reading))
            && self.expanded.iter().all(|expanded| shared.holds(expanded, read, resolver))
    }
}

/// A module whose star imports have been followed.
#[derive(Debug)]
struct Expanded {
    module: Arc<Module>,
    needs: Needs,
}

/// What the worlds of one pass over the project have in common: star imports are followed once.
#[derive(Debug, Default)]
pub struct Shared {
    expanded: Mutex<HashMap<PathBuf, Arc<Expanded>>>,
    /// Whether what an earlier pass has followed holds, by address; the second keeps it alive.
    held: Mutex<HashMap<usize, (bool, Arc<Expanded>)>>,
}

impl Shared {
    fn get(&self, path: &Path) -> Option<Arc<Expanded>> {
        self.expanded.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    fn put(&self, path: &Path, expanded: &Arc<Expanded>) {
        let mut all = self.expanded.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(path.to_owned(), Arc::clone(expanded));
    }

    fn holds(&self, expanded: &Arc<Expanded>, read: &Read, resolver: &Resolver) -> bool {
        let key = Arc::as_ptr(expanded).addr();
        let known =
            self.held.lock().unwrap_or_else(PoisonError::into_inner).get(&key).map(|it| it.0);
        known.unwrap_or_else(|| {
            let holds = expanded.needs.hold(read, resolver, self);
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.insert(key, (holds, Arc::clone(expanded)));
            holds
        })
    }
}

/// Reads a file's facts.
pub type Read<'w> = dyn Fn(&Path) -> Arc<Reading> + 'w;

/// The files around one file. Each is read once and stays where it is.
pub struct World<'w> {
    resolver: Option<&'w Resolver>,
    read: &'w Read<'w>,
    shared: &'w Shared,
    files: FrozenMap<PathBuf, Box<Option<File>>>,
    /// Files whose star imports are being followed: those that lead back are not.
    opening: RefCell<Vec<PathBuf>>,
    /// Whether some led back.
    led_back: Cell<bool>,
    needs: RefCell<Needs>,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("World").finish_non_exhaustive()
    }
}

impl<'w> World<'w> {
    /// Without a resolver, no import leads anywhere.
    pub fn new(resolver: Option<&'w Resolver>, read: &'w Read<'w>, shared: &'w Shared) -> Self {
        Self {
            resolver,
            read,
            shared,
            files: FrozenMap::new(),
            opening: RefCell::default(),
            led_back: Cell::new(false),
            needs: RefCell::default(),
        }
    }

    /// What was read and asked.
    pub fn into_needs(self) -> Needs {
        self.needs.into_inner()
    }

    /// Take in a file that is at hand.
    pub fn open(&self, path: &Path, module: &Arc<Module>) -> &File {
        let module = self.expanded(path, Arc::clone(module));
        let file = Some(File { path: path.to_owned(), module });
        match self.files.insert(path.to_owned(), Box::new(file)) {
            Some(file) => file,
            None => unreachable!("a file was put there"),
        }
    }

    /// The file at `path`, if it can be read.
    pub fn file(&self, path: &Path) -> Option<&File> {
        if let Some(known) = self.files.get(path) {
            return known.as_ref();
        }
        let file = self
            .module(path)
            .map(|module| File { path: path.to_owned(), module: self.expanded(path, module) });
        self.files.insert(path.to_owned(), Box::new(file)).as_ref()
    }

    /// What the file at `path` says by itself, if it is Python that can be read.
    fn module(&self, path: &Path) -> Option<Arc<Module>> {
        let reading = (self.read)(path);
        let module = match reading.as_ref() {
            Ok(Source::Module(module)) => Some(Arc::clone(module)),
            _ => None,
        };
        self.needs.borrow_mut().files.push((path.to_owned(), reading));
        module
    }

    /// What an import of `from` names.
    pub fn resolve(&self, from: &Path, module: &str, level: usize) -> Resolution {
        let Some(resolver) = self.resolver else { return Resolution::Missing };
        let known = self.needs.borrow().queries.iter().find_map(|query| match query {
            Query::Import { from: file, module: known, level: dots, answer }
                if *dots == level && known == module && file == from =>
            {
                Some(answer.clone())
            }
            _ => None,
        });
        known.unwrap_or_else(|| {
            let answer = resolver.resolve(from, module, level);
            let (from, module) = (from.to_owned(), module.to_owned());
            self.note(Query::Import { from, module, level, answer: answer.clone() });
            answer
        })
    }

    fn note(&self, query: Query) {
        self.needs.borrow_mut().queries.push(query);
    }

    /// The module `name` in a package.
    pub fn submodule(&self, package: &Resolution, name: &str) -> Resolution {
        let Some(resolver) = self.resolver else { return Resolution::Missing };
        let answer = resolver.submodule(package, name);
        let query = Query::Submodule {
            package: package.clone(),
            name: name.to_owned(),
            answer: answer.clone(),
        };
        if !self.needs.borrow().queries.contains(&query) {
            self.note(query);
        }
        answer
    }

    /// Whether `path` belongs to the project.
    pub fn is_first_party(&self, path: &Path) -> bool {
        self.resolver.is_some_and(|resolver| resolver.is_first_party(path))
    }

    /// The plugins that pytest loads because of what is installed.
    pub fn plugins(&self) -> Arc<[Plugin]> {
        let Some(resolver) = self.resolver else { return Arc::from([]) };
        let answer = resolver.plugins();
        self.note(Query::Plugins(Arc::clone(&answer)));
        answer
    }

    /// The directory from which pytest imports the file at `path`.
    pub fn package_root(&self, path: &Path) -> PathBuf {
        let dir = path.parent().unwrap_or(path);
        let Some(resolver) = self.resolver else { return dir.to_owned() };
        let answer = resolver.package_root(dir);
        self.note(Query::Root { dir: dir.to_owned(), answer: answer.clone() });
        answer
    }

    /// `module` with its star imports replaced by imports of the names they bind; those that are not
    /// known stay.
    fn expanded(&self, path: &Path, module: Arc<Module>) -> Arc<Module> {
        if module.names.stars.is_empty() {
            return module;
        }
        let opening = self.opening.borrow();
        if opening.len() > MAX_STARS || opening.iter().any(|open| open == path) {
            self.led_back.set(true);
            return module;
        }
        let expanded = self.shared.get(path).unwrap_or_else(|| {
            // What this takes is noted apart, for all others that import the same.
            let inner = World::new(self.resolver, self.read, self.shared);
            inner.opening.borrow_mut().extend(opening.iter().cloned());
            inner.opening.borrow_mut().push(path.to_owned());
            let module = inner.with_stars(path, &module);
            let led_back = inner.led_back.get();
            let expanded = Arc::new(Expanded { module, needs: inner.into_needs() });
            if led_back {
                self.led_back.set(true);
            } else {
                self.shared.put(path, &expanded);
            }
            expanded
        });
        let module = Arc::clone(&expanded.module);
        self.needs.borrow_mut().expanded.push(expanded);
        module
    }

    fn with_stars(&self, path: &Path, module: &Module) -> Arc<Module> {
        let mut names = Expansion::of(&module.names);
        for star in &module.names.stars {
            match self.exported(path, star) {
                Some(exported) => names.add(star, exported),
                None => names.left.push(star.clone()),
            }
        }
        let mut expanded = module.clone();
        expanded.names = names.finish(&module.names.doubts);
        Arc::new(expanded)
    }

    /// The names that a star import binds; `None` where its module is not known.
    fn exported(&self, path: &Path, star: &Star) -> Option<Exported> {
        let (module, level) = split(&star.module);
        let Resolution::Source(source) = self.resolve(path, module, level) else { return None };
        if self.opening.borrow().contains(&source) {
            self.led_back.set(true);
            return None;
        }
        Some(Exported::of(&self.file(&source)?.module.names))
    }
}

/// A module's name without the leading dots of a relative import, and their number.
pub fn split(module: &str) -> (&str, usize) {
    let name = module.trim_start_matches('.');
    (name, module.len() - name.len())
}
