//! Statements that bind names, or end a module, without saying so in their syntax.

use ruff_python_ast::{Expr, ExprCall};

use crate::syntax::Doubt;

/// What running `expr` as a statement, or as the value of one, may do to the namespace around it.
pub fn effect(expr: &Expr) -> Option<Doubt> {
    match expr {
        Expr::Call(call) => call_effect(call),
        Expr::Await(inner) => effect(&inner.value),
        _ => None,
    }
}

fn call_effect(call: &ExprCall) -> Option<Doubt> {
    match call.func.as_ref() {
        Expr::Name(name) => match name.id.as_str() {
            "exec" | "eval" | "setattr" | "delattr" => Some(Doubt::Reflection),
            "importorskip" | "skip" => Some(Doubt::ModuleSkip),
            _ => None,
        },
        Expr::Attribute(attribute) => match attribute.attr.id.as_str() {
            "importorskip" => Some(Doubt::ModuleSkip),
            "skip" if has_keyword(call, "allow_module_level") => Some(Doubt::ModuleSkip),
            // `globals().update(...)`, `vars().setdefault(...)`
            _ if is_namespace(&attribute.value) => Some(Doubt::Reflection),
            _ => None,
        },
        _ => None,
    }
}

/// A statement such as `names.append(...)`: the name of what it changes, and what it adds to its end.
pub struct Mutation<'e> {
    /// The name.
    pub name: &'e str,
    /// The values added; `None` where something else happens, or other values.
    pub added: Option<&'e [Expr]>,
}

/// The change that `expr`, as a statement, makes to a list, dict or set.
pub fn mutation(expr: &Expr) -> Option<Mutation<'_>> {
    let Expr::Call(call) = expr else { return None };
    let Expr::Attribute(method) = call.func.as_ref() else { return None };
    let Expr::Name(object) = method.value.as_ref() else { return None };
    let arguments = call.arguments.args.as_ref();
    let added = match (method.attr.id.as_str(), arguments) {
        ("append", [_]) => Some(arguments),
        ("extend", [addition]) => display(addition),
        (
            "append" | "extend" | "insert" | "remove" | "pop" | "clear" | "sort" | "reverse"
            | "update" | "add",
            _,
        ) => None,
        _ => return None,
    };
    Some(Mutation { name: object.id.as_str(), added })
}

/// The values of a list or tuple display.
pub fn display(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::List(list) => Some(&list.elts),
        Expr::Tuple(tuple) => Some(&tuple.elts),
        _ => None,
    }
}

/// Whether `expr` is a module's or class' namespace as a dict.
pub fn is_namespace(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    matches!(call.func.as_ref(), Expr::Name(name) if matches!(name.id.as_str(), "globals" | "locals" | "vars"))
}

fn has_keyword(call: &ExprCall, name: &str) -> bool {
    call.arguments
        .keywords
        .iter()
        .any(|keyword| keyword.arg.as_ref().is_some_and(|arg| arg.id == name))
}
