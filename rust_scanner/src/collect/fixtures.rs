//! Fixtures: which are defined where, and what they ask for.

use std::collections::HashMap;

use super::decorators::Decorated;
use super::foreign;
use super::known;
use super::lineage::Lineage;
use super::scope::{Object, Scope};
use crate::syntax::{Binding, Call, Expr, Function, Import, Namespace, Range, Value};

/// How long a fixture lives, the longest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lifetime {
    /// One test.
    Function,
    /// The tests of a class.
    Class,
    /// The tests of a module.
    Module,
    /// The tests of a package.
    Package,
    /// All tests.
    Session,
}

impl Lifetime {
    /// As `scope=` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Class => "class",
            Self::Module => "module",
            Self::Package => "package",
            Self::Session => "session",
        }
    }
}

/// One fixture definition.
#[derive(Debug)]
pub struct Fixture<'a> {
    /// The fixtures it asks for.
    pub requested: Vec<&'a str>,
    /// Its `params` and `ids`.
    pub params: Option<(&'a Expr, Option<&'a Expr>)>,
    /// Its scope; `None` where that is computed.
    pub lifetime: Option<Lifetime>,
    /// Where its arguments' names are looked up.
    pub scope: Scope<'a>,
    /// From `def` to the end.
    pub range: Range,
}

/// The fixtures defined in one place: a class, a module or a conftest.py.
#[derive(Debug, Default)]
pub struct Level<'a> {
    /// By the name they go by; the error says why it is not known what the name means.
    fixtures: HashMap<String, Result<Fixture<'a>, String>>,
    /// Imported names, which are followed when a test asks for them.
    imported: HashMap<&'a str, (&'a Binding, Scope<'a>)>,
    /// Those that every test here uses, with the name of the attribute: pytest goes by that (`dir()`).
    autouse: Vec<(&'a str, String)>,
    /// Whether more may be bound than the text shows.
    is_open: bool,
    is_plugin: bool,
}

impl<'a> Level<'a> {
    /// The fixtures of a test module.
    pub fn of_module(scope: Scope<'a>) -> Self {
        Self::of(scope, false)
    }

    /// The fixtures of a conftest.py or plugin, for which more is read: often they are imported.
    pub fn of_plugin(scope: Scope<'a>) -> Self {
        Self::of(scope, true)
    }

    fn of(scope: Scope<'a>, is_plugin: bool) -> Self {
        let mut level = Self { is_plugin, ..Self::default() };
        level.add_all(&scope.module.names, scope, false);
        level.autouse.sort();
        level
    }

    /// The fixtures of a class, those of its ancestors overridden.
    pub fn of_class(lineage: &Lineage<'a>) -> Self {
        let mut level = Self::default();
        for member in lineage.classes.iter().rev() {
            for binding in member.class.names.bindings() {
                level.fixtures.remove(&binding.name);
                level.autouse.retain(|(name, _)| *name != binding.name);
            }
            level.add_all(&member.class.names, member.scope, true);
        }
        level.autouse.sort();
        level
    }

    /// The fixtures that every test here uses, in pytest's order.
    pub fn autouse(&self) -> impl Iterator<Item = &str> {
        self.autouse.iter().map(|(_, name)| name.as_str())
    }

    /// The definition of the fixture called `name` in this place.
    ///
    /// # Errors
    /// Why that is not known, for people.
    pub fn get(&self, name: &str) -> Result<Option<Known<'_, 'a>>, String> {
        match self.fixtures.get(name) {
            Some(Ok(fixture)) => return Ok(Some(Known::Here(fixture))),
            Some(Err(reason)) => return Err(reason.clone()),
            None => {}
        }
        if let Some((binding, scope)) = self.imported.get(name) {
            let mut level = Level::default();
            level.define(binding, *scope, false);
            return match level.fixtures.remove(name) {
                Some(Ok(fixture)) => Ok(Some(Known::Imported(fixture))),
                Some(Err(reason)) => Err(reason),
                None => Ok(None),
            };
        }
        if self.is_open {
            return Err(format!("the fixture {name} may be bound where the text does not show it"));
        }
        Ok(None)
    }

    fn add_all(&mut self, names: &'a Namespace, scope: Scope<'a>, in_class: bool) {
        self.is_open |= !names.doubts.is_empty() || !names.stars.is_empty();
        for binding in names.bindings() {
            match &binding.value {
                // Of those that may well hold fixtures, also what every test uses is wanted.
                Value::Import(import) if !self.is_followed(import, scope) => {
                    self.imported.insert(&binding.name, (binding, scope));
                }
                _ => self.define(binding, scope, in_class),
            }
        }
    }

    fn is_followed(&self, import: &Import, scope: Scope) -> bool {
        is_of_fixtures(&import.module) || self.is_plugin && scope.is_of_project(import)
    }

