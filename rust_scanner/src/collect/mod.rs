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
mod known_plugins;
mod lineage;
mod marks;
mod namespace;
mod navigation;
mod param_sets;
mod params;
mod plugins;
mod scope;
mod select;
mod stars;
mod value_id;
mod world;

use std::path::Path;
use std::sync::Arc;

use crate::config::Options;
use crate::items::FileItems;
use crate::parse::Source;
use crate::syntax::{Doubt, Module, Value};
use fixtures::Level;
use marks::Marks;
use namespace::Collector;
pub use navigation::{Asked, Definition, definition};
use plugins::Plugins;
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

/// A file and its circumstances, every name looked up in the same world.
struct Case<'a> {
    module: &'a Module,
    scope: Scope<'a>,
    plugins: Plugins<'a>,
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
    let plugins = Plugins::of(scope, conftests, &world.plugins());
    Case { module: &file.module, scope, plugins, context }.collect(id)
}

impl<'a> Case<'a> {
    fn collect(&self, id: &'a str) -> FileItems {
        let Self { module, scope, context, .. } = *self;
        let marks = Marks::in_namespace(&module.names, scope);
        let levels = self.levels();
        let mut collector =
            Collector::new(id, context.options, scope, levels, self.plugins.generators(scope));
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
        doctests::module_name(path, &root, self.context.root, self.context.options)
    }

    /// Where fixtures of the module's tests are looked for, nearest first.
    fn levels(&self) -> Vec<Level<'a>> {
        let plugins = self.plugins.all.iter().map(|plugin| Level::of_plugin(plugin.scope));
        std::iter::once(Level::of_module(self.scope)).chain(plugins).collect()
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
        self.plugins.changing()
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
        if let Some(doubt) = self.plugins.adding(self.scope.path) {
            return Some(doubt);
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
