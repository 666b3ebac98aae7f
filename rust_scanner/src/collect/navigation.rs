//! Where a fixture is defined that a test, or another fixture, asks for by its name.

use std::path::{Path, PathBuf};

use super::decorators::Decorated;
use super::fixtures::{Level, requested};
use super::lineage::Lineage;
use super::plugins::Plugins;
use super::scope::{Scope, display};
use super::{Context, Source};
use crate::fnmatch::matches_name;
use crate::syntax::{Binding, Class, Expr, Function, Module, Namespace, Range, Value};

/// Modules of pytest's own that define fixtures.
const OWN: [&str; 12] = [
    "_pytest.cacheprovider",
    "_pytest.capture",
    "_pytest.doctest",
    "_pytest.fixtures",
    "_pytest.junitxml",
    "_pytest.legacypath",
    "_pytest.logging",
    "_pytest.monkeypatch",
    "_pytest.pytester",
    "_pytest.recwarn",
    "_pytest.subtests",
    "_pytest.tmpdir",
];

/// A name somewhere in a file.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'n> {
    /// The line it stands in, from 0.
    pub line: u32,
    /// The name.
    pub name: &'n str,
    /// Whether it is certain that a fixture is meant: a string in `usefixtures`. Else the function around
    /// the line has to ask for it.
    pub is_named: bool,
}

/// The definition of a fixture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its file.
    pub path: PathBuf,
    /// From `def` to the end.
    pub range: Range,
    /// Its scope, where the text says.
    pub lifetime: Option<&'static str>,
}

/// The definition that counts for a name in the file at `path`; `None` where no fixture is meant, or none
/// is found.
#[must_use]
pub fn definition(
    asked: &Asked,
    path: &Path,
    source: &Source,
    context: Context,
) -> Option<Definition> {
    let Source::Module(module) = source else { return None };
    let world = context.world;
    let file = world.open(path, module);
    let own = Scope::of(world, file);
    let around = Around::of(&own.module.names, asked.line);
    let asking = around.function.map(|(_, function)| function);
    if !asked.is_named && !around.asks_for(asked.name, own, &context) {
        return None;
    }
    let conftests = context.conftests.iter().map(|(path, module)| world.open(path, module));
    let conftests = conftests.map(|file| Scope::of(world, file)).collect();
    let installed = world.plugins();
    let mut places = vec![own];
    places.extend(Plugins::of(own, conftests, &installed).all.iter().map(|plugin| plugin.scope));
    // Those of which it is known that they do nothing to tests may well have fixtures.
    let sources = installed.iter().filter_map(|plugin| plugin.source.as_deref());
    places.extend(sources.filter_map(|source| world.file(source)).map(|it| Scope::of(world, it)));

    let of_classes = around.classes.iter().scan(own, |scope, class| {
        let level = Level::of_class(&Lineage::of(class, *scope));
        *scope = scope.within(class);
        Some((level, None))
    });
    let mut levels: Vec<(Level, Option<Scope>)> = of_classes.collect();
    levels.reverse();
    // Of modules only as many as it takes.
    let of_modules = places.into_iter().enumerate().map(|(index, scope)| {
        let level = if index == 0 { Level::of_module(scope) } else { Level::of_plugin(scope) };
        (level, Some(scope))
    });
    let is_itself = |found: &Definition| {
        asking.is_some_and(|function| found.path == path && found.range == function.range)
    };
    levels
        .into_iter()
        .chain(of_modules)
        .filter_map(|(level, scope)| in_level(&level, scope, asked.name))
        // A fixture that asks for its own name means the one it overrides.
        .find(|found| !is_itself(found))
        .or_else(|| own_of_pytest(asked.name, own))
}

fn in_level(level: &Level, scope: Option<Scope>, name: &str) -> Option<Definition> {
    match level.get(name) {
        Ok(Some(fixture)) => Some(Definition {
            path: fixture.scope.path.to_owned(),
            range: fixture.range,
            lifetime: fixture.lifetime.map(|lifetime| lifetime.name()),
        }),
        Ok(None) => None,
        // Not certain enough to count cases by it; for a person it is.
        Err(_) => scope.and_then(|scope| called_fixture(scope.module, scope.path, name)),
    }
}

