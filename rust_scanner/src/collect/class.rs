//! Test classes and their members (`Class.collect`, `UnitTestCase.collect`; rules 10 to 12).

use std::collections::HashSet;

use super::constant::Constant;
use super::decorators::Decorated;
use super::evaluate::evaluate;
use super::fixtures::Level;
use super::foreign::{foreign_tests, truth};
use super::lineage::{Lineage, Member};
use super::marks::Marks;
use super::namespace::{Collector, Container, Draft};
use super::scope::{Object, Scope};
use crate::fnmatch::matches_name;
use crate::items::Kind;
use crate::syntax::{Binding, Class, Expr, Function, Range, Value};

/// A class that is going to be collected.
struct Candidate<'c, 'a> {
    binding: &'a Binding,
    class: &'a Class,
    range: Range,
    lineage: &'c Lineage<'a>,
    /// Why it may not be collected at all.
    doubt: Option<String>,
}

impl<'a> Collector<'a> {
    /// Collect a class, if it is one that holds tests.
    pub(super) fn test_class(
        &mut self,
        binding: &'a Binding,
        class: &'a Class,
        scope: Scope<'a>,
        container: &Container<'_, 'a>,
    ) {
        if container.classes.iter().any(|around| std::ptr::eq(*around, class)) {
            return;
        }
        let lineage = Lineage::of(class, scope);
        let flag = binding.test_flag.as_ref().or_else(|| lineage.test_flag());
        let is_named = matches_name(&binding.name, &self.options.python_classes)
            || flag == Some(&Expr::Bool(true));
        let may_be_unittest =
            lineage.is_unittest || lineage.doubt.is_some() && self.has_tests(&lineage);
        if !(is_named || may_be_unittest) || flag.map(truth) == Some(Some(false)) {
            return;
        }
        let skips_abstract = self.options.versions.abstract_classes_are_skipped();
        let is_abstract = lineage.is_abstract();
        // A `TestCase` among the unknown bases would have them collected nevertheless.
        if (is_abstract && skips_abstract || lineage.has_constructor()) && !may_be_unittest {
            return;
        }
        let unclear_flag =
            || (flag.map(truth) == Some(None)).then(|| "its __test__ is computed".to_owned());
        let doubt = lineage.doubt.clone().or_else(unclear_flag);
        if lineage.is_unittest && is_abstract && skips_abstract && doubt.is_none() {
            return;
        }
        let range = if scope.is_beside(self.scope) { class.range } else { binding.range };
        let range = container.range.unwrap_or(range);
        let candidate = Candidate { binding, class, range, lineage: &lineage, doubt };
        if is_abstract && !skips_abstract {
            return self.abstract_class(candidate, container);
        }
        self.class(&candidate, container);
    }

    /// An abstract class where they are not passed over: pytest fails to make an instance of it.
    fn abstract_class(&mut self, candidate: Candidate<'_, 'a>, container: &Container<'_, 'a>) {
        if candidate.lineage.is_unittest || candidate.doubt.is_some() {
            let doubt = candidate.doubt.or_else(|| Some("it is abstract".to_owned()));
            return self.class(&Candidate { doubt, ..candidate }, container);
        }
        let Candidate { binding, range, .. } = candidate;
        let draft =
            Draft { kind: Kind::Class, binding, range, marks: &Marks::default(), doubt: None };
        if let Some(place) = self.add(draft, container) {
            self.items[place].error = Some("it is abstract: no instance can be made".to_owned());
        }
    }

