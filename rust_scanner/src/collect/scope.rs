//! Looking names up, as far as one file decides.

use crate::syntax::{Binding, Class, Expr, Import, Module, Namespace, Value};

/// Aliases of aliases beyond this are not followed.
const MAX_ALIASES: usize = 8;

/// Where an expression stands: in a module, perhaps in the body of a class.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The module.
    pub module: &'a Module,
    /// The innermost class' body; Python does not look into outer ones.
    pub class: Option<&'a Namespace>,
}

impl<'a> Scope<'a> {
    /// The module's own scope.
    pub fn of(module: &'a Module) -> Self {
        Self { module, class: None }
    }

    /// The scope of a class' body in the same module.
    pub fn within(self, class: &'a Class) -> Self {
        Self { class: Some(&class.names), ..self }
    }

    /// What a name is bound to.
    pub fn get(self, name: &str) -> Option<&'a Binding> {
        self.class.and_then(|names| names.get(name)).or_else(|| self.module.names.get(name))
    }

    /// The binding that `expr` names, after aliases: a `def`, `class`, `import` or computed value.
    ///
    /// `None` where it is not a plain name, not bound here, or not surely bound to one thing.
    pub fn binding(self, expr: &Expr) -> Option<&'a Binding> {
        let mut expr = expr;
        for _ in 0..MAX_ALIASES {
            let Expr::Name(name) = expr else { return None };
            let binding = self.get(name).filter(|binding| binding.doubt.is_none())?;
            match &binding.value {
                Value::Expr(value) if matches!(value.as_ref(), Expr::Name(_)) => expr = value,
                _ => return Some(binding),
            }
        }
        None
    }

    /// The class of this file that `expr` names.
    pub fn class(self, expr: &Expr) -> Option<&'a Class> {
        match &self.binding(expr)?.value {
            Value::Class(class) => Some(class),
            _ => None,
        }
    }

    /// The full name of the foreign object that `expr` names: `pytest.mark`, `builtins.int`, `.mod.x`.
    ///
    /// `None` for what is defined here, computed, or not surely bound.
    pub fn qualified(self, expr: &Expr) -> Option<String> {
        self.qualified_after(expr, 0)
    }

    fn qualified_after(self, expr: &Expr, aliases: usize) -> Option<String> {
        match expr {
            Expr::Attribute(value, name) => {
                Some(format!("{}.{name}", self.qualified_after(value, aliases)?))
            }
            Expr::Name(name) => match self.get(name) {
                None => Some(format!("builtins.{name}")),
                Some(binding) if binding.doubt.is_some() || aliases > MAX_ALIASES => None,
                Some(binding) => match &binding.value {
                    Value::Import(import) => Some(full_name(import)),
                    Value::Expr(value) => self.qualified_after(value, aliases + 1),
                    _ => None,
                },
            },
            _ => None,
        }
    }
}

/// The full name of an imported object.
pub fn full_name(import: &Import) -> String {
    match &import.name {
        None => import.module.clone(),
        Some(name) if import.module.ends_with('.') => format!("{}{name}", import.module),
        Some(name) => format!("{}.{name}", import.module),
    }
}

/// The name by which people know `expr`, for reasons given to them.
pub fn display(expr: &Expr) -> String {
    match expr {
        Expr::Name(name) => name.clone(),
        Expr::Attribute(value, name) => format!("{}.{name}", display(value)),
        Expr::Call(call) => format!("{}()", display(&call.func)),
        _ => "an expression".to_owned(),
    }
}
