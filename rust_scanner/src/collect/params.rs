//! `parametrize`: the cases of one mark, and of all marks together (rules 14, 15 and 18).

use std::collections::{HashMap, HashSet};

use super::calls::Callable;
use super::constant::Constant;
use super::evaluate::evaluate;
use super::marks::Mark;
use super::param_sets::{Ids, ParameterSet, parameter_set};
use crate::config::Options;
use crate::syntax::Expr;

/// More cases than this in one function are left to pytest.
pub const MAX_CASES: usize = 10_000;

/// Why a function has no cases.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The text does not decide them: why, for people.
    Unclear(String),
    /// pytest would fail to collect what the function is in: its message.
    Failure(String),
}

impl Refusal {
    /// For a reason that is known beforehand.
    pub fn unclear(reason: &str) -> Self {
        Self::Unclear(reason.to_owned())
    }
}

/// One mark's argument names, and the ids of its cases; `None` is a hidden one.
#[derive(Debug)]
pub struct Parametrization {
    /// The argument names.
    pub names: Vec<String>,
    /// Whether a case has marks of its own.
    pub has_marks: bool,
    /// Whether a function that shares the mark with one before it gets other ids. Where the mark has
    /// `ids=`, pytest keeps the ids that it made first and takes them as given later: it escapes them
    /// again, and numbers them again.
    pub changes_when_shared: bool,
    ids: Vec<Option<String>>,
}

/// What `@pytest.mark.parametrize(...)` makes of a function.
///
/// # Errors
/// Why that is not decided by the text, or fails.
pub fn parametrization(mark: &Mark, options: &Options) -> Result<Parametrization, Refusal> {
    let unclear = |what: &str| Refusal::Unclear(format!("{what} of parametrize is not a literal"));
    let call = mark.call.ok_or_else(|| Refusal::unclear("parametrize has no arguments"))?;
    if call.is_unpacking() {
        return Err(Refusal::unclear("parametrize has unpacked arguments"));
    }
    let value = |expr: &Expr| evaluate(expr, mark.scope, &options.versions);
    let names = call.argument(0, "argnames").ok_or_else(|| unclear("argnames"))?;
    let (names, wrap) = argument_names(value(names), options).ok_or_else(|| unclear("argnames"))?;
    let sets = call.argument(1, "argvalues").ok_or_else(|| unclear("argvalues"))?;
    let sets = parameter_sets(value(sets), wrap, &unclear)?;
    let ids = match call.argument(3, "ids") {
        None => Ids::Generated,
        Some(ids) => match mark.scope.qualified(ids).as_deref().and_then(Callable::of) {
            Some(function) => Ids::Called(function),
            // An empty list of sets becomes one set.
            None => given_ids(value(ids), sets.len().max(1))?,
        },
    };
    if sets.is_empty() {
        return empty(names, &ids, options);
    }
    if let Some(set) = sets.iter().find(|set| set.len() != names.len()) {
        return Err(Refusal::Failure(format!(
            "in \"parametrize\" the number of names ({}) must be equal to the number of values ({})",
            names.len(),
            set.len()
        )));
    }
    let resolved: Vec<Option<String>> = sets
        .iter()
        .enumerate()
        .map(|(index, set)| set.id(&names, index, &ids, options))
        .collect::<Result<_, _>>()?;
    if resolved.contains(&None) && !options.versions.has_hidden_param() {
        return Err(Refusal::unclear("HIDDEN_PARAM is not known to this pytest"));
    }
    let first = unique(resolved, options)?;
    let changes_when_shared =
        call.argument(3, "ids").is_some() && shared(&sets, &first, &names, options)? != first;
    Ok(Parametrization {
        names,
        has_marks: sets.iter().any(|set| set.has_marks),
        changes_when_shared,
        ids: first,
    })
}