    fn class(&mut self, candidate: &Candidate<'_, 'a>, container: &Container<'_, 'a>) {
        let lineage = candidate.lineage;
        let marks = class_marks(lineage);
        let open = lineage.classes.iter().find_map(|Member { class, scope }| {
            let doubt = class.names.doubts.first().map(|doubt| doubt.reason().to_owned());
            doubt.or_else(|| foreign_tests(*scope, &class.names, self.options))
        });
        let draft = Draft {
            kind: Kind::Class,
            binding: candidate.binding,
            range: candidate.range,
            marks: &marks,
            doubt: candidate.doubt.clone().or(open),
        };
        let Some(place) = self.add(draft, container) else { return };
        // What may be hidden elsewhere makes the class uncertain, not what is seen of it.
        let certainty = candidate.binding.doubt.map(|doubt| doubt.reason().to_owned());
        let doubt = certainty
            .or_else(|| container.doubt.map(str::to_owned))
            .or_else(|| candidate.doubt.clone())
            .or_else(|| {
                let hook = lineage.get("pytest_generate_tests");
                hook.map(|_| "the class has pytest_generate_tests".to_owned())
            });
        let id = self.items[place].id.clone();
        let marks: Vec<&Marks> =
            std::iter::once(&marks).chain(container.marks.iter().copied()).collect();
        let own_level = Level::of_class(lineage);
        let levels: Vec<&Level> =
            std::iter::once(&own_level).chain(container.levels.iter().copied()).collect();
        let mut classes = container.classes.to_vec();
        classes.push(candidate.class);
        let inner = Container {
            place: Some(place),
            id: &id,
            marks: &marks,
            levels: &levels,
            doubt: doubt.as_deref(),
            classes: &classes,
            is_unittest: lineage.is_unittest,
            range: None,
        };
        let outcome = if lineage.is_unittest {
            if self.options.versions.test_cases_are_made_with_a_name() && refuses_a_name(lineage) {
                Err("its constructor does not take the name of a test".to_owned())
            } else {
                self.unittest(&inner, lineage)
            }
        } else {
            self.members(&inner, lineage)
        };
        if let Err(message) = outcome {
            self.items.truncate(place + 1);
            self.items[place].error = Some(message);
        } else if self.items.len() == place + 1 && self.options.mark_expression.is_some() {
            // pytest shows no class all of whose tests are deselected.
            self.items.truncate(place);
        }
    }

    /// Inherited members first, overrides at the subclass' position (rule 11).
    fn members(
        &mut self,
        container: &Container<'_, 'a>,
        lineage: &Lineage<'a>,
    ) -> Result<(), String> {
        let mut seen = HashSet::new();
        let mut by_class: Vec<(Scope, Vec<&Binding>)> = Vec::new();
        for Member { class, scope } in &lineage.classes {
            let own =
                class.names.bindings().iter().filter(|binding| seen.insert(binding.name.as_str()));
            by_class.push((*scope, own.collect()));
        }
        let range = container.place.map(|place| self.items[place].range);
        if lineage.is_patched() {
            let inherited = patched(&mut by_class);
            by_class.splice(0..0, inherited);
        }
        for (scope, bindings) in by_class.into_iter().rev() {
            // What is written elsewhere is shown at the class that inherits it.
            let range = range.filter(|_| container.range.is_some() || !scope.is_beside(self.scope));
            let container = Container { range, ..*container };
            bindings.into_iter().try_for_each(|binding| self.member(binding, scope, &container))?;
        }
        Ok(())
    }

    /// Methods `test*` in alphabetical order; `runTest` only if there are none (rule 12).
    ///
    /// # Errors
    /// Why pytest would fail to collect the class.
    fn unittest(
        &mut self,
        container: &Container<'_, 'a>,
        lineage: &Lineage<'a>,
    ) -> Result<(), String> {
        let mut names: Vec<&str> = lineage
            .classes
            .iter()
            .flat_map(|member| member.class.names.bindings())
            .map(|binding| binding.name.as_str())
            .filter(|name| name.starts_with("test"))
            .collect();
        names.sort_unstable();
        names.dedup();
        let mut found = false;
        let mut unclear = None;
        for name in names {
            let is_there = self.unittest_method(name, container, lineage);
            found |= is_there;
            let is_computed = |(_, binding): (Member, &Binding)| {
                matches!(binding.value, Value::Expr(_) | Value::Import(_) | Value::Unknown)
            };
            if !is_there && lineage.get(name).is_some_and(is_computed) {
                unclear = Some(format!("{name} may be a test, and then runTest is none"));
            }
        }
        let container = &Container { doubt: container.doubt.or(unclear.as_deref()), ..*container };
        if found || self.unittest_method("runTest", container, lineage) {
            return Ok(());
        }
        self.odd_run_test(container, lineage)
    }

    /// A `runTest` that is no function: pytest takes whatever it is for a test, and looks for its `__dict__`.
    fn odd_run_test(
        &mut self,
        container: &Container<'_, 'a>,
        lineage: &Lineage<'a>,
    ) -> Result<(), String> {
        let Some((Member { scope, .. }, binding)) = lineage.get("runTest") else { return Ok(()) };
        let value = match &binding.value {
            Value::Expr(value) => evaluate(value, scope, &self.options.versions),
            _ => Constant::Unknown,
        };
        match value {
            Constant::None => {}
            Constant::Unknown | Constant::Data | Constant::Object => {
                if let Some(place) = container.place {
                    self.items[place].doubt.get_or_insert("its runTest is computed".to_owned());
                }
            }
            _ => return Err("its runTest is no function".to_owned()),
        }
        Ok(())
    }

