//! Fixtures: whether those that a test needs may have parameters (rule 14).

use std::collections::{HashMap, HashSet};

use super::decorators::Decorated;
use super::known;
use super::scope::{Object, Scope};
use crate::syntax::{Binding, Call, Expr, Function, Namespace, Value};

/// The fixtures defined in one place: a class, a module or a conftest.py.
#[derive(Debug, Default)]
pub struct Level<'a> {
    /// By the name they go by; the error says why it is not known what the name means.
    fixtures: HashMap<String, Result<Fixture<'a>, String>>,
    /// Those that every test here uses.
    autouse: Vec<String>,
    /// Whether more may be bound than the text shows.
    is_open: bool,
}

/// One fixture definition.
#[derive(Debug)]
struct Fixture<'a> {
    requested: Vec<&'a str>,
    has_params: bool,
}

impl<'a> Level<'a> {
    /// The fixtures among `names`, which are the body of a class or of a module.
    pub fn of(names: &'a Namespace, scope: Scope<'a>, in_class: bool) -> Self {
        let is_open = !names.doubts.is_empty() || !names.stars.is_empty();
        let mut level = Self { is_open, ..Self::default() };
        for binding in names.bindings() {
            level.add(binding, scope, in_class);
        }
        level
    }

    /// Whether every test here uses fixtures.
    pub fn has_autouse(&self) -> bool {
        !self.autouse.is_empty()
    }

    fn add(&mut self, binding: &'a Binding, scope: Scope<'a>, in_class: bool) {
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
            self.autouse.push(name.clone());
        }
        let fixture = Fixture {
            requested: requested(function, in_class, &decorated),
            has_params: is_unclear || !matches!(keyword("params"), None | Some(Expr::None)),
        };
        self.fixtures.insert(name, Ok(fixture));
    }
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
        Object::Foreign(_) | Object::Unknown => Definition::Unknown,
    }
}

fn may_be_function(value: &Expr) -> bool {
    matches!(
        value,
        Expr::Call(_) | Expr::Name(_) | Expr::Attribute(..) | Expr::Subscript(_) | Expr::Other
    )
}

/// Why the fixtures that a test needs may add cases to it; `None` if they surely do not.
///
/// `levels` are those that the test sees, nearest first; `requested` are the names it asks for, and
/// `direct` those that its own marks parametrize.
pub fn doubt(levels: &[&Level], requested: &[&str], direct: &HashSet<&str>) -> Option<String> {
    let autouse = levels
        .iter()
        .enumerate()
        .flat_map(|(index, level)| level.autouse.iter().map(move |name| (name.as_str(), index)));
    let mut todo: Vec<(&str, usize)> =
        requested.iter().map(|name| (*name, 0)).chain(autouse).collect();
    let mut seen = HashSet::new();
    while let Some((name, from)) = todo.pop() {
        if direct.contains(name) || !seen.insert((name, from)) {
            continue;
        }
        match definition(levels, name, from) {
            Ok(Some((_, fixture))) if fixture.has_params => {
                return Some(format!("the fixture {name} has parameters"));
            }
            Ok(Some((level, fixture))) => todo.extend(fixture.requested.iter().map(|other| {
                // A fixture that asks for its own name means the one it overrides.
                (*other, if *other == name { level + 1 } else { 0 })
            })),
            Ok(None) if known::is_plain_fixture(name) => {}
            Ok(None) => {
                return Some(format!(
                    "the fixture {name} is not defined in this file or a conftest.py"
                ));
            }
            Err(reason) => return Some(reason),
        }
    }
    None
}

/// The definition of the fixture called `name` that is seen from level `from` on, and its level.
fn definition<'l, 'a>(
    levels: &[&'l Level<'a>],
    name: &str,
    from: usize,
) -> Result<Option<(usize, &'l Fixture<'a>)>, String> {
    for (index, level) in levels.iter().enumerate().skip(from) {
        match level.fixtures.get(name) {
            Some(Ok(fixture)) => return Ok(Some((index, fixture))),
            Some(Err(reason)) => return Err(reason.clone()),
            None if level.is_open => {
                return Err(format!(
                    "the fixture {name} may be bound where the text does not show it"
                ));
            }
            None => {}
        }
    }
    Ok(None)
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