/// The ids that the next function gets from a mark with `ids=` for which `first` were made.
fn shared(
    sets: &[ParameterSet],
    first: &[Option<String>],
    names: &[String],
    options: &Options,
) -> Result<Vec<Option<String>>, Refusal> {
    let kept = |id: &Option<String>| id.clone().map_or(Constant::Hidden, Constant::Str);
    let ids = Ids::Given(first.iter().map(kept).collect());
    let resolved: Vec<Option<String>> = sets
        .iter()
        .enumerate()
        .map(|(index, set)| set.id(names, index, &ids, options))
        .collect::<Result<_, _>>()?;
    unique(resolved, options)
}

fn parameter_sets(
    values: Constant,
    wrap: bool,
    unclear: &dyn Fn(&str) -> Refusal,
) -> Result<Vec<ParameterSet>, Refusal> {
    if matches!(values, Constant::Iterator(_)) {
        return Err(Refusal::unclear("argvalues of parametrize can be gone through only once"));
    }
    let values = values.into_values().ok_or_else(|| unclear("argvalues"))?;
    let sets: Option<Vec<_>> = values.into_iter().map(|value| parameter_set(value, wrap)).collect();
    sets.ok_or_else(|| unclear("a value"))
}

/// The one case of an empty list of sets, which is marked as to be skipped.
fn empty(names: Vec<String>, ids: &Ids, options: &Options) -> Result<Parametrization, Refusal> {
    if options.ids.empty_sets_fail {
        return Err(Refusal::Failure("Empty parameter set".to_owned()));
    }
    let id = if options.versions.empty_sets_are_called_notset() {
        "NOTSET".to_owned()
    } else if !matches!(ids, Ids::Generated) {
        return Err(Refusal::unclear("an empty list of parameter sets has ids"));
    } else {
        let parts: Vec<String> = names.iter().map(|name| format!("{name}0")).collect();
        parts.join("-")
    };
    Ok(Parametrization { names, has_marks: true, changes_when_shared: false, ids: vec![Some(id)] })
}

/// The ids in `ids=`, which is no function.
fn given_ids(ids: Constant, sets: usize) -> Result<Ids, Refusal> {
    let has_length = !matches!(ids, Constant::Iterator(_));
    let given = match ids {
        Constant::None => return Ok(Ids::Generated),
        Constant::Enumeration(..) => None,
        ids => ids.into_values(),
    };
    let given = given.ok_or_else(|| Refusal::unclear("the ids of parametrize are not literals"))?;
    // No ids at all are taken as none given.
    if has_length && !given.is_empty() && given.len() != sets {
        return Err(Refusal::Failure(format!(
            "{sets} parameter sets specified, with different number of ids: {}",
            given.len()
        )));
    }
    Ok(Ids::Given(given))
}

/// The ids of a function's cases, from those of its marks, in pytest's order.
///
/// Empty where no mark parametrizes; a case is `None` where all its parts are hidden.
///
/// # Errors
/// Why that is not decided by the text, or fails.
pub fn cases(marks: &[Parametrization]) -> Result<Vec<Option<String>>, Refusal> {
    let count = marks.iter().try_fold(1_usize, |count, mark| count.checked_mul(mark.ids.len()));
    if count.is_none_or(|count| count > MAX_CASES) {
        return Err(Refusal::unclear("it has very many cases"));
    }
    let mut names = HashSet::new();
    if let Some(twice) = marks.iter().flat_map(|mark| &mark.names).find(|name| !names.insert(*name))
    {
        return Err(Refusal::Failure(format!("duplicate parametrization of '{twice}'")));
    }
    let mut cases = if marks.is_empty() { Vec::new() } else { vec![None] };
    for mark in marks {
        let extended = |head: &Option<String>| {
            let head = head.clone();
            mark.ids.iter().map(move |id| joined(head.as_deref(), id.as_deref()))
        };
        cases = cases.iter().flat_map(extended).collect();
    }
    Ok(cases)
}

fn joined(head: Option<&str>, id: Option<&str>) -> Option<String> {
    match (head, id) {
        (Some(head), Some(id)) => Some(format!("{head}-{id}")),
        (one, None) | (None, one) => one.map(str::to_owned),
    }
}

