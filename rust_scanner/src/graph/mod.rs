//! Which files of the project a test file imports, and which test files a change of a file concerns.
//!
//! ```text
//! edges  the files that one file imports by itself
//! build  all files that the test files lead to, and what changes with one of them
//! ```
//!
//! More than Python does import, never less: every branch and every function counts, and so do the
//! packages around a file, the conftest.py files above it, and modules that a string names as
//! `mock.patch("a.b.c")` does. Not seen are names that are computed, what frameworks import by
//! convention, and plugins that only the command line or an installed distribution names.

mod build;
mod edges;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::resolve::Resolver;
use crate::syntax::When;

/// Place of a file in `Graph::nodes`.
type Place = u32;

/// One import of a file: which, and when that is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    to: Place,
    when: When,
}

/// A file.
#[derive(Debug, Clone)]
struct Node {
    path: Arc<Path>,
    is_test: bool,
    imports: Arc<[Edge]>,
}

/// A test file, with the conftest.py files that count as imported by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Absolute path.
    pub path: PathBuf,
    /// Absolute paths.
    pub conftests: Vec<PathBuf>,
}

/// The imports of a project's files among each other; never changed, only replaced.
#[derive(Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    places: HashMap<Arc<Path>, Place>,
    /// For each file the edges that lead to it, turned around.
    importers: Vec<Vec<Edge>>,
    roots: HashMap<PathBuf, Root>,
    /// What imports named when the graph was built.
    resolver: Arc<Resolver>,
}

impl Graph {
    /// The project's files that `path` imports, directly or not, sorted; itself only if imported.
    ///
    /// Imports that are executed later than `until` are not followed. Empty for a file that no test file
    /// leads to.
    #[must_use]
    pub fn imports_of(&self, path: &Path, until: When) -> Vec<PathBuf> {
        let reached = self.reach(path, until, |place| &self.nodes[place as usize].imports);
        self.paths(reached)
    }

    /// The test files that import `path`, directly or not, and itself if it is one; sorted.
    ///
    /// Imports that are executed later than `until` are not followed.
    #[must_use]
    pub fn dependents_of(&self, path: &Path, until: When) -> Vec<PathBuf> {
        let mut reached = self.reach(path, until, |place| &self.importers[place as usize]);
        reached.extend(self.places.get(path));
        reached.retain(|&place| self.nodes[place as usize].is_test);
        self.paths(reached)
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All places that `edges` lead to from `path`.
    fn reach<'g>(
        &self,
        path: &Path,
        until: When,
        edges: impl Fn(Place) -> &'g [Edge],
    ) -> Vec<Place> {
        let Some(&start) = self.places.get(path) else { return Vec::new() };
        let mut is_reached = vec![false; self.nodes.len()];
        let mut reached = Vec::new();
        let mut open = vec![start];
        while let Some(place) = open.pop() {
            for edge in edges(place).iter().filter(|edge| edge.when <= until) {
                if !std::mem::replace(&mut is_reached[edge.to as usize], true) {
                    reached.push(edge.to);
                    open.push(edge.to);
                }
            }
        }
        reached
    }

    fn paths(&self, places: Vec<Place>) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> =
            places.into_iter().map(|place| self.nodes[place as usize].path.to_path_buf()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }
}

#[cfg(test)]
mod tests;
