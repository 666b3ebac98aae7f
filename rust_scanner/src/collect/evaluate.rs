//! Expressions to values, as far as one file decides them.
//!
//! A name counts only if it was bound once and nothing changes what it stands for: a decorator reads it
//! where it stands, which is not where the namespace ends.

use std::cell::Cell;

use super::arithmetic::compute;
use super::calls;
use super::constant::Constant;
use super::enumeration;
use super::scope::{Found, Object, Scope};
use crate::syntax::{Binding, Class, Comprehension, Expr, Part, Value};
use crate::versions::Versions;

/// Names of names beyond this are not followed.
const MAX_ALIASES: usize = 8;
/// Values beyond this many are not computed, for one expression.
const MAX_VALUES: usize = 200_000;

/// Evaluates expressions of one scope.
pub struct Evaluator<'a> {
    /// Where names are looked up.
    pub scope: Scope<'a>,
    /// What differs between versions.
    pub versions: &'a Versions,
    aliases: usize,
    /// Whether a name that is looked up now is all of the expression: what it stands for is read when
    /// pytest collects, not where the expression stands.
    is_whole: bool,
    /// How many values may still be computed.
    budget: &'a Cell<usize>,
    /// Variables of comprehensions, innermost last.
    variables: Vec<(&'a str, Constant)>,
}

/// The value of `expr` in `scope`.
pub fn evaluate(expr: &Expr, scope: Scope, versions: &Versions) -> Constant {
    let budget = Cell::new(MAX_VALUES);
    let evaluator = Evaluator {
        scope,
        versions,
        aliases: 0,
        is_whole: true,
        budget: &budget,
        variables: Vec::new(),
    };
    match expr {
        Expr::Name(name) => evaluator.name(expr, name),
        expr => evaluator.value(expr),
    }
}

impl<'a> Evaluator<'a> {
    /// The value of `expr`.
    pub fn value(&self, expr: &'a Expr) -> Constant {
        if !self.spend(1) {
            return Constant::Unknown;
        }
        match expr {
            Expr::None => Constant::None,
            Expr::Ellipsis => Constant::Ellipsis,
            Expr::Bool(value) => Constant::Bool(*value),
            Expr::Int(digits) => Constant::Int(digits.clone()),
            Expr::Float(float) => Constant::Float(*float),
            Expr::Imaginary(float) => Constant::Complex(0.0, *float),
            Expr::Str(text) => Constant::Str(text.clone()),
            Expr::Bytes(bytes) => Constant::Bytes(bytes.clone()),
            Expr::Lambda(_) => Constant::Named("<lambda>".to_owned()),
            Expr::List(items) => self.all(items).map_or(Constant::Data, Constant::List),
            Expr::Tuple(items) => self.all(items).map_or(Constant::Data, Constant::Tuple),
            Expr::Dict(items) => self.dict(items),
            Expr::Container => Constant::Object,
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Binary(binary) => {
                compute(self.value(&binary.left), binary.operator, self.value(&binary.right))
            }
            Expr::Format(parts) => self.format(parts).map_or(Constant::Data, Constant::Str),
            Expr::Name(name) => self.part().name(expr, name),
            Expr::Attribute(object, name) => self.attribute(expr, object, name),
            Expr::Call(call) => calls::value(self, call),
            Expr::Data => Constant::Data,
            Expr::Subscript(_) | Expr::Starred(_) | Expr::Other => Constant::Unknown,
        }
    }

