//! From a file's facts to its items, by pytest's rules (rules 9 to 18).
//!
//! One file decides here, with the conftest.py files above it. What depends on more is a doubt: the item
//! or its container is dynamic, with the reason.

mod arithmetic;
mod calls;
mod class;
mod closure;
mod constant;
mod decorators;
mod doctests;
mod enumeration;
mod evaluate;
mod fixtures;
mod foreign;
mod function;
mod known;
mod lineage;
mod marks;
mod namespace;
mod param_sets;
mod params;
mod scope;
mod select;
mod value_id;
mod world;

use std::path::Path;
use std::sync::Arc;

use crate::config::Options;
use crate::items::FileItems;
use crate::parse::Source;
use crate::syntax::{Binding, Doubt, Expr, Module, Value};
use closure::Generator;
use fixtures::Level;
use marks::Marks;
use namespace::Collector;
use scope::Scope;
pub use world::{Needs, Read, Shared, World};

/// What a file is collected as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles {
    /// A test module.
    pub is_module: bool,
    /// A module or text with doctests.
    pub is_doctest: bool,
    /// A text, not Python.
    pub is_text: bool,
    /// Something that a collector of the project may collect.
    pub is_custom: bool,
}

/// What a file is collected with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The project's options.
    pub options: &'a Options,
    /// pytest's rootdir.
    pub root: &'a Path,
    /// What the file is collected as.
    pub roles: Roles,
    /// The conftest.py files that apply, nearest first.
    pub conftests: &'a [(&'a Path, Arc<Module>)],
    /// All other files.
    pub world: &'a World<'a>,
}

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

/// A file and its circumstances, every name looked up in the same world.
struct Case<'a> {
    module: &'a Module,
    scope: Scope<'a>,
    /// The conftest.py files above, nearest first, and the plugins that they and the module name.
    plugins: Vec<Scope<'a>>,
    context: Context<'a>,
}

/// Collect the file at `path`, whose node id is `id`.
#[must_use]
pub fn collect(id: &str, path: &Path, source: &Source, context: Context) -> FileItems {
    let module = match source {
        Source::Module(module) => module,
        Source::Foreign(encoding) => {
            let doubt = Some(format!("its encoding {encoding} is not read without Python"));
            return FileItems { doubt, ..FileItems::default() };
        }
    };
    let world = context.world;
    let file = world.open(path, module);
    let scope = Scope::of(world, file);
    let conftests = context.conftests.iter().map(|(path, module)| world.open(path, module));
    let conftests = conftests.map(|file| Scope::of(world, file)).collect();
    let plugins = with_plugins(scope, conftests);
    Case { module: &file.module, scope, plugins, context }.collect(id)
}

impl<'a> Case<'a> {
    fn collect(&self, id: &'a str) -> FileItems {
        let Self { module, scope, context, .. } = *self;
        let marks = Marks::in_namespace(&module.names, scope);
        let levels = self.levels();
        let mut collector =
            Collector::new(id, context.options, scope, levels, self.generator_hooks());
        if context.roles.is_text {
            let name = self.scope.path.file_name().unwrap_or_default().to_string_lossy();
            collector.text_doctest(&name);
        } else if context.roles.is_doctest {
            collector.doctests(&self.module_name(), &marks);
        }
        let outcome = match test_flag(module) {
            _ if !context.roles.is_module => Ok(()),
            Some(false) => Ok(()),
            _ => collector.module(&marks),
        };
        let mut file = FileItems { items: collector.into_items(), ..FileItems::default() };
        if let Err(message) = outcome {
            file.items.clear();
            file.error = Some((None, message));
        }
        if let Some(error) = &module.error {
            file.error = Some((Some(error.range), format!("SyntaxError: {}", error.message)));
        }
        match self.vanishing() {
            Some(doubt) => file.doubt_all(&doubt),
            None => file.doubt = self.hidden(),
        }
        file
    }

    /// The name under which pytest imports the file.
    fn module_name(&self) -> String {
        let path = self.scope.path;
        let root = self.context.world.package_root(path);
        doctests::module_name(path, &root, self.context.root, self.context.options.import_mode)
    }

