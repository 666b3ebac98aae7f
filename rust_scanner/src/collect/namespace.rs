//! Walking a namespace: what each name yields (`PyCollector.collect`, `pytest_pycollect_makeitem`).

use super::closure::Generator;
use super::decorators::Decorated;
use super::fixtures::Level;
use super::foreign::truth;
use super::function::Cases;
use super::known;
use super::marks::Marks;
use super::params::Refusal;
use super::scope::{Object, Scope};
use super::select;
use crate::config::Options;
use crate::fnmatch::matches_name;
use crate::items::{Item, Kind};
use crate::syntax::{Binding, Class, Expr, Function, Import, Range, Value};

/// Collects the items of one file.
pub struct Collector<'a> {
    pub(super) options: &'a Options,
    /// Hooks that may parametrize tests.
    pub(super) hooks: Vec<Generator<'a>>,
    /// The module's scope.
    pub(super) scope: Scope<'a>,
    pub(super) items: Vec<Item>,
    pub(super) id: &'a str,
    levels: Vec<Level<'a>>,
}

/// The module or class that is being walked.
#[derive(Clone, Copy)]
pub(super) struct Container<'c, 'a> {
    pub(super) place: Option<usize>,
    pub(super) id: &'c str,
    /// Marks of the container and those around it, nearest first.
    pub(super) marks: &'c [&'c Marks<'a>],
    /// Places of fixtures, nearest first.
    pub(super) levels: &'c [&'c Level<'a>],
    /// Why nothing in it is certain.
    pub(super) doubt: Option<&'c str>,
    /// Classes around, which an alias may lead back to.
    pub(super) classes: &'c [&'a Class],
    pub(super) is_unittest: bool,
    /// Where to show what is written in another file.
    pub(super) range: Option<Range>,
}

impl<'c, 'a> Container<'c, 'a> {
    /// A module.
    pub(super) fn module(
        id: &'c str,
        marks: &'c [&'c Marks<'a>],
        levels: &'c [&'c Level<'a>],
    ) -> Self {
        Self {
            place: None,
            id,
            marks,
            levels,
            doubt: None,
            classes: &[],
            is_unittest: false,
            range: None,
        }
    }
}

/// An item that is about to be added.
pub(super) struct Draft<'d, 'a> {
    pub(super) kind: Kind,
    pub(super) binding: &'d Binding,
    pub(super) range: Range,
    pub(super) marks: &'d Marks<'a>,
    /// Why it is not certain, beyond what makes its name and its container uncertain.
    pub(super) doubt: Option<String>,
}

impl<'a> Collector<'a> {
    /// For the file with the node id `id`, whose fixtures are looked for in `levels`.
    pub fn new(
        id: &'a str,
        options: &'a Options,
        scope: Scope<'a>,
        levels: Vec<Level<'a>>,
        hooks: Vec<Generator<'a>>,
    ) -> Self {
        Self { options, hooks, scope, items: Vec::new(), id, levels }
    }

    /// What was collected.
    pub fn into_items(self) -> Vec<Item> {
        self.items
    }

    /// Collect the module itself, whose own marks are `marks`.
    ///
    /// # Errors
    /// Why pytest would fail to collect the module.
    pub fn module(&mut self, marks: &Marks<'a>) -> Result<(), String> {
        let levels = std::mem::take(&mut self.levels);
        let levels: Vec<&Level> = levels.iter().collect();
        let marks = [marks];
        let container = Container::module(self.id, &marks, &levels);
        let scope = self.scope;
        let mut bindings = scope.module.names.bindings().iter();
        bindings.try_for_each(|binding| self.member(binding, scope, &container))
    }