    /// For what is only a part of an expression.
    fn part(&self) -> Evaluator<'a> {
        Evaluator { is_whole: false, variables: self.variables.clone(), ..*self }
    }

    /// For the body of a class.
    pub fn within(&self, class: &'a Class) -> Evaluator<'a> {
        let scope = self.scope.within(class);
        Evaluator { scope, is_whole: false, variables: Vec::new(), ..*self }
    }

    /// Take `count` values from the budget, if there are as many.
    pub fn spend(&self, count: usize) -> bool {
        let left = self.budget.get().checked_sub(count);
        self.budget.set(left.unwrap_or(0));
        left.is_some()
    }

    /// The values of a display, `*values` unpacked; `None` where their number is not known.
    pub fn all(&self, items: &'a [Expr]) -> Option<Vec<Constant>> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Expr::Starred(inner) => {
                    let more = self.value(inner).into_values()?;
                    if !self.spend(more.len()) {
                        return None;
                    }
                    values.extend(more);
                }
                item => values.push(self.value(item)),
            }
        }
        Some(values)
    }

    /// Whether `expr` is `enum.auto()`.
    pub fn is_auto(&self, expr: &Expr) -> bool {
        let Expr::Call(call) = expr else { return false };
        call.args.is_empty() && self.scope.qualified(&call.func).as_deref() == Some("enum.auto")
    }

    /// Whether `expr` is `object()`.
    pub fn is_new_object(&self, expr: &Expr) -> bool {
        let Expr::Call(call) = expr else { return false };
        call.args.is_empty()
            && call.keywords.is_empty()
            && self.scope.qualified(&call.func).as_deref() == Some("builtins.object")
    }

    fn dict(&self, items: &'a [(Option<Expr>, Expr)]) -> Constant {
        let mut entries: Vec<(Constant, Constant)> = Vec::with_capacity(items.len());
        for (key, value) in items {
            let added = match (key, self.value(value)) {
                (Some(key), value) => vec![(self.value(key), value)],
                (None, Constant::Dict(items)) => items,
                (None, _) => return Constant::Object,
            };
            for (key, value) in added {
                // Whether keys are the same is known of simple ones only.
                if !key.is_comparable() || matches!(key, Constant::Bool(_)) {
                    return Constant::Object;
                }
                entries.push((key, value));
            }
        }
        let keys: std::collections::HashSet<String> =
            entries.iter().filter_map(|(key, _)| key.repr()).collect();
        // A key that comes twice keeps its first place and its last value, which no one relies on.
        if keys.len() == entries.len() { Constant::Dict(entries) } else { Constant::Object }
    }

    fn comprehension(&self, comprehension: &'a Comprehension) -> Constant {
        let unknown = if comprehension.is_list { Constant::Data } else { Constant::Unknown };
        let Some(values) = self.value(&comprehension.iterable).into_values() else {
            return unknown;
        };
        let mut results = Vec::with_capacity(values.len());
        for value in values {
            let mut inner = Evaluator {
                // A class' names are not seen from within.
                scope: self.scope.outside(),
                variables: self.variables.clone(),
                ..*self
            };
            if !self.spend(1) || !inner.assign(&comprehension.target, value) {
                return unknown;
            }
            results.push(inner.value(&comprehension.element));
        }
        if comprehension.is_list { Constant::List(results) } else { Constant::Iterator(results) }
    }

    fn assign(&mut self, target: &'a Expr, value: Constant) -> bool {
        match target {
            Expr::Name(name) => self.variables.push((name, value)),
            Expr::Tuple(targets) => {
                let values = value.into_values().filter(|values| values.len() == targets.len());
                let Some(values) = values else { return false };
                for (target, value) in targets.iter().zip(values) {
                    let Expr::Name(name) = target else { return false };
                    self.variables.push((name, value));
                }
            }
            _ => return false,
        }
        true
    }

    fn format(&self, parts: &'a [Part]) -> Option<String> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Repr(value) => text.push_str(&self.value(value).repr()?),
                Part::Str(value) => text.push_str(&formatted(&self.value(value), self.versions)?),
            }
        }
        Some(text)
    }

    fn name(&self, expr: &'a Expr, name: &str) -> Constant {
        if let Some((_, value)) = self.variables.iter().rev().find(|(bound, _)| *bound == name) {
            return value.clone();
        }
        match self.scope.lookup(name) {
            Some(Found { binding: Binding { value: Value::Import(_), history, .. }, .. })
                if history.is_rebound =>
            {
                Constant::Unknown
            }
            Some(found) if !matches!(found.binding.value, Value::Import(_)) => self.bound(found),
            _ => self.elsewhere(expr),
        }
    }

    /// What is imported, or not bound here.
    fn elsewhere(&self, expr: &Expr) -> Constant {
        match self.scope.object(expr) {
            Object::Foreign(name) => calls::foreign(&name, self.versions),
            Object::Bound(found) if self.aliases <= MAX_ALIASES => self.bound(found),
            // `UNSET = Sentinel.UNSET` in a module is no definition, but has a value.
            Object::Unknown if self.aliases <= MAX_ALIASES => {
                self.scope.assigned(expr).map_or(Constant::Unknown, |found| self.bound(found))
            }
            _ => Constant::Unknown,
        }
    }

    fn bound(&self, Found { binding, scope }: Found<'a>) -> Constant {
        let history = binding.history;
        if binding.doubt.is_some() || history.is_rebound || history.is_tampered {
            return Constant::Unknown;
        }
        match &binding.value {
            Value::Expr(value) => {
                // What was derived from a list while it grew is not known.
                if self.aliases > MAX_ALIASES || history.is_grown && !self.is_whole {
                    return Constant::Unknown;
                }
                let inner =
                    Evaluator { scope, aliases: self.aliases + 1, variables: Vec::new(), ..*self };
                match value.as_ref() {
                    Expr::Name(original) => inner.name(value, original),
                    value => inner.value(value),
                }
            }
            Value::Function(function) if function.decorators.is_empty() => {
                Constant::Named(function.name.clone())
            }
            Value::Class(class) => self.at(scope).class(class),
            Value::Import(_) | Value::Function(_) | Value::Unknown => Constant::Unknown,
        }
    }

    fn class(&self, class: &'a Class) -> Constant {
        if let Some(members) = enumeration::members(class, self) {
            return Constant::Enumeration(class.name.clone(), members);
        }
        if has_plain_name(class, self.scope) {
            return Constant::Named(class.name.clone());
        }
        Constant::Unknown
    }

    /// The same elsewhere.
    pub fn at(&self, scope: Scope<'a>) -> Evaluator<'a> {
        let aliases = self.aliases + 1;
        Evaluator { scope, aliases, is_whole: false, variables: Vec::new(), ..*self }
    }

    fn attribute(&self, expr: &'a Expr, object: &'a Expr, name: &str) -> Constant {
        if let Some(found) = self.scope.found(object)
            && let Some(class) = found.class()
        {
            return self.at(found.scope).class_attribute(class, name);
        }
        let constant = self.elsewhere(expr);
        if constant != Constant::Unknown {
            return constant;
        }
        match (self.value(object), name) {
            (Constant::Member(member), "name") => Constant::Str(member.name),
            (Constant::Member(member), "value") => member.value,
            (Constant::Named(text) | Constant::Enumeration(text, _), "__name__") => {
                Constant::Str(text)
            }
            _ => Constant::Unknown,
        }
    }

    fn class_attribute(&self, class: &'a Class, name: &str) -> Constant {
        if name == "__name__" {
            return match self.class(class) {
                Constant::Named(name) | Constant::Enumeration(name, _) => Constant::Str(name),
                _ => Constant::Unknown,
            };
        }
        if let Some(members) = enumeration::all_members(class, self) {
            let found = members.into_iter().find(|(member, _)| member == name);
            return found.map_or(Constant::Unknown, |(_, member)| member);
        }
        let is_plain = class.decorators.is_empty()
            && class.keywords.is_empty()
            && class.bases.is_empty()
            && class.names.doubts.is_empty();
        match class.names.get(name) {
            Some(binding) if is_plain && matches!(binding.value, Value::Expr(_)) => {
                let inner = self.within(class);
                let Value::Expr(value) = &binding.value else { return Constant::Unknown };
                let history = binding.history;
                let is_fixed = !(history.is_rebound || history.is_tampered || history.is_grown);
                // A function becomes a method: it keeps its name, but let pytest say so.
                if is_fixed && binding.doubt.is_none() {
                    inner.value(value)
                } else {
                    Constant::Unknown
                }
            }
            _ => Constant::Unknown,
        }
    }
}

/// `format(value, "")`.
fn formatted(value: &Constant, versions: &Versions) -> Option<String> {
    use super::constant::MemberKind;
    match value {
        Constant::Member(member) => match member.kind {
            MemberKind::Plain | MemberKind::StrEnum => member.str(versions),
            MemberKind::IntEnum => member.value.repr(),
            MemberKind::Int | MemberKind::Str => {
                let is_by_name = versions.mixed_enums_are_formatted_by_name()?;
                if is_by_name { member.str(versions) } else { member.value.str(versions) }
            }
        },
        other => other.str(versions),
    }
}

/// Whether `__name__` of a class of this file is the name in its text.
pub fn has_plain_name(class: &Class, scope: Scope) -> bool {
    // A metaclass may give the class another name.
    let plain =
        |base: &Expr| scope.qualified(base).and_then(|name| super::known::base(&name)).is_some();
    class.decorators.is_empty()
        && class.keywords.is_empty()
        && class.bases.iter().all(plain)
        && class.names.get("__name__").is_none()
}