    fn define(&mut self, binding: &'a Binding, scope: Scope<'a>, in_class: bool) {
        let own_name = binding.name.clone();
        let (function, scope) = match definition_of(binding, scope) {
            Definition::Function(function, scope) => (function, scope),
            Definition::Other => return,
            Definition::Unknown => {
                let reason =
                    format!("the fixture {own_name} may be the imported or computed {own_name}");
                self.fixtures.entry(own_name).or_insert(Err(reason));
                return;
            }
        };
        let decorated = Decorated::by(&function.decorators, scope);
        let Some(call) = decorated.fixture else {
            if decorated.doubt.is_some() {
                self.fixtures.insert(own_name.clone(), Err(format!("{own_name} may be a fixture")));
            }
            return;
        };
        let keyword = |name| call.and_then(|call: &Call| call.keyword(name));
        let name = match keyword("name") {
            None | Some(Expr::None) => own_name,
            Some(Expr::Str(name)) => name.clone(),
            Some(_) => return self.is_open = true,
        };
        let is_unclear = binding.doubt.is_some()
            || call.is_some_and(|call| call.is_unpacking() || call.args.len() > 1);
        if !matches!(keyword("autouse"), None | Some(Expr::Bool(false))) {
            self.autouse.push((&binding.name, name.clone()));
        }
        if is_unclear {
            let reason = format!("the fixture {name} is not certain");
            self.fixtures.insert(name, Err(reason));
            return;
        }
        let fixture = Fixture {
            requested: requested(function, in_class, &decorated),
            params: keyword("params")
                .filter(|params| **params != Expr::None)
                .map(|params| (params, keyword("ids").filter(|ids| **ids != Expr::None))),
            lifetime: lifetime(keyword("scope")),
            scope,
            range: function.range,
        };
        self.fixtures.insert(name, Ok(fixture));
    }
}

/// A definition, of this place or followed from an import.
pub enum Known<'l, 'a> {
    /// Kept in the level.
    Here(&'l Fixture<'a>),
    /// Made for who asked.
    Imported(Fixture<'a>),
}

impl<'a> std::ops::Deref for Known<'_, 'a> {
    type Target = Fixture<'a>;

    fn deref(&self) -> &Fixture<'a> {
        match self {
            Self::Here(fixture) => fixture,
            Self::Imported(fixture) => fixture,
        }
    }
}

fn is_of_fixtures(module: &str) -> bool {
    foreign::is_of_tests(module) || module.contains("fixture")
}

fn lifetime(scope: Option<&Expr>) -> Option<Lifetime> {
    Some(match scope {
        None => Lifetime::Function,
        Some(Expr::Str(name)) => match name.as_str() {
            "function" => Lifetime::Function,
            "class" => Lifetime::Class,
            "module" => Lifetime::Module,
            "package" => Lifetime::Package,
            "session" => Lifetime::Session,
            _ => return None,
        },
        Some(_) => return None,
    })
}

/// What a name may be a fixture as.
enum Definition<'a> {
    Function(&'a Function, Scope<'a>),
    /// Surely no fixture.
    Other,
    Unknown,
}

fn definition_of<'a>(binding: &'a Binding, scope: Scope<'a>) -> Definition<'a> {
    match &binding.value {
        Value::Function(function) => return Definition::Function(function, scope),
        Value::Class(_) => return Definition::Other,
        Value::Expr(value) if !may_be_function(value) => return Definition::Other,
        Value::Import(import) if import.name.is_none() => return Definition::Other,
        _ => {}
    }
    match scope.object_of_binding(binding) {
        Object::Bound(found) => match (&found.binding.value, found.function()) {
            (_, Some(function)) => Definition::Function(function, found.scope),
            (Value::Class(_), None) => Definition::Other,
            (Value::Expr(value), None) if !may_be_function(value) => Definition::Other,
            _ => Definition::Unknown,
        },
        Object::Module(..) => Definition::Other,
        // Nobody imports pytest's own fixtures by name: they are there.
        Object::Foreign(name) if known::is_settled(&name) => Definition::Other,
        Object::Foreign(_) | Object::Unknown => Definition::Unknown,
    }
}

fn may_be_function(value: &Expr) -> bool {
    matches!(
        value,
        Expr::Call(_) | Expr::Name(_) | Expr::Attribute(..) | Expr::Subscript(_) | Expr::Other
    )
}

/// The arguments that a function asks fixtures for (`getfuncargnames`).
pub fn requested<'a>(
    function: &'a Function,
    in_class: bool,
    decorated: &Decorated,
) -> Vec<&'a str> {
    let mut names: Vec<&str> = function
        .parameters
        .iter()
        .filter(|parameter| !parameter.positional_only && !parameter.has_default)
        .map(|parameter| parameter.name.as_str())
        .collect();
    let has_positional_only = function.parameters.iter().any(|parameter| parameter.positional_only);
    let is_bound = in_class && !decorated.is_static && !has_positional_only;
    let skipped = usize::from(is_bound) + decorated.patched;
    names.drain(..skipped.min(names.len()));
    if let Some(given) = decorated.given {
        // Positional strategies fill the last arguments, others those they name.
        names.truncate(names.len().saturating_sub(given.args.len()));
        names.retain(|name| given.keyword(name).is_none());
    }
    names
}