    /// One name of a module or class.
    pub(super) fn member(
        &mut self,
        binding: &'a Binding,
        scope: Scope<'a>,
        container: &Container<'_, 'a>,
    ) -> Result<(), String> {
        if known::is_ignored_attribute(&binding.name) {
            return Ok(());
        }
        match &binding.value {
            Value::Function(function) => self.test_function(binding, function, scope, container),
            Value::Class(class) => {
                self.test_class(binding, class, scope.outside(), container);
                Ok(())
            }
            Value::Expr(value) => match value.as_ref() {
                Expr::Lambda(function) => self.test_function(binding, function, scope, container),
                Expr::Call(call) if is_partial(&call.func, scope) => {
                    self.test_partial(binding, container);
                    Ok(())
                }
                Expr::Name(_) | Expr::Attribute(..) => self.alias(binding, scope, container),
                _ => Ok(()),
            },
            Value::Import(import) => {
                let counts = self.options.collect_imported_tests || container.place.is_some();
                if counts && import.name.is_some() && self.may_be_test(binding, import, scope) {
                    self.alias(binding, scope, container)
                } else {
                    Ok(())
                }
            }
            Value::Unknown => Ok(()),
        }
    }

    /// Whether an imported name is looked into: by its own name, by that of a module for tests, or
    /// because it is a class of the project that may be a `TestCase`, which counts under any name.
    fn may_be_test(&self, binding: &'a Binding, import: &Import, scope: Scope<'a>) -> bool {
        super::foreign::is_suspect(&binding.name, self.options)
            || binding.test_flag.is_some()
            || binding.name.starts_with(char::is_uppercase)
                && (super::foreign::is_of_tests(&import.module)
                    || super::foreign::is_test_case(import, scope, self.options))
    }

    /// A name for what is written elsewhere.
    fn alias(
        &mut self,
        binding: &'a Binding,
        scope: Scope<'a>,
        container: &Container<'_, 'a>,
    ) -> Result<(), String> {
        // What is not sure is shown, as far as it leads to something.
        let object = match (&binding.value, binding.doubt) {
            (Value::Import(import), Some(_)) => scope.object_of_import(import),
            _ => scope.object_of_binding(binding),
        };
        let Object::Bound(found) = object else { return Ok(()) };
        if !self.options.collect_imported_tests
            && container.place.is_none()
            && !found.scope.is_beside(self.scope)
        {
            return Ok(());
        }
        let container = &Container {
            range: container
                .range
                .or((!found.scope.is_beside(self.scope)).then_some(binding.range)),
            ..*container
        };
        if let Some(function) = found.function() {
            return self.test_function(binding, function, found.scope, container);
        }
        if let Some(class) = found.class() {
            self.test_class(binding, class, found.scope.outside(), container);
        }
        Ok(())
    }

    fn test_function(
        &mut self,
        binding: &'a Binding,
        function: &'a Function,
        scope: Scope<'a>,
        container: &Container<'_, 'a>,
    ) -> Result<(), String> {
        let decorated = Decorated::by(&function.decorators, scope);
        let flag = binding.test_flag.as_ref().map(truth);
        let is_named = matches_name(&binding.name, &self.options.python_functions)
            || binding.test_flag == Some(Expr::Bool(true));
        if !is_named
            || flag == Some(Some(false))
            || decorated.fixture.is_some()
            || decorated.is_data
        {
            return Ok(());
        }
        let is_generator = function.is_generator && !function.is_async && !decorated.is_wrapped;
        let versions = self.options.versions;
        // Where a statement is half typed, nothing else is to vanish for what it says so far.
        let is_sound = self.scope.module.error.is_none();
        if is_generator && binding.doubt.is_none() && versions.yield_tests_are_errors() && is_sound
        {
            let name = &binding.name;
            return Err(format!(
                "'yield' keyword is allowed in fixtures, but not in tests ({name})"
            ));
        }
        let cases = if is_generator && !versions.yield_tests_are_errors() {
            Ok(Cases::default())
        } else {
            self.cases(function, &decorated, container)
        };
        let is_certain = is_sound && binding.doubt.is_none() && decorated.doubt.is_none();
        let (cases, doubt) = match cases {
            Ok(cases) => (cases, None),
            Err(Refusal::Failure(message)) if is_certain && container.doubt.is_none() => {
                return Err(format!("In {}::{}: {message}", container.id, binding.name));
            }
            Err(Refusal::Unclear(reason) | Refusal::Failure(reason)) => {
                (Cases::default(), Some(reason))
            }
        };
        let unclear_flag = (flag == Some(None)).then(|| "its __test__ is computed".to_owned());
        let unclear_marks = (cases.have_marks && self.options.mark_expression.is_some())
            .then(|| "addopts has -m, and its cases have marks".to_owned());
        let draft = Draft {
            kind: Kind::Function,
            binding,
            range: container.range.unwrap_or_else(|| definition(binding, function)),
            marks: &decorated.marks,
            doubt: unclear_flag.or(decorated.doubt).or(doubt).or(unclear_marks),
        };
        if let Some(place) = self.add(draft, container) {
            self.add_cases(place, &cases.ids);
        }
        Ok(())
    }

