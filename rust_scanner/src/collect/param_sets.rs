//! The sets of values that `parametrize` is given, and the id of each (rules 15 and 16).

use super::params::MAX_CASES;
use super::scope::Scope;
use super::value_id::{self, ValueId};
use crate::syntax::{Call, Expr};

/// A set of values, before it has an id.
pub struct ParameterSet<'a> {
    values: Values<'a>,
    id: SetId<'a>,
    /// Whether it has marks of its own.
    pub has_marks: bool,
}

enum Values<'a> {
    One(&'a Expr),
    Many(&'a [Expr]),
    Int(i64),
}

enum SetId<'a> {
    Given(&'a Expr),
    Generated,
}

/// The sets in `values`; with `wrap` each value is a set of its own.
///
/// `None` where that is not decided by the text.
pub fn parameter_sets<'a>(
    values: &'a Expr,
    wrap: bool,
    scope: Scope,
) -> Option<Vec<ParameterSet<'a>>> {
    match values {
        Expr::List(values) | Expr::Tuple(values) => {
            values.iter().map(|value| parameter_set(value, wrap, scope)).collect()
        }
        Expr::Call(call)
            if wrap && scope.qualified(&call.func).as_deref() == Some("builtins.range") =>
        {
            let set = |value| ParameterSet {
                values: Values::Int(value),
                id: SetId::Generated,
                has_marks: false,
            };
            Some(range(call)?.map(set).collect())
        }
        _ => None,
    }
}

fn parameter_set<'a>(value: &'a Expr, wrap: bool, scope: Scope) -> Option<ParameterSet<'a>> {
    match value {
        Expr::Call(call) if scope.qualified(&call.func).as_deref() == Some("pytest.param") => {
            let id = match call.keyword("id") {
                None | Some(Expr::None) => SetId::Generated,
                Some(id) => SetId::Given(id),
            };
            (!call.is_unpacking()).then_some(ParameterSet {
                values: Values::Many(&call.args),
                id,
                has_marks: call.keyword("marks").is_some(),
            })
        }
        Expr::Starred(_) => None,
        value if may_be_parameter_set(value, scope) => None,
        value if wrap => Some(ParameterSet {
            values: Values::One(value),
            id: SetId::Generated,
            has_marks: false,
        }),
        Expr::List(values) | Expr::Tuple(values) => {
            let starred = values.iter().any(|value| matches!(value, Expr::Starred(_)));
            (!starred).then_some(ParameterSet {
                values: Values::Many(values),
                id: SetId::Generated,
                has_marks: false,
            })
        }
        _ => None,
    }
}

/// Whether a value is computed such that it may be a `pytest.param`, with an id of its own.
fn may_be_parameter_set(value: &Expr, scope: Scope) -> bool {
    matches!(
        value,
        Expr::Call(_) | Expr::Name(_) | Expr::Attribute(..) | Expr::Subscript(_) | Expr::Other
    ) && value_id::of_value(value, scope) == ValueId::Unknown
}

/// The numbers of `range(...)` with literal arguments.
fn range(call: &Call) -> Option<impl Iterator<Item = i64> + use<>> {
    let int = |expr: &Expr| match expr {
        // Smaller than the type, so that no sum or difference overflows.
        Expr::Int(digits) => digits.parse::<i32>().ok().map(i64::from),
        _ => None,
    };
    let (start, stop, step) = match call.args.as_slice() {
        [stop] => (0, int(stop)?, 1),
        [start, stop] => (int(start)?, int(stop)?, 1),
        [start, stop, step] => (int(start)?, int(stop)?, int(step)?),
        _ => return None,
    };
    let span = if step < 0 { start - stop } else { stop - start };
    let length = if span > 0 { (span - 1).checked_div(step.abs())? + 1 } else { 0 };
    let is_sound = step != 0 && call.keywords.is_empty();
    let is_small = usize::try_from(length).is_ok_and(|length| length <= MAX_CASES);
    (is_sound && is_small).then(|| (0..length).map(move |index| start + index * step))
}

impl ParameterSet<'_> {
    /// Its id, as the set number `index`, where `given` comes from `ids=`.
    ///
    /// `None` where the id is not decided by the text; `Some(None)` for a hidden set.
    pub fn id(
        &self,
        names: &[String],
        index: usize,
        given: Option<&Expr>,
        scope: Scope,
    ) -> Option<Option<String>> {
        let values = self.values.len();
        if values != names.len() {
            return None;
        }
        match (&self.id, given) {
            (SetId::Given(id), _) if is_hidden(id, scope) => Some(None),
            (SetId::Given(Expr::Str(id)), _) => Some(Some(value_id::escaped(id))),
            (SetId::Given(_), _) => None,
            (SetId::Generated, Some(id)) if is_hidden(id, scope) => Some(None),
            (SetId::Generated, None | Some(Expr::None)) => {
                self.generated(names, index, scope).map(Some)
            }
            (SetId::Generated, Some(id)) => value_id::of_supported(id, scope).map(Some),
        }
    }

    fn generated(&self, names: &[String], index: usize, scope: Scope) -> Option<String> {
        let values = match &self.values {
            Values::Int(value) => return Some(value.to_string()),
            Values::One(value) => std::slice::from_ref(*value),
            Values::Many(values) => values,
        };
        let ids: Option<Vec<String>> = values
            .iter()
            .zip(names)
            .map(|(value, name)| match value_id::of_value(value, scope) {
                ValueId::Text(text) => Some(text),
                ValueId::Indexed => Some(format!("{name}{index}")),
                ValueId::Unknown => None,
            })
            .collect();
        Some(ids?.join("-"))
    }
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Self::One(_) | Self::Int(_) => 1,
            Self::Many(values) => values.len(),
        }
    }
}

fn is_hidden(id: &Expr, scope: Scope) -> bool {
    scope.qualified(id).as_deref() == Some("pytest.HIDDEN_PARAM")
}
