//! conftest.py files and plugins: which see a file's tests, and what their hooks may make of those.

use std::path::Path;

use super::closure::Generator;
use super::known_plugins;
use super::scope::{Object, Scope};
use crate::paths;
use crate::resolve::Plugin as Installed;
use crate::syntax::{Expr, Function, Value};

/// Hooks that may add items that no text shows.
const ADDING_HOOKS: [&str; 2] = ["pytest_collect_file", "pytest_collect_directory"];

/// Hooks that may drop or rename what the text shows.
const CHANGING_HOOKS: [&str; 6] = [
    "pytest_collection_modifyitems",
    "pytest_ignore_collect",
    "pytest_itemcollected",
    "pytest_make_parametrize_id",
    "pytest_pycollect_makeitem",
    "pytest_pycollect_makemodule",
];

/// A conftest.py or plugin.
#[derive(Debug, Clone)]
pub struct Plugin<'a> {
    /// Its module.
    pub scope: Scope<'a>,
    /// The name of an installed one; others are conftest.py files, and what those name.
    name: Option<String>,
}

/// What a hook of a plugin is.
enum Hook<'a> {
    Absent,
    Function(&'a Function),
    Unclear,
}

impl<'a> Plugin<'a> {
    /// A conftest.py.
    pub fn conftest(scope: Scope<'a>) -> Self {
        Self { scope, name: None }
    }

    fn hook(&self, name: &str) -> Hook<'a> {
        let Some(binding) = self.scope.module.names.get(name) else { return Hook::Absent };
        if let Value::Function(function) = &binding.value {
            return Hook::Function(function);
        }
        let found = match self.scope.object_of_binding(binding) {
            Object::Bound(found) => found.function(),
            _ => None,
        };
        found.map_or(Hook::Unclear, Hook::Function)
    }

    /// For people: that it has a hook.
    fn has(&self, hook: &str) -> String {
        match &self.name {
            None => format!("a conftest.py has {hook}"),
            Some(name) => format!("the plugin {name} has {hook}"),
        }
    }

    /// The hook that may drop or rename what the text of any test file shows.
    fn changing(&self) -> Option<String> {
        let changes = |hook: &&&str| match self.hook(hook) {
            Hook::Absent => false,
            Hook::Function(function) => {
                function.changes_items || **hook != "pytest_collection_modifyitems"
            }
            Hook::Unclear => true,
        };
        CHANGING_HOOKS.iter().find(changes).map(|hook| self.has(hook))
    }

    /// The hook that may add items to the file at `path`.
    fn adding(&self, path: &Path) -> Option<String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let suffix = paths::suffix(&name).unwrap_or_default();
        let adds = |hook: &&&str| match self.hook(hook) {
            Hook::Absent => false,
            // A conftest.py's own collector is for files of the project: for which exactly, its code decides.
            Hook::Function(function) if self.name.is_some() => {
                function.suffixes.is_empty() || function.suffixes.iter().any(|it| it == suffix)
            }
            _ => true,
        };
        ADDING_HOOKS.iter().find(adds).map(|hook| self.has(hook))
    }

    fn generator(&self) -> Option<Generator<'a>> {
        let names = match self.hook("pytest_generate_tests") {
            Hook::Absent => return None,
            Hook::Function(function) => function.generates.as_deref(),
            Hook::Unclear => None,
        };
        Some(Generator { reason: self.has("pytest_generate_tests"), names })
    }
}

/// All that see the tests of one file, nearest first.
pub struct Plugins<'a> {
    /// conftest.py files, the modules that these and the file itself name, installed plugins.
    pub all: Vec<Plugin<'a>>,
    /// The name of an installed plugin whose source is not there to be read.
    unread: Option<String>,
}

impl<'a> Plugins<'a> {
    /// Those of the file `own`, below `conftests`.
    pub fn of(own: Scope<'a>, conftests: Vec<Scope<'a>>, installed: &[Installed]) -> Self {
        let mut found: Vec<Plugin> = conftests.into_iter().map(Plugin::conftest).collect();
        let mut unread = None;
        let plugins =
            installed.iter().filter(|plugin| !known_plugins::is_plain_plugin(&plugin.module));
        let mut last = Vec::new();
        for plugin in plugins {
            match plugin.source.as_deref().and_then(|source| own.world.file(source)) {
                Some(file) => {
                    let scope = Scope::of(own.world, file);
                    last.push(Plugin { scope, name: Some(plugin.name.clone()) });
                }
                None => unread = Some(plugin.name.clone()),
            }
        }
        with_named(own, &mut found);
        found.extend(last);
        with_named(own, &mut found);
        Self { all: found, unread }
    }

    /// Why items that the text shows may not be there, or be called otherwise.
    pub fn changing(&self) -> Option<String> {
        let unread =
            || self.unread.as_ref().map(|name| format!("what the plugin {name} does is not read"));
        self.all.iter().find_map(Plugin::changing).or_else(unread)
    }

    /// Why the file at `path` may hold items that its text does not show.
    pub fn adding(&self, path: &Path) -> Option<String> {
        self.all.iter().find_map(|plugin| plugin.adding(path))
    }

    /// The `pytest_generate_tests` that see the file's tests.
    pub fn generators(&self, own: Scope<'a>) -> Vec<Generator<'a>> {
        let own = Plugin::conftest(own).generator().map(|generator| Generator {
            reason: "the module has pytest_generate_tests".to_owned(),
            ..generator
        });
        own.into_iter().chain(self.all.iter().filter_map(Plugin::generator)).collect()
    }
}

/// Add the modules that `own` and `found` name as plugins, and those that these name.
fn with_named<'a>(own: Scope<'a>, found: &mut Vec<Plugin<'a>>) {
    let mut next = 0;
    let mut named = named_by(own);
    let mut name = None;
    loop {
        for scope in std::mem::take(&mut named) {
            if !scope.is_beside(own) && !found.iter().any(|known| known.scope.is_beside(scope)) {
                found.push(Plugin { scope, name: name.clone() });
            }
        }
        let Some(plugin) = found.get(next) else { return };
        named = named_by(plugin.scope);
        name.clone_from(&plugin.name);
        next += 1;
    }
}

/// The modules that `pytest_plugins` names, as far as they are found.
fn named_by(scope: Scope) -> Vec<Scope> {
    let Some(binding) = scope.module.names.get("pytest_plugins") else { return Vec::new() };
    let Value::Expr(value) = &binding.value else { return Vec::new() };
    let names = match value.as_ref() {
        Expr::List(names) | Expr::Tuple(names) => names.as_slice(),
        name => std::slice::from_ref(name),
    };
    let file = |name: &Expr| match name {
        Expr::Str(name) => {
            let found = scope.world.resolve(scope.path, name, 0);
            scope.world.file(found.source()?)
        }
        _ => None,
    };
    names.iter().filter_map(file).map(|file| Scope::of(scope.world, file)).collect()
}
