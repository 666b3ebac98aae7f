//! A project's static test tree, kept up to date at the cost of what changed.

mod fixtures;
mod imports;

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rayon::prelude::*;

use crate::cache::Cache;
use crate::collect::{Context, Needs, Shared, World, collect};
use crate::config::ProjectConfig;
use crate::facts::{Facts, Overlays, Reading};
use crate::graph::Graph;
use crate::items::FileItems;
use crate::parse::Source;
use crate::pool;
use crate::resolve::Resolver;
use crate::syntax::{Module, Value};
use crate::tree::{Place, Writer};
use crate::walk::{self, FoundDir, FoundFile};

/// One test file and its items.
#[derive(Debug)]
struct Scanned {
    found: FoundFile,
    reading: Arc<Reading>,
    items: Arc<FileItems>,
    /// Other files, and where imports led, that the items depend on.
    needs: Needs,
    /// How many tests that is.
    tests: usize,
    /// Whether it is part of the tree: a module without doctests is not.
    is_shown: bool,
}

/// What readers see: never changed, only replaced.
#[derive(Debug, Default)]
struct Snapshot {
    dirs: Vec<FoundDir>,
    files: Vec<Arc<Scanned>>,
    places: HashMap<PathBuf, usize>,
    walked: Arc<[PathBuf]>,
}

impl Snapshot {
    /// The files that are part of the tree.
    fn shown(&self) -> impl Iterator<Item = &Arc<Scanned>> {
        self.files.iter().filter(|file| file.is_shown)
    }
}

/// A project's static test tree. Readers never wait for a scan.
#[derive(Debug)]
pub struct Scan {
    config: ProjectConfig,
    args: Vec<String>,
    /// The one writer's own; held while scanning.
    facts: Mutex<Facts>,
    /// Where imports led in the last refresh.
    resolver: RwLock<Arc<Resolver>>,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Made when it is first asked for, and kept up to date from then on.
    graph: RwLock<Option<Arc<Graph>>>,
}

impl Scan {
    /// Of what pytest would collect for `args` (none: testpaths or the working directory). Nothing is
    /// read before the first `refresh`.
    #[must_use]
    pub fn new(config: ProjectConfig, args: Vec<String>) -> Self {
        let resolver = RwLock::new(Arc::new(Resolver::new(&config)));
        Self {
            config,
            args,
            facts: Mutex::default(),
            resolver,
            snapshot: RwLock::default(),
            graph: RwLock::default(),
        }
    }

    /// The same, with the facts that `cache` keeps of earlier processes.
    #[must_use]
    pub fn cached(self, cache: Cache) -> Self {
        Self { facts: Mutex::new(Facts::cached(Some(cache))), ..self }
    }

