//! What a namespace may hold that its own text does not show: imported and computed tests.

use super::known;
use super::scope::{Found, Object, Scope, display, full_name};
use crate::config::Options;
use crate::fnmatch::matches_name;
use crate::syntax::{Class, Expr, Import, Namespace, Value};

/// Bases of bases beyond this are not followed.
const MAX_BASES: usize = 20;

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

/// Whether a name looks like that of a test, by the options or by custom.
pub fn is_suspect(name: &str, options: &Options) -> bool {
    matches_name(name, &options.python_functions)
        || matches_name(name, &options.python_classes)
        || name.contains("Test")
        || name.ends_with("Case")
}

/// Whether a module, as imported, looks like one for tests.
pub fn is_of_tests(module: &str) -> bool {
    module.starts_with('.') || module.split('.').any(|part| part.contains("test"))
}

/// Whether an imported class of the project may be a `TestCase`, by the names of its bases.
///
/// Bases are followed within the project only: nearly every test imports some class, and most of those
/// inherit from libraries at most, of which all sources would be read.
pub fn is_test_case(import: &Import, scope: Scope, options: &Options) -> bool {
    let found = match scope.is_of_project(import).then(|| scope.object_of_import(import)) {
        Some(Object::Bound(found)) => found,
        _ => return false,
    };
    found.class().is_some_and(|class| has_test_case(class, found.scope.outside(), options, 0))
}

fn has_test_case(class: &Class, scope: Scope, options: &Options, depth: usize) -> bool {
    depth < MAX_BASES
        && class.bases.iter().any(|base| {
            let name = display(base);
            if is_suspect(name.rsplit('.').next().unwrap_or(&name), options) {
                return true;
            }
            let root = name.split('.').next().unwrap_or(&name);
            let is_of_library = scope.lookup(root).is_none_or(|found| {
                matches!(&found.binding.value, Value::Import(import) if !scope.is_of_project(import))
            });
            !is_of_library
                && scope.found(base).is_some_and(|found| {
                    let inner = found.scope.outside();
                    found.class().is_some_and(|class| has_test_case(class, inner, options, depth + 1))
                })
        })
}

/// Why a namespace may hold tests that are defined elsewhere, or made by a call.
pub fn foreign_tests(scope: Scope, names: &Namespace, options: &Options) -> Option<String> {
    let mut suspects = names.bindings().iter().filter(|binding| is_suspect(&binding.name, options));
    suspects.find_map(|binding| {
        let name = &binding.name;
        let computed = || format!("the computed {name} may be or hold tests");
        match &binding.value {
            Value::Function(_) | Value::Class(_) => None,
            Value::Import(import) => {
                let counts = options.collect_imported_tests || scope.class.is_some();
                let object = if counts && import.name.is_some() {
                    scope.object_of_import(import)
                } else {
                    return None;
                };
                match object {
                    Object::Bound(found) => made_elsewhere(found).then(computed),
                    Object::Module(..) => None,
                    Object::Foreign(full) => (!known::yields_nothing(&full))
                        .then(|| format!("unresolved import {}", full_name(import))),
                    Object::Unknown => Some(format!("unresolved import {}", full_name(import))),
                }
            }
            Value::Expr(value) => is_foreign(value, scope).then(computed),
            Value::Unknown => Some(computed()),
        }
    })
}

/// Whether what was found is neither a definition nor data: only running the code tells.
fn made_elsewhere(found: Found) -> bool {
    match &found.binding.value {
        Value::Expr(value) => is_foreign(value, found.scope),
        _ => false,
    }
}

/// Whether the value of `expr` may be a function or class whose definition was not found.
fn is_foreign(expr: &Expr, scope: Scope) -> bool {
    match expr {
        Expr::Name(_) | Expr::Attribute(..) => match scope.object(expr) {
            Object::Bound(found) => match &found.binding.value {
                Value::Expr(value) => {
                    !matches!(value.as_ref(), Expr::Name(_) | Expr::Attribute(..))
                        && is_foreign(value, found.scope)
                }
                _ => false,
            },
            Object::Module(..) => false,
            Object::Foreign(full) => !known::yields_nothing(&full),
            Object::Unknown => true,
        },
        Expr::Call(call) => {
            let maker = scope.qualified(&call.func);
            // An instance of a class of the project is no function, even if it can be called.
            scope.class(&call.func).is_none()
                && !maker
                    .is_some_and(|maker| known::makes_data(&maker) || maker == "functools.partial")
        }
        Expr::Subscript(_) | Expr::Other => true,
        _ => false,
    }
}
