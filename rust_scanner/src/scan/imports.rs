//! The import graph of a scan: made when it is first asked for, and kept up to date from then on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::{Scan, Scanned, module};
use crate::facts::{Facts, Reading};
use crate::graph::{Graph, Root};
use crate::pool;
use crate::resolve::Resolver;
use crate::syntax::{Module, When};

impl Scan {
    /// The project's files that `path` imports, as of the last `refresh` and `update` (`Graph`).
    #[must_use]
    pub fn imports_of(&self, path: &Path, until: When) -> Vec<PathBuf> {
        self.known_graph().imports_of(path, until)
    }

    /// The test files that a change of `path` concerns, as of the last `refresh` and `update` (`Graph`).
    #[must_use]
    pub fn dependents_of(&self, path: &Path, until: When) -> Vec<PathBuf> {
        self.known_graph().dependents_of(path, until)
    }

    /// After a refresh. Nothing where nobody has asked yet.
    pub(super) fn refresh_graph(&self, facts: &Facts, resolver: Arc<Resolver>) {
        if self.graph().is_some() {
            self.replace_graph(self.new_graph(facts, resolver));
        }
    }

    /// After a change of one file.
    pub(super) fn update_graph(&self, path: &Path, reading: &Arc<Reading>, facts: &Facts) {
        let Some(graph) = self.graph() else { return };
        let module = module(reading);
        let updated =
            pool::run(|| graph.updated(path, module.as_deref(), &|path| python(path, facts)));
        if let Some(updated) = updated {
            self.replace_graph(updated);
        }
    }

    fn known_graph(&self) -> Arc<Graph> {
        if let Some(graph) = self.graph() {
            return graph;
        }
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have made it while this one waited.
        self.graph().unwrap_or_else(|| {
            facts.recall();
            let resolver = Arc::new(Resolver::new(&self.config));
            let graph = self.replace_graph(self.new_graph(&facts, resolver));
            facts.keep();
            graph
        })
    }

    fn new_graph(&self, facts: &Facts, resolver: Arc<Resolver>) -> Graph {
        let root = |file: &Arc<Scanned>| {
            let conftests = file.found.conftests.iter();
            let conftests = conftests.map(|conftest| conftest.dir.join("conftest.py")).collect();
            Root { path: file.found.path.clone(), conftests }
        };
        let roots = self.snapshot().shown().map(root).collect();
        pool::run(|| Graph::build(roots, resolver, &|path| python(path, facts)))
    }

    fn graph(&self) -> Option<Arc<Graph>> {
        self.graph.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace_graph(&self, graph: Graph) -> Arc<Graph> {
        let graph = Arc::new(graph);
        *self.graph.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&graph));
        graph
    }
}

/// The module in a file; text files with doctests import nothing.
fn python(path: &Path, facts: &Facts) -> Option<Arc<Module>> {
    let is_python = path.extension().is_some_and(|suffix| suffix == "py");
    if is_python { module(&facts.read(path)) } else { None }
}
