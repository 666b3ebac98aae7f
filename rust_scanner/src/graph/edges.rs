//! The files that one file imports by itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::resolve::{Resolution, Resolver};
use crate::syntax::{Expr, Imported, Module, Value, When};

/// Reads the module in a file of the project; several threads ask at once.
pub type Read<'a> = dyn Fn(&Path) -> Option<Arc<Module>> + Sync + 'a;

/// Finds what imports name.
pub struct Finder<'a> {
    /// By the project's rules.
    pub resolver: &'a Resolver,
    /// Reads files, for the `__all__` of star imports.
    pub read: &'a Read<'a>,
    /// One file for each directory with tests: what pytest inserts into `sys.path` for one of them is
    /// there for all that are imported later.
    pub neighbours: &'a [PathBuf],
}

impl Finder<'_> {
    /// The project's files that `path`, which says `module`, imports by itself, and when: at the earliest.
    pub fn imports(&self, path: &Path, module: &Module) -> Vec<(PathBuf, When)> {
        let mut found = Imports::default();
        for package in packages(path) {
            self.add(Resolution::Source(package), When::Imported, &mut found);
        }
        for import in &module.imports {
            self.import(path, import, &mut found);
        }
        for plugin in strings(module, "pytest_plugins") {
            self.name(path, plugin, When::Imported, &mut found);
        }
        for name in &module.dotted_strings {
            self.name(path, name, When::Called, &mut found);
        }
        found.0.remove(path);
        found.0.into_iter().collect()
    }

    fn import(&self, from: &Path, import: &Imported, found: &mut Imports) {
        let chain = self.resolve(from, &import.module);
        let target = chain.last().cloned().unwrap_or(Resolution::Missing);
        for resolution in chain {
            self.add(resolution, import.when, found);
        }
        for name in &import.names {
            if name == "*" {
                for name in self.all_of(&target) {
                    self.add(self.resolver.submodule(&target, &name), import.when, found);
                }
            } else {
                self.add(self.resolver.submodule(&target, name), import.when, found);
            }
        }
    }

    /// `a.b.C.d`: as much of it as names a module.
    fn name(&self, from: &Path, name: &str, when: When, found: &mut Imports) {
        for resolution in self.resolve(from, name) {
            self.add(resolution, when, found);
        }
    }

    fn resolve(&self, from: &Path, dotted: &str) -> Vec<Resolution> {
        let module = dotted.trim_start_matches('.');
        let level = dotted.len() - module.len();
        let chain = self.resolver.resolve_all(from, module, level);
        if level > 0 || chain.first() != Some(&Resolution::Missing) {
            return chain;
        }
        let mut others = self.neighbours.iter();
        let found = others.find_map(|other| {
            let chain = self.resolver.resolve_all(other, module, 0);
            (chain.first() != Some(&Resolution::Missing)).then_some(chain)
        });
        found.unwrap_or(chain)
    }

    fn add(&self, resolution: Resolution, when: When, found: &mut Imports) {
        if let Resolution::Source(path) = resolution
            && self.resolver.is_first_party(&path)
        {
            found.add(path, when);
        }
    }

    /// The names in a package's `__all__`, which a star import imports if they are submodules.
    fn all_of(&self, package: &Resolution) -> Vec<String> {
        let Some(path) = package.source().filter(|path| path.ends_with("__init__.py")) else {
            return Vec::new();
        };
        if !self.resolver.is_first_party(path) {
            return Vec::new();
        }
        (self.read)(path).map_or_else(Vec::new, |module| {
            strings(&module, "__all__").map(str::to_owned).collect()
        })
    }
}

/// Imported files, each with the earliest time.
#[derive(Default)]
struct Imports(HashMap<PathBuf, When>);

impl Imports {
    fn add(&mut self, path: PathBuf, when: When) {
        let earliest = self.0.entry(path).or_insert(when);
        *earliest = when.min(*earliest);
    }
}

/// The `__init__.py` of the packages around a file, innermost first: imported before it.
fn packages(path: &Path) -> impl Iterator<Item = PathBuf> {
    let dirs = path.ancestors().skip(1);
    dirs.map(|dir| dir.join("__init__.py")).take_while(|init| init.is_file())
}

/// The strings in the literal that `name` is bound to.
fn strings<'m>(module: &'m Module, name: &str) -> impl Iterator<Item = &'m str> {
    let value = match module.names.get(name).map(|binding| &binding.value) {
        Some(Value::Expr(value)) => Some(value.as_ref()),
        _ => None,
    };
    let items = match value {
        Some(Expr::List(items) | Expr::Tuple(items)) => items.as_slice(),
        Some(item @ Expr::Str(_)) => std::slice::from_ref(item),
        _ => &[],
    };
    items.iter().filter_map(|item| match item {
        Expr::Str(text) => Some(text.as_str()),
        _ => None,
    })
}