    /// Walk, and scan again what changed; `overlays` are all unsaved buffers.
    ///
    /// Returns the paths whose items differ from before, or that vanished, sorted.
    pub fn refresh(&self, overlays: Overlays) -> Vec<PathBuf> {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pass = std::mem::take(&mut *facts).next(overlays);
        let before = self.snapshot();
        let resolver = Arc::new(Resolver::new(&self.config));
        let now = pool::run(|| {
            let read = |path: &Path| module(&pass.read(path));
            let mut found = walk::walk(&self.config, &self.args, &read);
            let files = std::mem::take(&mut found.files);
            let walked = std::mem::take(&mut found.walked).into();
            let shared = Shared::default();
            let scanned = |found| self.scanned(found, &pass, (&resolver, &shared), &before);
            let files: Vec<Arc<Scanned>> = files.into_par_iter().map(scanned).collect();
            let places = files
                .iter()
                .enumerate()
                .map(|(place, file)| (file.found.path.clone(), place))
                .collect();
            let shown = files.iter().filter(|file| file.is_shown);
            let dirs = found.dirs(shown.map(|file| file.found.path.as_path()), &self.config.root);
            Snapshot { dirs, files, places, walked }
        });
        let changed = differences(&before, &now);
        *self.resolver.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&resolver);
        self.replace(now);
        self.refresh_graph(&pass, resolver);
        pass.keep();
        *facts = pass;
        changed
    }

    /// Scan one test file again, from `text` or from disk; whether its items differ from before.
    ///
    /// A path that the last `refresh` did not find is no test file: nothing happens.
    pub fn update(&self, path: &Path, text: Option<&[u8]>) -> bool {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.snapshot();
        let Some(&place) = before.places.get(path) else { return false };
        let file = &before.files[place];
        let facts = &mut *facts;
        let resolver = Arc::clone(&self.resolver.read().unwrap_or_else(PoisonError::into_inner));
        let scanned = pool::run(|| {
            let reading = facts.update(path, text);
            self.collected(file.found.clone(), reading, facts, (&resolver, &Shared::default()))
        });
        if !Arc::ptr_eq(&scanned.reading, &file.reading) {
            self.update_graph(path, &scanned.reading, facts);
        }
        let is_new = scanned.items != file.items;
        let mut files = before.files.clone();
        files[place] = Arc::new(scanned);
        self.replace(Snapshot {
            dirs: before.dirs.clone(),
            files,
            places: before.places.clone(),
            walked: Arc::clone(&before.walked),
        });
        is_new
    }

    /// The test files, in pytest's order.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.snapshot().shown().map(|file| file.found.path.clone()).collect()
    }

    /// Every directory that the last `refresh` looked into, sorted.
    #[must_use]
    pub fn directories(&self) -> Arc<[PathBuf]> {
        Arc::clone(&self.snapshot().walked)
    }

    /// The number of files and of tests.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let snapshot = self.snapshot();
        (snapshot.shown().count(), snapshot.shown().map(|file| file.tests).sum())
    }

    /// The items of one file, as JSON; an empty array for a path that is no test file.
    #[must_use]
    pub fn items_json(&self, path: &Path) -> Vec<u8> {
        let snapshot = self.snapshot();
        let mut writer = Writer::new();
        if let Some(&place) = snapshot.places.get(path)
            && snapshot.files[place].is_shown
        {
            self.write(&snapshot.files[place], &mut writer);
        }
        writer.finish()
    }

    /// All items, as JSON: directories, then files with their content, parents first.
    #[must_use]
    pub fn tree_json(&self) -> Vec<u8> {
        let snapshot = self.snapshot();
        let mut writer = Writer::new();
        snapshot.dirs.iter().for_each(|dir| writer.dir(dir, &self.config.root));
        snapshot.shown().for_each(|file| self.write(file, &mut writer));
        writer.finish()
    }

    fn write(&self, file: &Scanned, writer: &mut Writer) {
        let place = Place { path: &file.found.path, id: &file.found.id, root: &self.config.root };
        writer.file(&place, &file.items);
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, snapshot: Snapshot) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    fn scanned(
        &self,
        found: FoundFile,
        facts: &Facts,
        (resolver, shared): (&Resolver, &Shared),
        before: &Snapshot,
    ) -> Arc<Scanned> {
        let known = before.places.get(&found.path).map(|&place| &before.files[place]);
        let reading =
            if found.is_python() { facts.read(&found.path) } else { facts.read_text(&found.path) };
        if let Some(known) = known
            && Arc::ptr_eq(&known.reading, &reading)
            && is_same(&known.found, &found)
            && known.needs.hold(&|path| facts.read(path), resolver, shared)
        {
            return Arc::clone(known);
        }
        Arc::new(self.collected(found, reading, facts, (resolver, shared)))
    }

    fn collected(
        &self,
        found: FoundFile,
        reading: Arc<Reading>,
        facts: &Facts,
        (resolver, shared): (&Resolver, &Shared),
    ) -> Scanned {
        let source = match reading.as_ref() {
            Ok(source) => source,
            Err(problem) => {
                let error = Some((None, problem.clone()));
                let items = Arc::new(FileItems { error, ..FileItems::default() });
                let (is_shown, needs) = (found.roles.is_module, Needs::default());
                return Scanned { tests: 0, found, reading, items, needs, is_shown };
            }
        };
        let read = |path: &Path| facts.read(path);
        let world = World::new(Some(resolver), &read, shared);
        let items = self.items(&found, source, &world);
        let needs = world.into_needs();
        let roles = found.roles;
        let is_empty = items.items.is_empty();
        // Of what only a collector of the project may take, Python without examples is mostly code.
        let is_custom = roles.is_custom && (!found.is_python() || has_examples(source));
        let is_shown =
            roles.is_module || !is_empty || is_custom || items.doubt.is_some() && !roles.is_custom;
        Scanned { tests: items.tests(), found, reading, items: Arc::new(items), needs, is_shown }
    }

    fn items(&self, found: &FoundFile, source: &Source, world: &World) -> FileItems {
        let conftests: Vec<(PathBuf, Arc<Module>)> = found
            .conftests
            .iter()
            .map(|conftest| (conftest.dir.join("conftest.py"), Arc::clone(&conftest.module)))
            .collect();
        let conftests: Vec<(&Path, Arc<Module>)> =
            conftests.iter().map(|(path, module)| (path.as_path(), Arc::clone(module))).collect();
        let context = Context {
            options: &self.config.options,
            root: &self.config.root,
            roles: found.roles,
            conftests: &conftests,
            world,
        };
        let collected =
            catch_unwind(AssertUnwindSafe(|| collect(&found.id, &found.path, source, context)));
        let mut items = collected.unwrap_or_else(|_| FileItems {
            error: Some((None, "internal error of the scanner: collection panicked".to_owned())),
            ..FileItems::default()
        });
        if let Some(doubt) = &found.doubt {
            items.doubt_all(doubt);
        }
        if !self.config.options.deselect.is_empty() {
            items.deselect(&self.config.options.deselect);
        }
        if !found.selection.is_empty() {
            items.retain(|names| found.selection.iter().any(|argument| argument.selects(names)));
        }
        items
    }
}

