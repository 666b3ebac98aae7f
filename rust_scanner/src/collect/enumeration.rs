//! Enumerations that are written in the file.

use super::constant::{Constant, Member, MemberKind};
use super::evaluate::Evaluator;
use crate::syntax::{Binding, Class, Expr, Value};

/// Methods that change what members are, or what is written for them.
const DECISIVE: [&str; 11] = [
    "__str__",
    "__format__",
    "__new__",
    "__init__",
    "__eq__",
    "__hash__",
    "__getattribute__",
    "__init_subclass__",
    "_generate_next_value_",
    "__name__",
    "name",
];

/// The members of an enumeration in the order of its text, aliases left out.
///
/// `None` for other classes, and where it is not known.
pub fn members<'a>(class: &'a Class, evaluator: &Evaluator<'a>) -> Option<Vec<Constant>> {
    let mut seen = Vec::new();
    for (name, member) in all_members(class, evaluator)? {
        let Constant::Member(found) = &member else { return None };
        if found.name == name {
            seen.push(member);
        }
    }
    Some(seen)
}

/// All names of an enumeration and their members: that of an alias is another's.
pub fn all_members<'a>(
    class: &'a Class,
    evaluator: &Evaluator<'a>,
) -> Option<Vec<(String, Constant)>> {
    let (kind, is_flag) = kind(class, evaluator)?;
    let scope = evaluator.scope;
    let is_unique = |decorator: &Expr| scope.qualified(decorator).as_deref() == Some("enum.unique");
    // `str` of a plain member does not ask `repr`; those of mixed kinds differ between versions.
    let is_written_as_ever = kind == MemberKind::Plain || class.names.get("__repr__").is_none();
    let is_plain = class.decorators.iter().all(is_unique)
        && is_written_as_ever
        && class.keywords.is_empty()
        && class.names.doubts.is_empty()
        && !DECISIVE.iter().any(|name| class.names.get(name).is_some());
    if !is_plain {
        return None;
    }
    let inner = evaluator.within(class);
    let mut found: Vec<(String, Constant)> = Vec::new();
    let mut numbering = Numbering::default();
    for binding in class.names.bindings() {
        let Some(expr) = assigned(binding)? else { continue };
        let value = if inner.is_auto(expr) {
            numbering.next(kind, is_flag, &binding.name)?
        } else {
            numbering.given(inner.value(expr), is_flag)?
        };
        let is_text = matches!(kind, MemberKind::Str | MemberKind::StrEnum);
        // Each `object()` is equal to itself alone.
        let is_unique = inner.is_new_object(expr);
        if !value.is_comparable() && !is_unique || is_text && !matches!(value, Constant::Str(_)) {
            return None;
        }
        let is_same = |(_, known): &&(String, Constant)| {
            !is_unique && matches!(known, Constant::Member(known) if is_equal(&known.value, &value))
        };
        let member = match found.iter().find(is_same) {
            Some((_, original)) => original.clone(),
            None => Constant::Member(Box::new(Member {
                class: class.name.clone(),
                name: binding.name.clone(),
                value,
                kind,
            })),
        };
        found.push((binding.name.clone(), member));
    }
    (!found.is_empty()).then_some(found)
}

/// `a == b` in Python, where `True` is `1`.
fn is_equal(a: &Constant, b: &Constant) -> bool {
    a == b || a.as_int().is_some_and(|number| b.as_int() == Some(number))
}

/// What a name of an enumeration's body is assigned: the inner `None` for methods, the outer one where
/// it is not known whether it is a member.
fn assigned(binding: &Binding) -> Option<Option<&Expr>> {
    let is_private = binding.name.starts_with('_');
    match &binding.value {
        Value::Function(_) => Some(None),
        Value::Expr(_) if is_private && binding.name == "__doc__" => Some(None),
        Value::Expr(value) if !is_private && binding.doubt.is_none() => {
            let is_descriptor = matches!(value.as_ref(), Expr::Lambda(_));
            (!is_descriptor && !binding.history.is_rebound).then_some(Some(value))
        }
        _ => None,
    }
}

fn kind<'a>(class: &'a Class, evaluator: &Evaluator<'a>) -> Option<(MemberKind, bool)> {
    let names: Option<Vec<String>> =
        class.bases.iter().map(|base| evaluator.scope.qualified(base)).collect();
    let names = names?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Some(match names.as_slice() {
        ["enum.Enum"] => (MemberKind::Plain, false),
        ["enum.Flag"] => (MemberKind::Plain, true),
        ["enum.IntEnum"] => (MemberKind::IntEnum, false),
        ["enum.IntFlag"] => (MemberKind::IntEnum, true),
        ["enum.StrEnum"] => (MemberKind::StrEnum, false),
        ["builtins.str", "enum.Enum"] => (MemberKind::Str, false),
        ["builtins.int", "enum.Enum"] => (MemberKind::Int, false),
        _ => return None,
    })
}

/// The values of `auto()`.
#[derive(Default)]
struct Numbering {
    last: i128,
    has_given: bool,
    has_auto: bool,
    /// Whether the values so far ascend: Pythons differ in what comes after the largest, or the last.
    ascends: bool,
}

impl Numbering {
    fn given(&mut self, value: Constant, is_flag: bool) -> Option<Constant> {
        // Which flags count as members of their own depends on their bits.
        if is_flag {
            return None;
        }
        if let Some(number) = value.as_int() {
            self.ascends =
                (!self.has_given && !self.has_auto || self.ascends) && number > self.last;
            self.last = number;
        } else {
            self.ascends = false;
        }
        self.has_given = true;
        Some(value)
    }

    fn next(&mut self, kind: MemberKind, is_flag: bool, name: &str) -> Option<Constant> {
        if kind == MemberKind::StrEnum {
            return Some(Constant::Str(name.to_lowercase())).filter(|_| name.is_ascii());
        }
        if kind == MemberKind::Str || self.has_given && !self.ascends {
            return None;
        }
        self.last = match (is_flag, self.last) {
            (true, 0) => 1,
            (true, last) => last.checked_mul(2)?,
            (false, last) => last + 1,
        };
        self.ascends = true;
        self.has_auto = true;
        Some(Constant::int(self.last))
    }
}
