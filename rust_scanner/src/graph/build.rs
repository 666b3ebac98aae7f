//! From test files to the graph of all that they lead to, and from one graph to the next.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::edges::{Finder, Read};
use super::{Edge, Graph, Node, Place, Root};
use crate::resolve::Resolver;
use crate::syntax::{Module, When};

impl Graph {
    /// Follow the imports of all test files; `read` gives what a file says.
    ///
    /// `resolver` is a new one: it knows the directories as they are now.
    #[must_use]
    pub fn build(roots: Vec<Root>, resolver: Arc<Resolver>, read: &Read) -> Self {
        let neighbours = neighbours(&roots);
        let mut builder = Builder::default();
        for root in &roots {
            let place = builder.place(&root.path);
            builder.nodes[place as usize].is_test = true;
        }
        let roots = roots.into_iter().map(|root| (root.path.clone(), root)).collect();
        let finder = Finder { resolver: &resolver, read, neighbours: &neighbours };
        builder.follow(0, &roots, &finder);
        builder.finish(roots, resolver)
    }

    /// The graph after a change of one file's text, of which `module` is what it says now.
    ///
    /// Files that were added or removed since the graph was built are not looked for.
    #[must_use]
    pub fn updated(&self, path: &Path, module: Option<&Module>, read: &Read) -> Option<Self> {
        let &place = self.places.get(path)?;
        let mut builder = Builder { nodes: self.nodes.clone(), places: self.places.clone() };
        let known = builder.nodes.len();
        let roots: Vec<Root> = self.roots.values().cloned().collect();
        let neighbours = neighbours(&roots);
        let finder = Finder { resolver: &self.resolver, read, neighbours: &neighbours };
        let imports = imports(path, module, &self.roots, &finder);
        builder.set(place, imports);
        builder.follow(known, &self.roots, &finder);
        Some(builder.finish(self.roots.clone(), Arc::clone(&self.resolver)))
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    places: HashMap<Arc<Path>, Place>,
}

impl Builder {
    fn place(&mut self, path: &Path) -> Place {
        if let Some(&place) = self.places.get(path) {
            return place;
        }
        let path: Arc<Path> = path.into();
        // More files than that do not fit into memory.
        let place = Place::try_from(self.nodes.len()).unwrap_or(Place::MAX);
        self.nodes.push(Node { path: Arc::clone(&path), is_test: false, imports: Arc::from([]) });
        self.places.insert(path, place);
        place
    }

    fn set(&mut self, place: Place, imports: Vec<(PathBuf, When)>) {
        let imports: Arc<[Edge]> =
            imports.into_iter().map(|(path, when)| Edge { to: self.place(&path), when }).collect();
        self.nodes[place as usize].imports = imports;
    }

    /// Follow the imports of the files from `begin` on, and of those that come up on the way.
    fn follow(&mut self, begin: usize, roots: &HashMap<PathBuf, Root>, finder: &Finder) {
        let mut begin = begin;
        while begin < self.nodes.len() {
            let end = self.nodes.len();
            let found: Vec<Vec<(PathBuf, When)>> = self.nodes[begin..end]
                .par_iter()
                .map(|node| {
                    imports(&node.path, (finder.read)(&node.path).as_deref(), roots, finder)
                })
                .collect();
            for (imports, place) in found.into_iter().zip(begin..end) {
                self.set(Place::try_from(place).unwrap_or(Place::MAX), imports);
            }
            begin = end;
        }
    }

    fn finish(self, roots: HashMap<PathBuf, Root>, resolver: Arc<Resolver>) -> Graph {
        let Self { nodes, places } = self;
        let mut importers = vec![Vec::new(); nodes.len()];
        for (place, node) in (0..).zip(&nodes) {
            for edge in node.imports.iter() {
                importers[edge.to as usize].push(Edge { to: place, when: edge.when });
            }
        }
        Graph { nodes, places, importers, roots, resolver }
    }
}

/// What a file imports by itself, and the conftest.py files above it.
fn imports(
    path: &Path,
    module: Option<&Module>,
    roots: &HashMap<PathBuf, Root>,
    finder: &Finder,
) -> Vec<(PathBuf, When)> {
    let mut imports = module.map_or_else(Vec::new, |module| finder.imports(path, module));
    let conftests = roots.get(path).map_or(&[][..], |root| &root.conftests);
    imports.extend(conftests.iter().map(|conftest| (conftest.clone(), When::Imported)));
    imports
}

/// One file for each directory with test files or conftest.py files, sorted.
fn neighbours(roots: &[Root]) -> Vec<PathBuf> {
    let files = roots.iter().flat_map(|root| root.conftests.iter().chain([&root.path]));
    let by_dir: BTreeMap<&Path, &PathBuf> =
        files.filter_map(|file| Some((file.parent()?, file))).collect();
    by_dir.into_values().cloned().collect()
}
