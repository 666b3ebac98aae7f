//! `parametrize`: the cases of one mark, and of all marks together (rules 14, 15 and 18).

use std::collections::{HashMap, HashSet};

use super::marks::Mark;
use super::param_sets::parameter_sets;
use crate::syntax::Expr;

/// More cases than this in one function are left to pytest.
pub const MAX_CASES: usize = 10_000;

/// One mark's argument names, and the ids of its cases; `None` is a hidden one.
#[derive(Debug)]
pub struct Parametrization {
    /// The argument names.
    pub names: Vec<String>,
    /// Whether a case has marks of its own.
    pub has_marks: bool,
    ids: Vec<Option<String>>,
}

/// What `@pytest.mark.parametrize(...)` makes of a function.
///
/// # Errors
/// Why that is not decided by the text, for people.
pub fn parametrization(mark: &Mark) -> Result<Parametrization, String> {
    let unclear = |what: &str| format!("{what} of parametrize is not a literal");
    let call = mark.call.ok_or_else(|| "parametrize has no arguments".to_owned())?;
    if call.is_unpacking() {
        return Err("parametrize has unpacked arguments".to_owned());
    }
    let names = call.argument(0, "argnames").ok_or_else(|| unclear("argnames"))?;
    let (names, wrap) = argument_names(names).ok_or_else(|| unclear("argnames"))?;
    let sets = call.argument(1, "argvalues").ok_or_else(|| unclear("argvalues"))?;
    let sets = parameter_sets(sets, wrap, mark.scope).ok_or_else(|| unclear("argvalues"))?;
    let given = match call.argument(3, "ids") {
        None | Some(Expr::None) => &[],
        Some(Expr::List(ids) | Expr::Tuple(ids)) => ids.as_slice(),
        Some(_) => return Err("the ids of parametrize are not literals".to_owned()),
    };
    if !given.is_empty() && given.len() != sets.len() {
        return Err(format!(
            "parametrize has {} parameter sets and {} ids",
            sets.len(),
            given.len()
        ));
    }
    if sets.is_empty() {
        // Its only case is marked as to be skipped.
        return Ok(Parametrization {
            names,
            has_marks: true,
            ids: vec![Some("NOTSET".to_owned())],
        });
    }
    let ids: Option<Vec<_>> = sets
        .iter()
        .enumerate()
        .map(|(index, set)| set.id(&names, index, given.get(index), mark.scope))
        .collect();
    let ids = ids.ok_or_else(|| "a value of parametrize is not a literal".to_owned())?;
    let has_marks = sets.iter().any(|set| set.has_marks);
    Ok(Parametrization {
        names,
        has_marks,
        ids: unique(ids).ok_or_else(|| "parametrize hides several cases".to_owned())?,
    })
}

/// The ids of a function's cases, from those of its marks, in pytest's order.
///
/// Empty where no mark parametrizes; a case is `None` where all its parts are hidden.
///
/// # Errors
/// Why that is not decided by the text, for people.
pub fn cases(marks: &[Parametrization]) -> Result<Vec<Option<String>>, String> {
    let count = marks.iter().try_fold(1_usize, |count, mark| count.checked_mul(mark.ids.len()));
    if count.is_none_or(|count| count > MAX_CASES) {
        return Err("it has very many cases".to_owned());
    }
    let mut names = HashSet::new();
    if let Some(twice) = marks.iter().flat_map(|mark| &mark.names).find(|name| !names.insert(*name))
    {
        return Err(format!("duplicate parametrization of '{twice}'"));
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
fn argument_names(names: &Expr) -> Option<(Vec<String>, bool)> {
    match names {
        Expr::Str(text) => {
            let names: Vec<_> = text
                .split(',')
                .map(crate::pystr::strip)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
            // Since pytest 9.1 a trailing comma means tuples, as it does in Python.
            let wrap = names.len() == 1 && !crate::pystr::rstrip(text).ends_with(',');
            Some((names, wrap))
        }
        Expr::List(names) | Expr::Tuple(names) => {
            let name = |name: &Expr| match name {
                Expr::Str(name) => Some(name.clone()),
                _ => None,
            };
            Some((names.iter().map(name).collect::<Option<_>>()?, false))
        }
        _ => None,
    }
}

/// Number the ids that come more than once (`make_unique_parameterset_ids`).
///
/// `None` where several are hidden, which pytest refuses.
fn unique(mut ids: Vec<Option<String>>) -> Option<Vec<Option<String>>> {
    let mut counts: HashMap<Option<String>, usize> = HashMap::new();
    for id in &ids {
        *counts.entry(id.clone()).or_default() += 1;
    }
    if counts.len() == ids.len() {
        return Some(ids);
    }
    if counts.get(&None).is_some_and(|count| *count > 1) {
        return None;
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
    Some(ids)
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
        unique(ids).into_iter().flatten().flatten().collect()
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
            ids: ids.iter().map(|id| Some((*id).to_owned())).collect(),
        };
        let both = cases(&[mark("x", &["a", "b"]), mark("y", &["1", "2"])]);
        assert_eq!(both, Ok(["a-1", "a-2", "b-1", "b-2"].map(|id| Some(id.to_owned())).to_vec()));
        assert_eq!(cases(&[]), Ok(Vec::new()));
        assert!(cases(&[mark("x", &["a"]), mark("x", &["b"])]).is_err());
    }
}
