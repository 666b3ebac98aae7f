//! From a file's facts to its items, by pytest's rules (rules 9 to 18).
//!
//! One file decides here, with the conftest.py files above it. What depends on more is a doubt: the item
//! or its container is dynamic, with the reason.

mod class;
mod decorators;
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

use std::sync::Arc;

use crate::config::Options;
use crate::items::FileItems;
use crate::parse::Source;
use crate::syntax::{Binding, Doubt, Module, Value};
use fixtures::Level;
use marks::Marks;
use namespace::Collector;
use scope::Scope;

/// What a file is collected with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The project's options.
    pub options: &'a Options,
    /// The conftest.py files that apply, nearest first.
    pub conftests: &'a [Arc<Module>],
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

/// Collect one file, whose node id is `id`.
#[must_use]
pub fn collect(id: &str, source: &Source, context: Context) -> FileItems {
    let module = match source {
        Source::Module(module) => module,
        Source::Foreign(encoding) => {
            let doubt = Some(format!("its encoding {encoding} is not read without Python"));
            return FileItems { doubt, ..FileItems::default() };
        }
    };
    let scope = Scope::of(module);
    let levels = levels(module, context.conftests);
    let marks = Marks::in_namespace(&module.names, scope);
    let mut collector = Collector::new(
        id,
        context.options,
        scope,
        levels,
        generator_hook(module, context.conftests),
    );
    let outcome = match test_flag(module) {
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
    match vanishing(module, context) {
        Some(doubt) => file.doubt_all(&doubt),
        None => file.doubt = hidden(module, context),
    }
    file
}

/// Where fixtures of the module's tests are looked for, nearest first.
fn levels<'a>(module: &'a Module, conftests: &'a [Arc<Module>]) -> Vec<Level<'a>> {
    std::iter::once(module)
        .chain(conftests.iter().map(AsRef::as_ref))
        .map(|module| Level::of(&module.names, Scope::of(module), false))
        .collect()
}

/// The place of a `pytest_generate_tests` that sees this module's tests, for people.
fn generator_hook(module: &Module, conftests: &[Arc<Module>]) -> Option<&'static str> {
    let has_hook = |module: &Module| module.names.get("pytest_generate_tests").is_some();
    if has_hook(module) {
        return Some("the module has pytest_generate_tests");
    }
    conftests
        .iter()
        .any(|conftest| has_hook(conftest))
        .then_some("a conftest.py has pytest_generate_tests")
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

/// Why items that the text shows may not be there, or be called otherwise.
fn vanishing(module: &Module, context: Context) -> Option<String> {
    if test_flag(module).is_none() {
        return Some("its __test__ is computed".to_owned());
    }
    if module.names.doubts.contains(&Doubt::ModuleSkip) {
        return Some(Doubt::ModuleSkip.reason().to_owned());
    }
    if context.options.keyword_expression.is_some() {
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
        .find(|hook| context.conftests.iter().any(|conftest| changes(conftest, hook)))?;
    Some(format!("a conftest.py has {hook}"))
}

/// Why the module may hold items that its text does not show.
fn hidden(module: &Module, context: Context) -> Option<String> {
    if let Some(doubt) = module.names.doubts.first() {
        return Some(doubt.reason().to_owned());
    }
    if context.options.doctest_modules {
        return Some("addopts has --doctest-modules".to_owned());
    }
    let has =
        |hook: &&&str| context.conftests.iter().any(|conftest| conftest.names.get(hook).is_some());
    if let Some(hook) = ADDING_HOOKS.iter().find(has) {
        return Some(format!("a conftest.py has {hook}"));
    }
    foreign::foreign_tests(Scope::of(module), &module.names, context.options)
}

#[cfg(test)]
mod tests;
