//! What a function's or class' decorators make of it.

use super::known::{self, Decorator};
use super::marks::{Marks, mark};
use super::scope::{Scope, display};
use crate::syntax::{Call, Expr};

/// The outcome of all decorators of one `def` or `class`.
#[derive(Debug, Default)]
pub struct Decorated<'a> {
    /// Marks, nearest first.
    pub marks: Marks<'a>,
    /// The fixture it becomes: the arguments of the decorator, if any.
    pub fixture: Option<Option<&'a Call>>,
    /// `staticmethod`.
    pub is_static: bool,
    /// `classmethod`.
    pub is_classmethod: bool,
    /// `abc.abstractmethod`.
    pub is_abstract: bool,
    /// It is neither function nor class any more.
    pub is_data: bool,
    /// It is wrapped in another function.
    pub is_wrapped: bool,
    /// It has a generated constructor.
    pub has_constructor: bool,
    /// Whether `mock.patch` is among them.
    pub is_patched: bool,
    /// How many arguments `mock.patch` puts in front.
    pub patched: usize,
    /// What `hypothesis.given` fills in.
    pub given: Option<&'a Call>,
    /// Why it may be something else altogether, for people.
    pub doubt: Option<String>,
}

impl<'a> Decorated<'a> {
    /// Apply `decorators`, nearest first as Python does.
    pub fn by(decorators: &'a [Expr], scope: Scope<'a>) -> Self {
        let mut decorated = Self::default();
        for decorator in decorators.iter().rev() {
            decorated.apply(decorator, scope);
        }
        decorated
    }

    fn apply(&mut self, decorator: &'a Expr, scope: Scope<'a>) {
        if let Some(mark) = mark(decorator, scope) {
            self.marks.list.push(mark);
            return;
        }
        let (func, call) = match decorator {
            Expr::Call(call) => (&call.func, Some(call.as_ref())),
            other => (other, None),
        };
        match scope.qualified(func).as_deref().and_then(known::decorator) {
            Some(Decorator::Transparent) => {}
            Some(Decorator::Wrapper) => self.is_wrapped = true,
            Some(Decorator::Given) => (self.is_wrapped, self.given) = (true, call),
            Some(Decorator::Patch(position)) => {
                (self.is_wrapped, self.is_patched) = (true, true);
                let new = call.and_then(|call| call.argument(position, "new"));
                self.patched += usize::from(new.is_none());
            }
            Some(Decorator::Fixture) => self.fixture = Some(call),
            Some(Decorator::Static) => self.is_static = true,
            Some(Decorator::Class) => self.is_classmethod = true,
            Some(Decorator::Data) => self.is_data = true,
            Some(Decorator::AbstractMethod) => self.is_abstract = true,
            Some(Decorator::Dataclass) => {
                let init = call.and_then(|call| call.keyword("init"));
                self.has_constructor |= init != Some(&Expr::Bool(false));
            }
            None if is_setter(decorator) => self.is_data = true,
            None => {
                self.is_wrapped = true;
                self.doubt = Some(format!("the decorator {} may replace it", display(func)));
            }
        }
    }
}

/// `@x.setter` and its like, on a property.
fn is_setter(decorator: &Expr) -> bool {
    matches!(decorator, Expr::Attribute(_, name) if matches!(name.as_str(), "setter" | "getter" | "deleter"))
}
