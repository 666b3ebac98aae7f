//! A namespace while statements bind names in it.

use std::collections::{HashMap, HashSet};

use ruff_python_ast::{self as ast, Expr as AstExpr};
use ruff_text_size::{Ranged, TextRange};

use super::expr::Converter;
use super::position::Positions;
use super::reflection;
use crate::syntax::{Binding, Doubt, Expr, History, Import, Namespace, Star, Value};

/// Dots of relative imports beyond this are not counted.
const MAX_LEVEL: usize = 100;

/// A namespace being filled.
pub struct Scope<'a> {
    positions: &'a Positions<'a>,
    /// In order of first binding; `None` where the name was deleted.
    bindings: Vec<Option<Binding>>,
    places: HashMap<String, usize>,
    /// Names that have been deleted once.
    deleted: HashSet<String>,
    doubts: Vec<Doubt>,
    stars: Vec<Star>,
    /// Names bound so far, those bound again counted again.
    clock: u32,
}

impl<'a> Scope<'a> {
    /// An empty namespace.
    pub fn new(positions: &'a Positions<'a>) -> Self {
        Self {
            positions,
            bindings: Vec::new(),
            places: HashMap::new(),
            deleted: HashSet::new(),
            doubts: Vec::new(),
            stars: Vec::new(),
            clock: 0,
        }
    }

    /// The names that are left at the end.
    pub fn into_namespace(self) -> Namespace {
        let bindings = self.bindings.into_iter().flatten().collect();
        let mut namespace = Namespace::new(bindings, self.doubts);
        namespace.stars = self.stars;
        namespace
    }

    fn tick(&mut self) -> u32 {
        self.clock = self.clock.saturating_add(1);
        self.clock
    }

