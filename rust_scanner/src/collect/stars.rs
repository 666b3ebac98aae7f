//! What star imports bind, put in their place among the other names of a namespace.

use std::collections::HashMap;

use crate::syntax::{Binding, Doubt, Expr, History, Import, Namespace, Star, Value};

/// The names that `from module import *` binds, and whether they are surely these.
pub struct Exported {
    names: Vec<String>,
    is_certain: bool,
}

impl Exported {
    /// Of the module with these names.
    pub fn of(names: &Namespace) -> Self {
        let is_closed = names.stars.is_empty() && names.doubts.is_empty();
        let public = || {
            let names = names.bindings().iter().map(|binding| binding.name.clone());
            names.filter(|name| !name.starts_with('_')).collect()
        };
        let Some(all) = names.get("__all__") else {
            return Self { names: public(), is_certain: is_closed };
        };
        match literal_names(all) {
            // What is listed is there, or the import fails.
            Some(listed) => Self { names: listed, is_certain: true },
            None => Self { names: public(), is_certain: false },
        }
    }
}

fn literal_names(all: &Binding) -> Option<Vec<String>> {
    let Value::Expr(value) = &all.value else { return None };
    let (Expr::List(items) | Expr::Tuple(items)) = value.as_ref() else { return None };
    let text = |item: &Expr| match item {
        Expr::Str(text) => Some(text.clone()),
        _ => None,
    };
    if all.doubt.is_some() { None } else { items.iter().map(text).collect() }
}

/// A namespace while the names of star imports are put in.
pub struct Expansion {
    bindings: Vec<Binding>,
    places: HashMap<String, usize>,
    /// Star imports that are not known, or not all of what they bind.
    pub left: Vec<Star>,
}

impl Expansion {
    /// Of this namespace.
    pub fn of(names: &Namespace) -> Self {
        let bindings = names.bindings().to_vec();
        let places =
            bindings.iter().enumerate().map(|(place, binding)| (binding.name.clone(), place));
        Self { places: places.collect(), bindings, left: Vec::new() }
    }

    /// Put in what a star import binds.
    pub fn add(&mut self, star: &Star, exported: Exported) {
        let is_certain = exported.is_certain;
        if !is_certain {
            self.left.push(star.clone());
        }
        for name in exported.names {
            let uncertain = (!is_certain).then_some(Doubt::StarImport);
            let import = Import { module: star.module.clone(), name: Some(name.clone()) };
            let mut binding = Binding {
                history: History::default(),
                name: name.clone(),
                order: (star.order, star.order),
                value: Value::Import(import),
                range: star.range,
                doubt: star.doubt.or(uncertain),
                test_flag: None,
            };
            match self.places.get(&name) {
                None => {
                    self.places.insert(name, self.bindings.len());
                    self.bindings.push(binding);
                }
                Some(&place) => {
                    let known = &mut self.bindings[place];
                    let first = known.order.0.min(star.order);
                    if star.order > known.order.1 {
                        if binding.doubt.is_some() {
                            binding.value = Value::Unknown;
                        }
                        *known = binding;
                        known.order.1 = star.order;
                    }
                    known.order.0 = first;
                }
            }
        }
    }

    /// In the order of `__dict__`; the names of one star import keep theirs.
    pub fn finish(mut self, doubts: &[Doubt]) -> Namespace {
        self.bindings.sort_by_key(|binding| binding.order.0);
        let mut names = Namespace::new(self.bindings, doubts.to_vec());
        names.stars = self.left;
        names
    }
}
