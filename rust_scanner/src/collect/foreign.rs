//! What a namespace may hold that its own text does not show: imported and computed tests.

use super::known;
use super::scope::{Scope, full_name};
use crate::config::Options;
use crate::fnmatch::matches_name;
use crate::syntax::{Expr, Namespace, Value};

/// The truth of a literal.
pub fn truth(value: &Expr) -> Option<bool> {
    match value {
        Expr::None => Some(false),
        Expr::Bool(value) => Some(*value),
        Expr::Int(digits) => Some(digits != "0"),
        Expr::Str(text) => Some(!text.is_empty()),
        Expr::List(items) | Expr::Tuple(items) => Some(!items.is_empty()),
        _ => None,
    }
}

/// Why a namespace may hold tests that are defined elsewhere, or made by a call.
pub fn foreign_tests(scope: Scope, names: &Namespace, options: &Options) -> Option<String> {
    let is_suspect = |name: &str| {
        matches_name(name, &options.python_functions)
            || matches_name(name, &options.python_classes)
            || ["Test", "Tests", "TestCase"].iter().any(|end| name.ends_with(end))
    };
    names.bindings().iter().filter(|binding| is_suspect(&binding.name)).find_map(|binding| {
        let name = &binding.name;
        match &binding.value {
            Value::Function(_) | Value::Class(_) => None,
            Value::Import(import) => {
                let is_module = import.name.is_none();
                let counts = options.collect_imported_tests
                    && !is_module
                    && !known::yields_nothing(&full_name(import));
                counts.then(|| format!("the imported {name} may be or hold tests"))
            }
            Value::Expr(value) => is_foreign(value, scope)
                .then(|| format!("the computed {name} may be or hold tests")),
            Value::Unknown => Some(format!("the computed {name} may be or hold tests")),
        }
    })
}

/// Whether the value of `expr` may be a function or class that is not defined in this file.
fn is_foreign(expr: &Expr, scope: Scope) -> bool {
    match expr {
        Expr::Name(_) => match scope.binding(expr).map(|binding| &binding.value) {
            Some(Value::Function(_) | Value::Class(_)) => false,
            Some(Value::Expr(value)) if !matches!(value.as_ref(), Expr::Name(_)) => {
                is_foreign(value, scope)
            }
            _ => scope.qualified(expr).is_none_or(|name| !known::yields_nothing(&name)),
        },
        Expr::Call(call) => {
            let maker = scope.qualified(&call.func);
            // An instance of a class of this file is no function, even if it can be called.
            scope.class(&call.func).is_none()
                && !maker
                    .is_some_and(|maker| known::makes_data(&maker) || maker == "functools.partial")
        }
        Expr::Attribute(..) => {
            scope.qualified(expr).is_none_or(|name| !known::yields_nothing(&name))
        }
        Expr::Subscript(_) | Expr::Other => true,
        _ => false,
    }
}
