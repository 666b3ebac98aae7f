//! Classes: linearization, and what their bases make of them (rules 10 to 12).

use super::decorators::Decorated;
use super::known::{self, Base};
use super::scope::{Object, Scope, display};
use crate::syntax::{Binding, Class, Expr, Function, Value};

/// Inheritance deeper than this is not followed.
const MAX_DEPTH: usize = 50;

/// Ancestors beyond this are not followed: each step looks at all of them.
const MAX_ANCESTORS: usize = 500;

/// A class and its ancestors, as far as there is source for them.
#[derive(Debug)]
pub struct Lineage<'a> {
    /// The class and its ancestors, in the order of the MRO.
    pub classes: Vec<Member<'a>>,
    /// Why there may be other ancestors, for people.
    pub doubt: Option<String>,
    /// Whether `unittest.TestCase` is among the ancestors.
    pub is_unittest: bool,
    /// Whether an ancestor has a constructor.
    has_constructor: bool,
    /// Whether an ancestor's metaclass makes abstract methods count.
    is_abc: bool,
}

/// A class of a lineage, and the scope of its body.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The class.
    pub class: &'a Class,
    /// The scope of its body.
    pub scope: Scope<'a>,
}

/// An entry of a method resolution order.
#[derive(Debug, Clone)]
enum Ancestor<'a> {
    /// There is source for it; compared by identity.
    Read(Member<'a>),
    /// Known by name.
    Known(String, Base),
    /// Computed, or without source.
    Unknown(String),
}

impl PartialEq for Ancestor<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Read(a), Self::Read(b)) => std::ptr::eq(a.class, b.class),
            (Self::Known(a, _), Self::Known(b, _)) => a == b,
            (Self::Unknown(a), Self::Unknown(b)) => a == b,
            _ => false,
        }
    }
}

impl<'a> Lineage<'a> {
    /// The lineage of `class`, which is written in `scope`.
    pub fn of(class: &'a Class, scope: Scope<'a>) -> Self {
        let mut lineage = Self {
            classes: Vec::new(),
            doubt: None,
            is_unittest: false,
            has_constructor: false,
            is_abc: false,
        };
        let mro = linearize(class, scope, &mut Vec::new()).unwrap_or_else(|| {
            let member = Member { class, scope: scope.within(class) };
            vec![Ancestor::Read(member), Ancestor::Unknown("its bases".to_owned())]
        });
        for ancestor in mro {
            match ancestor {
                Ancestor::Read(member) => lineage.add(member),
                Ancestor::Known(_, Base::Plain) => {}
                Ancestor::Known(_, Base::Abstract) => lineage.is_abc = true,
                Ancestor::Known(_, Base::Constructor) => lineage.has_constructor = true,
                Ancestor::Known(_, Base::TestCase) => lineage.is_unittest = true,
                Ancestor::Unknown(name) => {
                    lineage.doubt.get_or_insert(format!("unresolved base {name}"));
                }
            }
        }
        lineage
    }

    fn add(&mut self, member: Member<'a>) {
        let Member { class, scope } = member;
        self.classes.push(member);
        for (name, value) in &class.keywords {
            let value = scope.outside().qualified(value);
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
        let decorated = Decorated::by(&class.decorators, scope.outside());
        self.has_constructor |= decorated.has_constructor;
        if self.doubt.is_none() {
            self.doubt = decorated.doubt;
        }
    }

    /// What `name` means in the class, and the ancestor that it comes from.
    pub fn get(&self, name: &str) -> Option<(Member<'a>, &'a Binding)> {
        self.classes.iter().find_map(|member| Some((*member, member.class.names.get(name)?)))
    }

    /// Whether `mock.patch` is applied to the class itself.
    pub fn is_patched(&self) -> bool {
        self.classes.first().is_some_and(|Member { class, scope }| {
            Decorated::by(&class.decorators, scope.outside()).is_patched
        })
    }

    /// Whether pytest passes over a class of this kind with a warning, and not a `TestCase`.
    pub fn has_constructor(&self) -> bool {
        self.has_constructor && !self.is_unittest
    }

    /// Whether it cannot be instantiated (`inspect.isabstract`).
    pub fn is_abstract(&self) -> bool {
        let is_abstract =
            |function: &'a Function, scope| Decorated::by(&function.decorators, scope).is_abstract;
        self.is_abc
            && self.classes.iter().any(|member| {
                member.class.names.bindings().iter().any(|binding| match &binding.value {
                    Value::Function(function) => {
                        is_abstract(function, member.scope)
                            && self
                                .get(&binding.name)
                                .is_some_and(|(_, found)| std::ptr::eq(found, binding))
                    }
                    _ => false,
                })
            })
    }

    /// The class' `__test__`, which is inherited.
    pub fn test_flag(&self) -> Option<&'a Expr> {
        match &self.get("__test__")?.1.value {
            Value::Expr(value) => Some(value),
            _ => Some(&Expr::Other),
        }
    }
}

/// The C3 linearization; `None` where Python would refuse it or it is too deep.
fn linearize<'a>(
    class: &'a Class,
    scope: Scope<'a>,
    below: &mut Vec<&'a Class>,
) -> Option<Vec<Ancestor<'a>>> {
    if below.len() >= MAX_DEPTH || below.iter().any(|known| std::ptr::eq(*known, class)) {
        return None;
    }
    below.push(class);
    let mut parents = Vec::new();
    let mut sequences = Vec::new();
    for base in &class.bases {
        let mro = match ancestor(base, scope) {
            Ancestor::Read(base) => linearize(base.class, base.scope.outside(), below)?,
            other => vec![other],
        };
        parents.extend(mro.first().cloned());
        sequences.push(mro);
    }
    below.pop();
    sequences.push(parents);
    let own = Ancestor::Read(Member { class, scope: scope.within(class) });
    merge(own, sequences)
}

fn merge<'a>(
    own: Ancestor<'a>,
    mut sequences: Vec<Vec<Ancestor<'a>>>,
) -> Option<Vec<Ancestor<'a>>> {
    let mut mro = vec![own];
    loop {
        sequences.retain(|sequence| !sequence.is_empty());
        if sequences.is_empty() {
            return Some(mro);
        }
        if mro.len() > MAX_ANCESTORS {
            return None;
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
    let of_object = |object| match object {
        Object::Bound(found) => found.class().map(|class| {
            Ancestor::Read(Member { class, scope: found.scope.outside().within(class) })
        }),
        Object::Foreign(name) => {
            known::base(&name).map(|kind| Ancestor::Known(canonical(name), kind))
        }
        _ => None,
    };
    of_object(scope.object(base))
        .or_else(|| of_object(scope.deep_object(base)))
        .unwrap_or_else(|| Ancestor::Unknown(full_display(base, scope)))
}

/// One name for what goes by several.
fn canonical(name: String) -> String {
    match known::base(&name) {
        Some(Base::TestCase) => "unittest.TestCase".to_owned(),
        _ => name,
    }
}

/// The full name of a base that is not resolved, for people.
fn full_display(base: &Expr, scope: Scope) -> String {
    scope.qualified(base).unwrap_or_else(|| display(base))
}
