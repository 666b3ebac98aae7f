//! Where fixtures are, by name.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::{Scan, Snapshot};
use crate::collect::{Asked, Context, Definition, Roles, Shared, World, definition};
use crate::syntax::Module;
use crate::walk::Conftest;

impl Scan {
    /// The definition of the fixture that a name in a file means.
    ///
    /// As of the last `refresh` and `update`; waits for one that goes on.
    #[must_use]
    pub fn fixture(&self, path: &Path, asked: &Asked) -> Option<Definition> {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let resolver = Arc::clone(&self.resolver.read().unwrap_or_else(PoisonError::into_inner));
        let reading = facts.read(path);
        let source = reading.as_ref().as_ref().ok()?;
        let conftests: Vec<(PathBuf, Arc<Module>)> = above(&self.snapshot(), path)
            .iter()
            .map(|conftest| (conftest.dir.join("conftest.py"), Arc::clone(&conftest.module)))
            .collect();
        let conftests: Vec<(&Path, Arc<Module>)> =
            conftests.iter().map(|(path, module)| (path.as_path(), Arc::clone(module))).collect();
        let shared = Shared::default();
        let read = |path: &Path| facts.read(path);
        let world = World::new(Some(&resolver), &read, &shared);
        let context = Context {
            options: &self.config.options,
            root: &self.config.root,
            roles: Roles { is_module: true, ..Roles::default() },
            conftests: &conftests,
            world: &world,
        };
        definition(asked, path, source, context)
    }
}

/// The conftest.py files that apply to a file, nearest first; to a conftest.py, those above it.
fn above(snapshot: &Snapshot, path: &Path) -> Vec<Arc<Conftest>> {
    if let Some(&place) = snapshot.places.get(path) {
        return snapshot.files[place].found.conftests.to_vec();
    }
    let own = path.parent().filter(|_| path.ends_with("conftest.py"));
    let found = snapshot.files.iter().find_map(|file| {
        let conftests = &file.found.conftests;
        let place = conftests.iter().position(|conftest| Some(conftest.dir.as_path()) == own)?;
        Some(conftests[place + 1..].to_vec())
    });
    found.unwrap_or_default()
}
