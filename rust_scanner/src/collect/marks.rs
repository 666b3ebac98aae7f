//! Marks: `pytest.mark.x` as decorator or in `pytestmark`.

use super::scope::Scope;
use crate::syntax::{Call, Expr, Namespace, Value};

/// Marks given to marks beyond this are not followed.
const MAX_ALIASES: usize = 8;

/// One mark.
#[derive(Debug, Clone, Copy)]
pub struct Mark<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its arguments, if any.
    pub call: Option<&'a Call>,
    /// Where its arguments' names are looked up.
    pub scope: Scope<'a>,
}

/// Marks in pytest's order, and those that cannot be read.
#[derive(Debug, Clone, Default)]
pub struct Marks<'a> {
    /// In the order in which pytest looks at them.
    pub list: Vec<Mark<'a>>,
    /// Why there may be more, for people.
    pub doubt: Option<String>,
}

impl<'a> Marks<'a> {
    /// The marks in `pytestmark` of a namespace.
    pub fn in_namespace(names: &'a Namespace, scope: Scope<'a>) -> Self {
        let mut marks = Self::default();
        let Some(binding) = names.get("pytestmark") else { return marks };
        if let Some(doubt) = binding.doubt {
            marks.doubt = Some(format!("pytestmark is not certain: {}", doubt.reason()));
        }
        match &binding.value {
            Value::Expr(value) => match value.as_ref() {
                Expr::List(items) => items.iter().for_each(|item| marks.add(item, scope)),
                single => marks.add(single, scope),
            },
            _ => marks.doubt = Some("pytestmark is computed".to_owned()),
        }
        marks
    }

    /// Append the marks of another object.
    pub fn extend(&mut self, other: Self) {
        self.list.extend(other.list);
        self.doubt = self.doubt.take().or(other.doubt);
    }

    fn add(&mut self, expr: &'a Expr, scope: Scope<'a>) {
        match mark(expr, scope) {
            Some(mark) => self.list.push(mark),
            None => {
                self.doubt =
                    Some(format!("the mark {} is not defined here", super::scope::display(expr)))
            }
        }
    }
}

/// The mark that `expr` is, if it surely is one.
pub fn mark<'a>(expr: &'a Expr, scope: Scope<'a>) -> Option<Mark<'a>> {
    mark_after(expr, scope, 0)
}

fn mark_after<'a>(expr: &'a Expr, scope: Scope<'a>, aliases: usize) -> Option<Mark<'a>> {
    if aliases > MAX_ALIASES {
        return None;
    }
    match expr {
        Expr::Attribute(value, name)
            if scope.qualified(value).as_deref() == Some("pytest.mark") =>
        {
            Some(Mark { name, call: None, scope })
        }
        Expr::Call(call) => {
            let mark = mark_after(&call.func, scope, aliases + 1)?;
            // Calling a mark that has arguments already adds to them, which no one does.
            mark.call.is_none().then_some(Mark { call: Some(call), ..mark })
        }
        Expr::Name(_) | Expr::Attribute(..) => {
            let found = scope.found(expr)?;
            match &found.binding.value {
                Value::Expr(value) => mark_after(value, found.scope, aliases + 1),
                _ => None,
            }
        }
        _ => None,
    }
}
