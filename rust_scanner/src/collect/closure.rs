//! All fixtures that a test uses, and what their parameters add to its cases (rule 14).

use std::collections::{HashMap, HashSet};

use super::fixtures::{Known, Level};
use super::known_plugins;
use super::marks::Mark;
use super::params::{self, Parametrization, Refusal};
use crate::config::Options;
use crate::syntax::{Call, Expr};

/// A `pytest_generate_tests`.
#[derive(Debug, Clone)]
pub struct Generator<'a> {
    /// Where it is, for people.
    pub reason: String,
    /// The names that it may parametrize; `None` where that is not known. A test that does not use one
    /// of them has no cases of it: to parametrize an unused name is an error.
    pub names: Option<&'a [String]>,
}

/// What a test asks for.
pub struct Request<'r> {
    /// Fixtures by name, in pytest's order: of marks, then arguments.
    pub names: Vec<&'r str>,
    /// Names that the test's own marks parametrize, so that fixtures' parameters do not count.
    pub parametrized: HashSet<&'r str>,
    /// Those of them that stand for no fixture at all.
    pub direct: HashSet<&'r str>,
}

/// What the parameters of the fixtures that a test uses make of it, in pytest's order.
///
/// `levels` are those that the test sees, nearest first.
///
/// # Errors
/// Why that is not decided by the text, for people.
pub fn parametrizations(
    levels: &[&Level],
    request: &Request,
    hooks: &[Generator],
    options: &Options,
) -> Result<Vec<Parametrization>, Refusal> {
    let autouse: Vec<&str> = levels.iter().rev().flat_map(|level| level.autouse()).collect();
    if autouse.is_empty() && request.names.iter().all(|name| request.direct.contains(name)) {
        return Ok(Vec::new());
    }
    if let Some(hook) = hooks.iter().find(|hook| hook.names.is_none()) {
        return Err(Refusal::unclear(&hook.reason));
    }
    let mut closure = Closure { levels, direct: &request.direct, hooks, known: HashMap::new() };
    let names: Vec<&str> = autouse.into_iter().chain(request.names.iter().copied()).collect();
    // Since pytest 9.1 what a fixture asks for comes right behind it, before that in rounds.
    let deep = closure.depth_first(&names).map_err(Refusal::Unclear)?;
    let parametrized = closure.with_parameters(&deep, request).map_err(Refusal::Unclear)?;
    if parametrized.len() > 1 {
        let wide = closure.breadth_first(&names).map_err(Refusal::Unclear)?;
        if closure.with_parameters(&wide, request).as_ref() != Ok(&parametrized) {
            return Err(Refusal::unclear(
                "the order of its fixtures' parameters depends on pytest's version",
            ));
        }
    }
    parametrized
        .iter()
        .map(|(name, index)| closure.parametrization(name, *index, options))
        .collect()
}

struct Closure<'c, 'l, 'a> {
    levels: &'c [&'l Level<'a>],
    direct: &'c HashSet<&'c str>,
    hooks: &'c [Generator<'c>],
    /// Definitions by name, nearest first.
    known: HashMap<String, Vec<Known<'l, 'a>>>,
}