/// The names, and whether each value stands for itself rather than for a tuple of values.
fn argument_names(names: Constant, options: &Options) -> Option<(Vec<String>, bool)> {
    match names {
        Constant::Str(text) => {
            let names: Vec<_> = text
                .split(',')
                .map(crate::pystr::strip)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
            let has_comma = options.versions.trailing_comma_means_tuples()
                && crate::pystr::rstrip(&text).ends_with(',');
            let wrap = names.len() == 1 && !has_comma;
            Some((names, wrap))
        }
        Constant::List(names) | Constant::Tuple(names) => {
            let name = |name: Constant| match name {
                Constant::Str(name) => Some(name),
                _ => None,
            };
            Some((names.into_iter().map(name).collect::<Option<_>>()?, false))
        }
        _ => None,
    }
}

/// Number the ids that come more than once (`make_unique_parameterset_ids`).
///
/// # Errors
/// Where pytest refuses several of the same name.
fn unique(mut ids: Vec<Option<String>>, options: &Options) -> Result<Vec<Option<String>>, Refusal> {
    let mut counts: HashMap<Option<String>, usize> = HashMap::new();
    for id in &ids {
        *counts.entry(id.clone()).or_default() += 1;
    }
    if counts.len() == ids.len() {
        return Ok(ids);
    }
    if options.ids.are_strict() && options.versions.has_strict_parametrization_ids() {
        return Err(Refusal::Failure(
            "Duplicate parametrization IDs detected, but strict_parametrization_ids is set"
                .to_owned(),
        ));
    }
    if counts.get(&None).is_some_and(|count| *count > 1) {
        return Err(Refusal::Failure(
            "multiple instances of HIDDEN_PARAM cannot be used in the same parametrize call"
                .to_owned(),
        ));
    }
    let mut taken: HashMap<Option<String>, usize> = counts.clone();
    let mut next: HashMap<String, usize> = HashMap::new();
    for place in &mut ids {
        let Some(id) = place.clone() else { continue };
        if counts.get(place).is_none_or(|count| *count < 2) {
            continue;
        }
        let separator = if id.chars().next_back().is_some_and(is_digit) { "_" } else { "" };
        let number = next.entry(id.clone()).or_default();
        let mut name = Some(format!("{id}{separator}{number}"));
        while taken.get(&name).is_some_and(|count| *count > 0) {
            *number += 1;
            name = Some(format!("{id}{separator}{number}"));
        }
        *number += 1;
        // pytest looks a new name up among the ids as they are by now.
        if let Some(count) = taken.get_mut(place) {
            *count -= 1;
        }
        *taken.entry(name.clone()).or_default() += 1;
        *place = name;
    }
    Ok(ids)
}

/// `str.isdigit`, of the characters that an id can end in: escaping leaves ASCII only.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(ids: &[&str]) -> Vec<String> {
        let ids = ids.iter().map(|id| Some((*id).to_owned())).collect();
        unique(ids, &Options::default()).into_iter().flatten().flatten().collect()
    }

    #[test]
    fn duplicates_are_numbered_around_names_in_use() {
        assert_eq!(numbered(&["a", "a", "a0"]), ["a1", "a2", "a0"]);
        assert_eq!(numbered(&["1", "1"]), ["1_0", "1_1"]);
        assert_eq!(numbered(&["a", "b", "a", "b"]), ["a0", "b0", "a1", "b1"]);
        assert_eq!(numbered(&["", ""]), ["0", "1"]);
    }

    #[test]
    fn marks_multiply_first_one_slowest() {
        let mark = |name: &str, ids: &[&str]| Parametrization {
            names: vec![name.to_owned()],
            has_marks: false,
            changes_when_shared: false,
            ids: ids.iter().map(|id| Some((*id).to_owned())).collect(),
        };
        let both = cases(&[mark("x", &["a", "b"]), mark("y", &["1", "2"])]);
        assert_eq!(both, Ok(["a-1", "a-2", "b-1", "b-2"].map(|id| Some(id.to_owned())).to_vec()));
        assert_eq!(cases(&[]), Ok(Vec::new()));
        assert!(cases(&[mark("x", &["a"]), mark("x", &["b"])]).is_err());
    }
}