    /// Where fixtures of the module's tests are looked for, nearest first.
    fn levels(&self) -> Vec<Level<'a>> {
        let plugins = self.plugins.iter().copied().map(Level::of_plugin);
        std::iter::once(Level::of_module(self.scope)).chain(plugins).collect()
    }

    /// The `pytest_generate_tests` that see this module's tests.
    fn generator_hooks(&self) -> Vec<Generator<'a>> {
        let plugins = self
            .plugins
            .iter()
            .map(|plugin| (plugin.module, "a conftest.py has pytest_generate_tests"));
        let own = (self.module, "the module has pytest_generate_tests");
        let hook = |(module, reason): (&'a Module, &'static str)| {
            let names = match &module.names.get("pytest_generate_tests")?.value {
                Value::Function(function) => function.generates.as_deref(),
                _ => None,
            };
            Some(Generator { reason, names })
        };
        std::iter::once(own).chain(plugins).filter_map(hook).collect()
    }

    /// Why items that the text shows may not be there, or be called otherwise.
    fn vanishing(&self) -> Option<String> {
        let is_dict = self.context.roles.is_doctest && !self.context.roles.is_module;
        if test_flag(self.module).is_none() && !is_dict {
            return Some("its __test__ is computed".to_owned());
        }
        if self.module.names.doubts.contains(&Doubt::ModuleSkip) {
            return Some(Doubt::ModuleSkip.reason().to_owned());
        }
        if self.context.options.keyword_expression.is_some() {
            return Some("the options have -k".to_owned());
        }
        let changes = |conftest: &Module, hook: &str| match conftest.names.get(hook) {
            None => false,
            Some(Binding { value: Value::Function(function), .. }) => {
                function.changes_items || hook != "pytest_collection_modifyitems"
            }
            Some(_) => true,
        };
        let hook = CHANGING_HOOKS
            .iter()
            .find(|hook| self.plugins.iter().any(|plugin| changes(plugin.module, hook)))?;
        Some(format!("a conftest.py has {hook}"))
    }

    /// Why the module may hold items that its text does not show.
    fn hidden(&self) -> Option<String> {
        let names = &self.module.names;
        if let Some(doubt) = names.doubts.first().filter(|_| self.context.roles.is_module) {
            return Some(doubt.reason().to_owned());
        }
        if let Some(star) = names.stars.first().filter(|_| self.context.roles.is_module) {
            return Some(format!("unresolved star import of {}", star.module));
        }
        let has = |hook: &&&str| {
            self.plugins.iter().any(|plugin| plugin.module.names.get(hook).is_some())
        };
        if let Some(hook) = ADDING_HOOKS.iter().find(has) {
            return Some(format!("a conftest.py has {hook}"));
        }
        if let Some(doubt) = doctests::doubt(self.module).filter(|_| self.context.roles.is_doctest)
        {
            return Some(doubt);
        }
        if !self.context.roles.is_module {
            return None;
        }
        foreign::foreign_tests(self.scope, names, self.context.options)
    }
}

/// The conftest.py files, and the plugins that they and the module itself name.
fn with_plugins<'a>(own: Scope<'a>, conftests: Vec<Scope<'a>>) -> Vec<Scope<'a>> {
    let mut found = conftests;
    let mut next = 0;
    let mut named = plugins(own);
    loop {
        for plugin in std::mem::take(&mut named) {
            if !plugin.is_beside(own) && !found.iter().any(|known| known.is_beside(plugin)) {
                found.push(plugin);
            }
        }
        // Plugins may name others.
        let Some(plugin) = found.get(next) else { return found };
        named = plugins(*plugin);
        next += 1;
    }
}

/// The modules that `pytest_plugins` names, as far as they are found.
fn plugins(scope: Scope) -> Vec<Scope> {
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

/// The truth of the module's `__test__`; true where there is none.
fn test_flag(module: &Module) -> Option<bool> {
    match module.names.get("__test__") {
        None => Some(true),
        Some(binding) if binding.doubt.is_some() => None,
        Some(binding) => match &binding.value {
            Value::Expr(value) => foreign::truth(value),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests;