    /// Collect a method of a `TestCase`; whether there is one.
    fn unittest_method(
        &mut self,
        name: &str,
        container: &Container<'_, 'a>,
        lineage: &Lineage<'a>,
    ) -> bool {
        let Some((Member { scope, .. }, binding)) = lineage.get(name) else { return false };
        let Some((function, scope)) = method(binding, scope) else {
            return self.callable(binding, scope, container);
        };
        let range = container.place.map(|place| self.items[place].range);
        let range = range.filter(|_| !scope.is_beside(self.scope));
        let range = range.unwrap_or_else(|| super::namespace::definition(binding, function));
        let decorated = Decorated::by(&function.decorators, scope);
        if decorated.is_data || binding.test_flag.as_ref().map(truth) == Some(Some(false)) {
            return false;
        }
        let Decorated { marks, doubt, .. } = decorated;
        self.add(Draft { kind: Kind::Function, binding, range, marks: &marks, doubt }, container);
        true
    }

    /// A method of a `TestCase` that is no function, if it can be called: a class, a built-in function.
    fn callable(
        &mut self,
        binding: &'a Binding,
        scope: Scope<'a>,
        container: &Container<'_, 'a>,
    ) -> bool {
        let can_be_called = match &binding.value {
            Value::Class(_) => true,
            Value::Expr(value) => matches!(
                evaluate(value, scope, &self.options.versions),
                Constant::Named(_) | Constant::Enumeration(..)
            ),
            _ => false,
        };
        if can_be_called {
            let (kind, range) = (Kind::Function, binding.range);
            let draft = Draft { kind, binding, range, marks: &Marks::default(), doubt: None };
            self.add(draft, container);
        }
        can_be_called
    }

    /// Whether a class, or an ancestor in this file, has what would be tests in a `TestCase`.
    fn has_tests(&self, lineage: &Lineage) -> bool {
        let names = lineage.classes.iter().flat_map(|member| member.class.names.bindings());
        names.into_iter().any(|binding| {
            matches!(binding.value, Value::Function(_))
                && (binding.name.starts_with("test")
                    || matches_name(&binding.name, &self.options.python_functions))
        })
    }
}

/// Take inherited tests out: `mock.patch` on a class sets all of them anew, in alphabetical order, behind
/// its own. The last one comes first here.
fn patched<'a>(
    by_class: &mut [(Scope<'a>, Vec<&'a Binding>)],
) -> Vec<(Scope<'a>, Vec<&'a Binding>)> {
    let mut inherited = Vec::new();
    for (scope, bindings) in by_class.iter_mut().skip(1) {
        let (tests, others): (Vec<_>, Vec<_>) = std::mem::take(bindings)
            .into_iter()
            .partition(|binding| binding.name.starts_with("test"));
        *bindings = others;
        inherited.extend(tests.into_iter().map(|binding| (*scope, vec![binding])));
    }
    inherited.sort_by(|a, b| b.1[0].name.cmp(&a.1[0].name));
    inherited
}

/// The function that a method's name is bound to, and the scope of its decorators.
fn method<'a>(binding: &'a Binding, scope: Scope<'a>) -> Option<(&'a Function, Scope<'a>)> {
    if let Value::Function(function) = &binding.value {
        return Some((function, scope));
    }
    match scope.object_of_binding(binding) {
        Object::Bound(found) => Some((found.function()?, found.scope)),
        _ => None,
    }
}

/// Whether `Class("runTest")` surely fails for lack of a parameter, or with too many.
fn refuses_a_name(lineage: &Lineage) -> bool {
    let Some((_, Binding { value: Value::Function(constructor), doubt: None, .. })) =
        lineage.get("__init__")
    else {
        return false;
    };
    let positional = constructor.parameters.len();
    let required = constructor.parameters.iter().filter(|p| !p.has_default).count();
    constructor.decorators.is_empty() && (positional < 2 && !constructor.takes_more || required > 2)
}

/// A class' marks: those of its ancestors first (`get_unpacked_marks`).
fn class_marks<'a>(lineage: &Lineage<'a>) -> Marks<'a> {
    let mut marks = Marks::default();
    for Member { class, scope } in lineage.classes.iter().rev() {
        marks.extend(Marks::in_namespace(&class.names, *scope));
        marks.extend(Decorated::by(&class.decorators, scope.outside()).marks);
    }
    marks
}
