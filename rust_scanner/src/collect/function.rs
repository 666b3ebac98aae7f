//! The cases of one test function (rules 14 and 15).

use std::collections::HashSet;

use super::closure::{self, Request};
use super::decorators::Decorated;
use super::fixtures;
use super::known_plugins;
use super::marks::Mark;
use super::namespace::{Collector, Container};
use super::params::{self, Parametrization, Refusal};
use crate::syntax::{Expr, Function};

/// The cases of a function.
#[derive(Debug, Default)]
pub struct Cases {
    /// Their ids; empty where it is not parametrized.
    pub ids: Vec<Option<String>>,
    /// Whether some have marks of their own.
    pub have_marks: bool,
}

impl<'a> Collector<'a> {
    /// The cases of a function.
    ///
    /// # Errors
    /// Why that is not decided by the text, or fails.
    pub(super) fn cases(
        &self,
        function: &Function,
        decorated: &Decorated<'a>,
        container: &Container<'_, 'a>,
    ) -> Result<Cases, Refusal> {
        if container.is_unittest {
            return Ok(Cases::default());
        }
        let all_marks = || std::iter::once(&decorated.marks).chain(container.marks.iter().copied());
        if let Some(doubt) = all_marks().find_map(|marks| marks.doubt.as_ref()) {
            return Err(Refusal::Unclear(doubt.clone()));
        }
        let marks: Vec<&Mark> = all_marks().flat_map(|marks| &marks.list).collect();
        if let Some(mark) =
            marks.iter().find(|mark| known_plugins::is_parametrizing_mark(mark.name))
        {
            return Err(Refusal::Unclear(format!(
                "a plugin may parametrize by the mark {}",
                mark.name
            )));
        }
        let parametrizations: Vec<Parametrization> = marks
            .iter()
            .filter(|mark| mark.name == "parametrize")
            .map(|mark| params::parametrization(mark, self.options))
            .collect::<Result<_, _>>()?;
        let parametrized: HashSet<&str> =
            parametrizations.iter().flat_map(|mark| &mark.names).map(String::as_str).collect();
        let arguments = fixtures::requested(function, !container.classes.is_empty(), decorated);
        if let Some(unused) = parametrized.iter().find(|name| !arguments.contains(name)) {
            return Err(Refusal::Unclear(format!(
                "parametrize names '{unused}', which is no argument of the function"
            )));
        }
        let mut names = used_fixtures(&marks)?;
        names.extend(self.options.usefixtures.iter().map(String::as_str));
        names.extend(arguments);
        let indirect = indirect(&marks, &parametrizations);
        let direct = parametrized.difference(&indirect).copied().collect();
        let request = Request { names, parametrized, direct };
        let mut by_fixtures =
            closure::parametrizations(container.levels, &request, &self.hooks, self.options)?;
        by_fixtures.extend(parametrizations);
        let parametrizations = by_fixtures;
        let ids = params::cases(&parametrizations)?;
        if ids.len() > 1 && ids.contains(&None) {
            return Err(Refusal::unclear("one of its cases is hidden"));
        }
        // The second function that shares a mark: which it is depends on the order of collection.
        let may_share = !container.classes.is_empty()
            || container
                .marks
                .iter()
                .any(|marks| marks.list.iter().any(|mark| mark.name == "parametrize"));
        if may_share && parametrizations.iter().any(|mark| mark.changes_when_shared) {
            return Err(Refusal::unclear(
                "its ids depend on which function of several is collected first",
            ));
        }
        let have_marks = parametrizations.iter().any(|mark| mark.has_marks);
        Ok(Cases { ids, have_marks })
    }
}

/// The names that marks give to fixtures of these names, rather than to the function itself.
fn indirect<'p>(marks: &[&Mark], parametrizations: &'p [Parametrization]) -> HashSet<&'p str> {
    let marks = marks.iter().filter(|mark| mark.name == "parametrize");
    let of_mark = |(mark, parametrization): (&&Mark, &'p Parametrization)| {
        let indirect = mark.call.and_then(|call| call.argument(2, "indirect"));
        let names = parametrization.names.iter().map(String::as_str);
        let is_indirect = |name: &&str| match indirect {
            None | Some(Expr::Bool(false)) => false,
            Some(Expr::List(listed) | Expr::Tuple(listed)) => {
                listed.iter().any(|one| matches!(one, Expr::Str(text) if text == name))
            }
            Some(_) => true,
        };
        names.filter(is_indirect).collect::<Vec<_>>()
    };
    marks.zip(parametrizations).flat_map(of_mark).collect()
}

/// The fixtures named by `usefixtures` marks.
fn used_fixtures<'a>(marks: &[&Mark<'a>]) -> Result<Vec<&'a str>, Refusal> {
    let arguments = marks
        .iter()
        .filter(|mark| mark.name == "usefixtures")
        .flat_map(|mark| mark.call.map_or(&[][..], |call| call.args.as_slice()));
    arguments
        .map(|argument| match argument {
            Expr::Str(name) => Ok(name.as_str()),
            _ => Err(Refusal::unclear("an argument of usefixtures is not a literal")),
        })
        .collect()
}