    /// There may be names that are not seen.
    pub fn doubt(&mut self, doubt: Doubt) {
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    /// Take into account what evaluating `expr` may do, which may be a whole statement.
    pub fn effect_of(&mut self, expr: &AstExpr, is_statement: bool, doubt: Option<Doubt>) {
        if let Some(mutation) = reflection::mutation(expr) {
            self.extend(mutation.name, mutation.added, doubt);
        }
        // A call for its effect, `random.shuffle(VALUES)`, has it on what it is given.
        if let AstExpr::Call(call) = expr
            && is_statement
        {
            let names = call.arguments.args.iter().filter_map(AstExpr::as_name_expr);
            names.for_each(|name| self.tamper(&name.id));
        }
        if let Some(doubt) = reflection::effect(expr) {
            self.doubt(doubt);
            // `setattr(TestX, ...)`: the class has names that its body does not show.
            if let AstExpr::Call(call) = expr
                && let Some(AstExpr::Name(object)) = call.arguments.args.first()
            {
                self.doubt_class(&object.id, doubt);
            }
        }
    }

    /// A list gets `added` at its end, or a container is changed in a way that is not known.
    pub fn extend(&mut self, name: &str, added: Option<&[AstExpr]>, doubt: Option<Doubt>) {
        let Some(binding) = self.get(name) else { return };
        let Value::Expr(value) = &mut binding.value else {
            return self.tamper(name);
        };
        match (value.as_mut(), added) {
            (Expr::List(items), Some(added)) => {
                let mut converter = Converter::frugal();
                items.extend(added.iter().map(|item| converter.convert(item)));
                binding.doubt = binding.doubt.or(doubt);
                binding.history.is_grown = true;
            }
            (Expr::List(_), None) => **value = Expr::Container,
            _ => self.tamper(name),
        }
    }

    /// What `name` stands for may be changed in place, and so may what it is another name for.
    pub fn tamper(&mut self, name: &str) {
        let mut name = name.to_owned();
        while let Some(binding) = self.get(&name).filter(|known| !known.history.is_tampered) {
            binding.history.is_tampered = true;
            match &binding.value {
                Value::Expr(value) if let Expr::Name(original) = value.as_ref() => {
                    name.clone_from(original);
                }
                _ => return,
            }
        }
    }

    fn is_list(&mut self, name: &str) -> bool {
        matches!(
            self.get(name),
            Some(Binding { value: Value::Expr(value), .. }) if matches!(value.as_ref(), Expr::List(_))
        )
    }

    fn doubt_class(&mut self, name: &str, doubt: Doubt) {
        if let Some(Binding { value: Value::Class(class), .. }) = self.get(name)
            && !class.names.doubts.contains(&doubt)
        {
            class.names.doubts.push(doubt);
        }
    }

    fn get(&mut self, name: &str) -> Option<&mut Binding> {
        self.bindings.get_mut(*self.places.get(name)?)?.as_mut()
    }

    /// Bind `name`, which stands at `at`.
    pub fn bind(&mut self, name: &str, at: TextRange, value: Value, doubt: Option<Doubt>) {
        let now = self.tick();
        let first = self.get(name).map(|binding| binding.order.0);
        let is_bound = first.is_some();
        // Perhaps the value is still the one before. Of functions and classes it is enough to know one.
        let value = match value {
            Value::Expr(_) if is_bound && doubt.is_some() => Value::Unknown,
            value => value,
        };
        let range = self.positions.range(at);
        let order = (first.unwrap_or(now), now);
        // An import that is repeated changes nothing.
        let is_rebound = self.deleted.contains(name)
            || self.get(name).is_some_and(|old| old.history.is_rebound || old.value != value);
        let history = History { is_rebound, ..History::default() };
        let name_owned = name.to_owned();
        let binding =
            Binding { name: name_owned, order, value, range, doubt, test_flag: None, history };
        match self.places.get(name) {
            Some(&place) => self.bindings[place] = Some(binding),
            None => {
                self.places.insert(name.to_owned(), self.bindings.len());
                self.bindings.push(Some(binding));
            }
        }
    }

    /// Assign `value`, or what is not known, to a target.
    pub fn assign(&mut self, target: &AstExpr, value: Option<&AstExpr>, doubt: Option<Doubt>) {
        match target {
            AstExpr::Name(name) => {
                let value = value.map_or(Value::Unknown, |value| {
                    Value::Expr(Box::new(Converter::frugal().convert(value)))
                });
                self.bind(&name.id, name.range(), value, doubt);
            }
            AstExpr::Tuple(ast::ExprTuple { elts, .. })
            | AstExpr::List(ast::ExprList { elts, .. }) => {
                let values = match value {
                    Some(AstExpr::Tuple(tuple)) if tuple.elts.len() == elts.len() => {
                        Some(&tuple.elts)
                    }
                    _ => None,
                };
                for (index, element) in elts.iter().enumerate() {
                    self.unpack(element, values.and_then(|values| values.get(index)), doubt);
                }
            }
            AstExpr::Starred(starred) => self.unpack(&starred.value, None, doubt),
            AstExpr::Attribute(attribute) => self.assign_attribute(attribute, value, doubt),
            AstExpr::Subscript(subscript) if reflection::is_namespace(&subscript.value) => {
                self.doubt(Doubt::Reflection);
            }
            AstExpr::Subscript(subscript) => {
                if let AstExpr::Name(name) = subscript.value.as_ref() {
                    self.tamper(&name.id);
                }
            }
            _ => {}
        }
    }

    /// A part of a tuple target; parts of parts are unknown, so that nesting costs no stack.
    fn unpack(&mut self, target: &AstExpr, value: Option<&AstExpr>, doubt: Option<Doubt>) {
        match target {
            AstExpr::Name(_) | AstExpr::Attribute(_) | AstExpr::Subscript(_) => {
                self.assign(target, value, doubt)
            }
            AstExpr::Starred(starred) if starred.value.is_name_expr() => {
                self.assign(&starred.value, None, doubt)
            }
            _ => self.doubt(Doubt::TooDeep),
        }
    }

    fn assign_attribute(
        &mut self,
        target: &ast::ExprAttribute,
        value: Option<&AstExpr>,
        doubt: Option<Doubt>,
    ) {
        let AstExpr::Name(object) = target.value.as_ref() else { return };
        if target.attr.id == "__test__" {
            let flag = match (value, doubt) {
                (Some(value), None) => Converter::frugal().convert(value),
                _ => Expr::Other,
            };
            if let Some(binding) = self.get(&object.id) {
                binding.test_flag = Some(flag);
            }
        } else {
            self.doubt_class(&object.id, Doubt::Reflection);
        }
    }

    /// `target += value` and its like.
    pub fn augment(&mut self, assign: &ast::StmtAugAssign, doubt: Option<Doubt>) {
        match assign.target.as_ref() {
            AstExpr::Name(name) if assign.op == ast::Operator::Add => {
                if self.is_list(&name.id) {
                    self.extend(&name.id, reflection::display(&assign.value), doubt);
                } else {
                    self.assign(&assign.target, None, doubt);
                }
            }
            target => self.assign(target, None, doubt),
        }
    }

    /// `del target`.
    pub fn delete(&mut self, target: &AstExpr, doubt: Option<Doubt>) {
        match (target, doubt) {
            (AstExpr::Name(name), None) => {
                if let Some(place) = self.places.remove(name.id.as_str()) {
                    self.bindings[place] = None;
                    self.deleted.insert(name.id.to_string());
                }
                if !self.stars.is_empty() {
                    self.doubt(Doubt::StarImport);
                }
            }
            (AstExpr::Name(name), Some(doubt)) => {
                if let Some(binding) = self.get(&name.id) {
                    binding.doubt.get_or_insert(doubt);
                }
            }
            (AstExpr::Tuple(tuple), _) => {
                tuple
                    .elts
                    .iter()
                    .filter(|element| element.is_name_expr())
                    .for_each(|element| self.delete(element, doubt));
            }
            (AstExpr::Attribute(attribute), _) => {
                if let AstExpr::Name(object) = attribute.value.as_ref() {
                    self.doubt_class(&object.id, Doubt::Reflection);
                }
            }
            (AstExpr::Subscript(subscript), _) => {
                if let AstExpr::Name(name) = subscript.value.as_ref() {
                    self.tamper(&name.id);
                }
            }
            _ => {}
        }
    }

    /// `import a.b as c`.
    pub fn import(&mut self, import: &ast::StmtImport, doubt: Option<Doubt>) {
        for alias in &import.names {
            let full = alias.name.id.as_str();
            let top = full.split('.').next().unwrap_or(full);
            let (name, module) = match &alias.asname {
                Some(asname) => (asname.id.as_str(), full),
                None => (top, top),
            };
            self.bind(
                name,
                alias.range(),
                Value::Import(Import { module: module.to_owned(), name: None }),
                doubt,
            );
        }
    }

    /// `from a import b as c`.
    pub fn import_from(&mut self, import: &ast::StmtImportFrom, doubt: Option<Doubt>) {
        let dots = ".".repeat(usize::try_from(import.level).unwrap_or_default().min(MAX_LEVEL));
        let module = dots + import.module.as_ref().map_or("", |module| module.id.as_str());
        for alias in &import.names {
            if alias.name.id == "*" {
                let (order, range) = (self.tick(), self.positions.range(import.range()));
                self.stars.push(Star { module: module.clone(), order, range, doubt });
                continue;
            }
            let name = alias.asname.as_ref().unwrap_or(&alias.name).id.as_str();
            let import = Import { module: module.clone(), name: Some(alias.name.id.to_string()) };
            self.bind(name, alias.range(), Value::Import(import), doubt);
        }
    }
}