impl<'l, 'a> Closure<'_, 'l, 'a> {
    /// Look up the definitions of `name`.
    fn look_up(&mut self, name: &str) -> Result<(), String> {
        let generates = |hook: &&Generator| {
            hook.names.is_some_and(|names| names.iter().any(|generated| generated == name))
        };
        if let Some(hook) = self.hooks.iter().find(generates) {
            return Err(hook.reason.clone());
        }
        if self.known.contains_key(name) || self.direct.contains(name) {
            return Ok(());
        }
        let mut found: Vec<Known<'l, 'a>> = Vec::new();
        for level in self.levels {
            // What overrides a fixture without asking for it hides it.
            if found.last().is_some_and(|last| !last.requested.contains(&name)) {
                break;
            }
            found.extend(level.get(name)?);
        }
        if found.is_empty() && !known_plugins::is_plain_fixture(name) {
            return Err(format!("the fixture {name} is not defined in this file or a conftest.py"));
        }
        self.known.insert(name.to_owned(), found);
        Ok(())
    }

    fn requested(&self, name: &str, index: usize) -> Vec<&'a str> {
        let found = self.known.get(name).and_then(|found| found.get(index));
        found.map_or_else(Vec::new, |fixture| fixture.requested.clone())
    }

    /// `traverse_fixture_closure`.
    fn depth_first(&mut self, names: &[&str]) -> Result<Vec<String>, String> {
        let mut closure = Vec::new();
        let mut seen: HashSet<(String, usize)> = HashSet::new();
        // What is still to be looked at, the next one last.
        let mut todo: Vec<(String, usize)> =
            names.iter().rev().map(|name| ((*name).to_owned(), 0)).collect();
        while let Some((name, index)) = todo.pop() {
            if !seen.insert((name.clone(), index)) {
                continue;
            }
            self.look_up(&name)?;
            let requested = self.requested(&name, index);
            todo.extend(requested.into_iter().rev().map(|other| {
                // A fixture that asks for its own name means the one it overrides.
                (other.to_owned(), if other == name { index + 1 } else { 0 })
            }));
            if !closure.contains(&name) {
                closure.push(name);
            }
        }
        Ok(closure)
    }

    /// `getfixtureclosure` before pytest 9.1.
    fn breadth_first(&mut self, names: &[&str]) -> Result<Vec<String>, String> {
        let mut closure: Vec<String> = Vec::new();
        for name in names {
            if !closure.iter().any(|known| known == name) {
                closure.push((*name).to_owned());
            }
        }
        let mut index = 0;
        while let Some(name) = closure.get(index).cloned() {
            self.look_up(&name)?;
            for other in self.requested(&name, 0) {
                if !closure.iter().any(|known| known == other) {
                    closure.push(other.to_owned());
                }
            }
            index += 1;
        }
        Ok(closure)
    }

    /// The fixtures with parameters, in the order of their scopes; which definition it is.
    fn with_parameters(
        &self,
        closure: &[String],
        request: &Request,
    ) -> Result<Vec<(String, usize)>, String> {
        let mut found = Vec::new();
        for name in closure.iter().filter(|name| !request.parametrized.contains(name.as_str())) {
            let definitions = self.known.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            if let Some(index) = definitions.iter().position(|fixture| fixture.params.is_some()) {
                found.push((name.clone(), index, definitions[0].lifetime));
            }
        }
        if found.len() > 1
            && let Some((name, ..)) = found.iter().find(|(_, _, lifetime)| lifetime.is_none())
        {
            return Err(format!("the scope of the fixture {name} is computed"));
        }
        found.sort_by_key(|(_, _, lifetime)| std::cmp::Reverse(*lifetime));
        Ok(found.into_iter().map(|(name, index, _)| (name, index)).collect())
    }

    /// What a fixture's parameters make of a test: the same as a mark with its name would.
    fn parametrization(
        &self,
        name: &str,
        index: usize,
        options: &Options,
    ) -> Result<Parametrization, Refusal> {
        let unclear = |problem: &str| {
            Refusal::Unclear(format!("the fixture {name} has parameters: {problem}"))
        };
        let fixture = self.known.get(name).and_then(|found| found.get(index));
        let Some((fixture, (params, ids))) = fixture.and_then(|it| Some((it, it.params?))) else {
            return Err(unclear("not found"));
        };
        let call = Call {
            func: Expr::Other,
            args: vec![Expr::Str(name.to_owned()), params.clone()],
            keywords: ids.map(|ids| (Some("ids".to_owned()), ids.clone())).into_iter().collect(),
        };
        let mark = Mark { name: "parametrize", call: Some(&call), scope: fixture.scope };
        params::parametrization(&mark, options).map_err(|refusal| match refusal {
            Refusal::Unclear(problem) => unclear(&problem),
            failure @ Refusal::Failure(_) => failure,
        })
    }
}