/// Whether a module, or what it defines at its top, has examples in its docstrings.
fn has_examples(source: &Source) -> bool {
    let Source::Module(module) = source else { return false };
    module.has_examples
        || module.names.bindings().iter().any(|binding| {
            match &binding.value {
            Value::Function(function) => function.has_examples,
            Value::Class(class) => {
                class.has_examples
                    || class.names.bindings().iter().any(|binding| {
                        matches!(&binding.value, Value::Function(method) if method.has_examples)
                    })
            }
            _ => false,
        }
        })
}

/// A conftest.py's module, if it is one that can be read.
fn module(reading: &Arc<Reading>) -> Option<Arc<Module>> {
    match reading.as_ref() {
        Ok(Source::Module(module)) => Some(Arc::clone(module)),
        _ => None,
    }
}

/// Whether a file is collected under the same circumstances.
fn is_same(a: &FoundFile, b: &FoundFile) -> bool {
    let conftests = |file: &FoundFile| {
        file.conftests.iter().map(|c| Arc::as_ptr(&c.module)).collect::<Vec<_>>()
    };
    a.id == b.id
        && a.roles == b.roles
        && a.selection == b.selection
        && a.doubt == b.doubt
        && conftests(a) == conftests(b)
}

/// The paths whose items are not the same in both snapshots, sorted.
fn differences(before: &Snapshot, now: &Snapshot) -> Vec<PathBuf> {
    let items = |snapshot: &Snapshot, path: &Path| {
        snapshot.places.get(path).map(|&place| Arc::clone(&snapshot.files[place].items))
    };
    let is_changed = |path: &&PathBuf| match (items(before, path), items(now, path)) {
        (Some(before), Some(now)) => !Arc::ptr_eq(&before, &now) && before != now,
        (None, None) => false,
        _ => true,
    };
    let paths: BTreeSet<&PathBuf> =
        before.places.keys().chain(now.places.keys()).filter(is_changed).collect();
    paths.into_iter().cloned().collect()
}
