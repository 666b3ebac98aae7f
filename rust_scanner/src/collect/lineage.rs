//! Classes: linearization, and what their bases make of them (rules 10 to 12).

use super::decorators::Decorated;
use super::known::{self, Base};
use super::scope::{Scope, display};
use crate::syntax::{Class, Expr, Function, Value};

/// Inheritance deeper than this is not followed.
const MAX_DEPTH: usize = 50;

/// A class and its ancestors, as far as they are in the file.
#[derive(Debug)]
pub struct Lineage<'a> {
    /// The class and its ancestors in this file, in the order of the MRO.
    pub classes: Vec<&'a Class>,
    /// Why there may be other ancestors, for people.
    pub doubt: Option<String>,
    /// Whether `unittest.TestCase` is among the ancestors.
    pub is_unittest: bool,
    /// Whether an ancestor has a constructor.
    has_constructor: bool,
    /// Whether an ancestor's metaclass makes abstract methods count.
    is_abc: bool,
}

/// An entry of a method resolution order.
#[derive(Debug, Clone, PartialEq)]
enum Ancestor<'a> {
    /// In this file; compared by identity.
    Local(ByAddress<'a>),
    /// Elsewhere, and known.
    Known(String, Base),
    /// Elsewhere, or computed.
    Unknown(String),
}

#[derive(Debug, Clone, Copy)]
struct ByAddress<'a>(&'a Class);

impl PartialEq for ByAddress<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl<'a> Lineage<'a> {
    /// The lineage of `class`, whose bases are looked up in `scope`.
    pub fn of(class: &'a Class, scope: Scope<'a>) -> Self {
        let mut lineage = Self {
            classes: Vec::new(),
            doubt: None,
            is_unittest: false,
            has_constructor: false,
            is_abc: false,
        };
        let mro = linearize(class, scope, &mut Vec::new()).unwrap_or_else(|| {
            vec![Ancestor::Local(ByAddress(class)), Ancestor::Unknown("its bases".to_owned())]
        });
        for ancestor in mro {
            match ancestor {
                Ancestor::Local(ByAddress(class)) => lineage.add(class, scope),
                Ancestor::Known(_, Base::Plain) => {}
                Ancestor::Known(_, Base::Abstract) => lineage.is_abc = true,
                Ancestor::Known(_, Base::Constructor) => lineage.has_constructor = true,
                Ancestor::Known(_, Base::TestCase) => lineage.is_unittest = true,
                Ancestor::Unknown(name) => {
                    lineage
                        .doubt
                        .get_or_insert(format!("the base {name} is not defined in this file"));
                }
            }
        }
        lineage
    }

    fn add(&mut self, class: &'a Class, scope: Scope<'a>) {
        self.classes.push(class);
        for (name, value) in &class.keywords {
            let value = scope.qualified(value);
            match (name.as_deref(), value.as_deref()) {
                (Some("metaclass"), Some("abc.ABCMeta")) => self.is_abc = true,
                (Some("metaclass") | None, _) => {
                    self.doubt.get_or_insert_with(|| "it has a metaclass".to_owned());
                }
                _ => {}
            }
        }
        let constructors = ["__init__", "__new__"];
        self.has_constructor |= constructors.iter().any(|name| class.names.get(name).is_some());
        let decorated = Decorated::by(&class.decorators, scope);
        self.has_constructor |= decorated.has_constructor;
        if self.doubt.is_none() {
            self.doubt = decorated.doubt;
        }
    }

    /// What `name` means in the class, with the scope it was written in.
    pub fn get(&self, name: &str) -> Option<&'a crate::syntax::Binding> {
        self.classes.iter().find_map(|class| class.names.get(name))
    }

    /// Whether pytest passes over a class of this kind with a warning, and not a `TestCase`.
    pub fn has_constructor(&self) -> bool {
        self.has_constructor && !self.is_unittest
    }

    /// Whether it cannot be instantiated (`inspect.isabstract`).
    pub fn is_abstract(&self, scope: Scope<'a>) -> bool {
        let is_abstract = |function: &'a Function, class: &'a Class| {
            Decorated::by(&function.decorators, scope.within(class)).is_abstract
        };
        self.is_abc
            && self.classes.iter().any(|class| {
                class.names.bindings().iter().any(|binding| match &binding.value {
                    Value::Function(function) => {
                        is_abstract(function, class)
                            && self
                                .get(&binding.name)
                                .is_some_and(|found| std::ptr::eq(found, binding))
                    }
                    _ => false,
                })
            })
    }

    /// The class' `__test__`, which is inherited.
    pub fn test_flag(&self) -> Option<&'a Expr> {
        match &self.get("__test__")?.value {
            Value::Expr(value) => Some(value),
            _ => Some(&Expr::Other),
        }
    }
}

/// The C3 linearization; `None` where Python would refuse it or it is too deep.
fn linearize<'a>(
    class: &'a Class,
    scope: Scope<'a>,
    below: &mut Vec<ByAddress<'a>>,
) -> Option<Vec<Ancestor<'a>>> {
    if below.len() >= MAX_DEPTH || below.contains(&ByAddress(class)) {
        return None;
    }
    below.push(ByAddress(class));
    let mut parents = Vec::new();
    let mut sequences = Vec::new();
    for base in &class.bases {
        let mro = match ancestor(base, scope) {
            Ancestor::Local(ByAddress(base)) => linearize(base, Scope::of(scope.module), below)?,
            other => vec![other],
        };
        parents.extend(mro.first().cloned());
        sequences.push(mro);
    }
    below.pop();
    sequences.push(parents);
    let mut mro = vec![Ancestor::Local(ByAddress(class))];
    loop {
        sequences.retain(|sequence| !sequence.is_empty());
        if sequences.is_empty() {
            return Some(mro);
        }
        let is_free =
            |head: &&Ancestor<'a>| !sequences.iter().any(|sequence| sequence[1..].contains(*head));
        let next = sequences.iter().map(|sequence| &sequence[0]).find(is_free)?.clone();
        for sequence in &mut sequences {
            if sequence[0] == next {
                sequence.remove(0);
            }
        }
        mro.push(next);
    }
}

fn ancestor<'a>(base: &'a Expr, scope: Scope<'a>) -> Ancestor<'a> {
    // `Generic[T]` inherits from `Generic`.
    let base = match base {
        Expr::Subscript(origin) => origin,
        other => other,
    };
    if let Some(class) = scope.class(base) {
        return Ancestor::Local(ByAddress(class));
    }
    match scope.qualified(base).map(|name| (known::base(&name), name)) {
        Some((Some(kind), name)) => Ancestor::Known(name, kind),
        _ => Ancestor::Unknown(display(base)),
    }
}