/// pytest's own fixtures.
fn own_of_pytest(name: &str, own: Scope) -> Option<Definition> {
    OWN.iter().find_map(|module| {
        let found = own.world.resolve(Path::new(""), module, 0);
        let file = own.world.file(found.source()?)?;
        if name == "request" {
            return request_class(&file.module, &file.path);
        }
        called_fixture(&file.module, &file.path, name)
    })
}

/// What `request` is an instance of: there is no function that makes it.
fn request_class(module: &Module, path: &Path) -> Option<Definition> {
    match &module.names.get("FixtureRequest")?.value {
        Value::Class(class) => {
            Some(Definition { path: path.to_owned(), range: class.range, lifetime: None })
        }
        _ => None,
    }
}

/// A function with a decorator called `fixture`, in a module or one of its classes.
fn called_fixture(module: &Module, path: &Path, name: &str) -> Option<Definition> {
    let is_fixture = |function: &&Function| {
        let called = |decorator: &Expr| match decorator {
            Expr::Call(call) => display(&call.func),
            other => display(other),
        };
        function.decorators.iter().any(|one| called(one).rsplit('.').next() == Some("fixture"))
    };
    let function = |names: &'_ Namespace| match names.get(name).map(|binding| &binding.value) {
        Some(Value::Function(function)) => Some(function.as_ref()).filter(is_fixture).cloned(),
        _ => None,
    };
    let in_classes = || {
        module.names.bindings().iter().find_map(|binding| match &binding.value {
            Value::Class(class) => function(&class.names),
            _ => None,
        })
    };
    let found = function(&module.names).or_else(in_classes)?;
    Some(Definition { path: path.to_owned(), range: found.range, lifetime: None })
}

/// What stands around a line.
struct Around<'a> {
    /// Classes, outermost first.
    classes: Vec<&'a Class>,
    function: Option<(&'a Binding, &'a Function)>,
}

impl<'a> Around<'a> {
    fn of(mut names: &'a Namespace, line: u32) -> Self {
        let holds = |range: Range| range.start.0 <= line && line <= range.end.0;
        let mut around = Self { classes: Vec::new(), function: None };
        while let Some(binding) = names.bindings().iter().find(|binding| match &binding.value {
            Value::Function(function) => holds(function.range),
            Value::Class(class) => holds(class.range),
            _ => false,
        }) {
            match &binding.value {
                Value::Class(class) => {
                    around.classes.push(class);
                    names = &class.names;
                }
                Value::Function(function) => {
                    around.function = Some((binding, function));
                    break;
                }
                _ => break,
            }
        }
        around
    }

    /// Whether the function asks a fixture for an argument of this name.
    fn asks_for(&self, name: &str, own: Scope<'a>, context: &Context) -> bool {
        let Some((binding, function)) = self.function else { return false };
        let scope = self.classes.iter().fold(own, |scope, class| scope.within(class));
        let decorated = Decorated::by(&function.decorators, scope);
        let is_test = || matches_name(&binding.name, &context.options.python_functions);
        let is_given = decorated.marks.list.iter().any(|mark| {
            let first = mark.call.and_then(|call| call.argument(0, "argnames"));
            let is_indirect =
                || mark.call.is_some_and(|call| call.argument(2, "indirect").is_some());
            mark.name == "parametrize" && first.is_some_and(|it| names(it, name)) && !is_indirect()
        });
        (decorated.fixture.is_some() || is_test())
            && !is_given
            && requested(function, !self.classes.is_empty(), &decorated).contains(&name)
    }
}

/// Whether the first argument of `parametrize` has a name in it.
fn names(argument: &Expr, name: &str) -> bool {
    match argument {
        Expr::Str(text) => text.split(',').any(|each| each.trim() == name),
        Expr::List(each) | Expr::Tuple(each) => each.iter().any(|one| names(one, name)),
        _ => false,
    }
}