    /// A `functools.partial`: which arguments are left is not looked into.
    fn test_partial(&mut self, binding: &Binding, container: &Container) {
        if matches_name(&binding.name, &self.options.python_functions) {
            let (kind, range) = (Kind::Function, binding.range);
            let doubt = Some("it is a partial function".to_owned());
            self.add(Draft { kind, binding, range, marks: &Marks::default(), doubt }, container);
        }
    }

    /// Add an item; its place, unless `-m` in `addopts` drops it.
    pub(super) fn add(&mut self, draft: Draft, container: &Container) -> Option<usize> {
        let Draft { kind, binding, range, marks, doubt } = draft;
        let doubt = binding
            .doubt
            .map(|doubt| doubt.reason().to_owned())
            .or_else(|| container.doubt.map(str::to_owned))
            .or(doubt);
        let doubt = match self.is_selected(kind, marks, doubt.is_some(), container) {
            Some(true) => doubt,
            Some(false) => return None,
            None => doubt.or_else(|| Some("addopts has -m".to_owned())),
        };
        self.items.push(Item {
            id: format!("{}::{}", container.id, binding.name),
            label: binding.name.clone(),
            kind,
            parent: container.place,
            range,
            tags: tags(marks, container),
            doubt,
            error: None,
        });
        Some(self.items.len() - 1)
    }

    fn is_selected(
        &self,
        kind: Kind,
        own: &Marks,
        is_uncertain: bool,
        container: &Container,
    ) -> Option<bool> {
        let Some(expression) = &self.options.mark_expression else { return Some(true) };
        if kind != Kind::Function {
            return Some(true);
        }
        let marks = || std::iter::once(own).chain(container.marks.iter().copied());
        let may_be_more = is_uncertain || marks().any(|marks| marks.doubt.is_some());
        let has = |name: &str| {
            let is_known = marks().flat_map(|marks| &marks.list).any(|mark| mark.name == name);
            if is_known { Some(true) } else { (!may_be_more).then_some(false) }
        };
        select::keeps(expression, &has)
    }

    fn add_cases(&mut self, place: usize, cases: &[Option<String>]) {
        for case in cases.iter().flatten() {
            let function = &self.items[place];
            let item = Item {
                id: format!("{}[{case}]", function.id),
                label: case.clone(),
                kind: Kind::Case,
                parent: Some(place),
                range: function.range,
                tags: function.tags.clone(),
                doubt: function.doubt.clone(),
                error: None,
            };
            self.items.push(item);
        }
    }
}

/// Where a test is written: a lambda is at the name it is assigned to.
pub(super) fn definition(binding: &Binding, function: &Function) -> Range {
    if matches!(binding.value, Value::Expr(_)) && function.range == Range::default() {
        return binding.range;
    }
    function.range
}

fn is_partial(func: &Expr, scope: Scope) -> bool {
    scope.qualified(func).as_deref() == Some("functools.partial")
}

/// The names of an item's marks, nearest first, but for those that have served their purpose.
fn tags(own: &Marks, container: &Container) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for mark in own.list.iter().chain(container.marks.iter().flat_map(|marks| &marks.list)) {
        let is_used_up = matches!(mark.name, "parametrize" | "usefixtures");
        if !is_used_up && !tags.iter().any(|tag| tag == mark.name) {
            tags.push(mark.name.to_owned());
        }
    }
    tags
}
