//! Looking names up, in one file and beyond it.

use std::path::Path;

use super::known;
use super::world::{File, World, split};
use crate::resolve::Resolution;
use crate::syntax::{Binding, Class, Expr, Function, Import, Module, Namespace, Value};

/// Aliases of aliases, and imports of imports, beyond this are not followed.
const MAX_ALIASES: usize = 40;

/// Where an expression stands: in a module, perhaps in the body of a class.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// All other files.
    pub world: &'a World<'a>,
    /// The module's file.
    pub path: &'a Path,
    /// The module.
    pub module: &'a Module,
    /// The innermost class' body; Python does not look into outer ones.
    pub class: Option<&'a Namespace>,
}

/// A definition or a computed value, and the scope it is written in.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The binding.
    pub binding: &'a Binding,
    /// Where it is.
    pub scope: Scope<'a>,
}

impl<'a> Found<'a> {
    /// The class, if it is one.
    pub fn class(&self) -> Option<&'a Class> {
        match &self.binding.value {
            Value::Class(class) => Some(class),
            _ => None,
        }
    }

    /// The function, if it is one.
    pub fn function(&self) -> Option<&'a Function> {
        match &self.binding.value {
            Value::Function(function) => Some(function),
            Value::Expr(value) => match value.as_ref() {
                Expr::Lambda(function) => Some(function),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What an expression names.
#[derive(Debug)]
pub enum Object<'a> {
    /// Something defined or computed in a file that was read.
    Bound(Found<'a>),
    /// A module, and its name as imported.
    Module(Resolution, String),
    /// Something known by its full name, or whose module has no source: `pytest.mark`, `builtins.int`.
    Foreign(String),
    /// Computed, or not surely bound to one thing.
    Unknown,
}

/// How far imports are followed.
#[derive(Clone, Copy)]
struct Trail {
    steps: usize,
    /// Also into modules whose names are known by themselves.
    is_deep: bool,
    /// Only up to the first name that is assigned something, whatever that is.
    is_to_values: bool,
}

impl Trail {
    const PLAIN: Self = Self { steps: 0, is_deep: false, is_to_values: false };

    fn next(self) -> Self {
        Self { steps: self.steps + 1, ..self }
    }
}

impl<'a> Scope<'a> {
    /// A module's own scope.
    pub fn of(world: &'a World<'a>, file: &'a File) -> Self {
        Self { world, path: &file.path, module: &file.module, class: None }
    }

    /// The scope of a class' body in the same module.
    pub fn within(self, class: &'a Class) -> Self {
        Self { class: Some(&class.names), ..self }
    }

    /// The scope of the module itself.
    pub fn outside(self) -> Self {
        Self { class: None, ..self }
    }

    /// Whether both are in one file.
    pub fn is_beside(self, other: Scope) -> bool {
        self.path == other.path
    }

    /// What a name is bound to, and where.
    pub fn lookup(self, name: &str) -> Option<Found<'a>> {
        if let Some(binding) = self.class.and_then(|names| names.get(name)) {
            return Some(Found { binding, scope: self });
        }
        let binding = self.module.names.get(name)?;
        Some(Found { binding, scope: self.outside() })
    }

    /// The definition or computed value that `expr` names, in whichever file.
    pub fn found(self, expr: &Expr) -> Option<Found<'a>> {
        match self.object(expr) {
            Object::Bound(found) => Some(found),
            _ => None,
        }
    }

    /// The class that `expr` names, in whichever file.
    pub fn class(self, expr: &Expr) -> Option<&'a Class> {
        self.found(expr)?.class()
    }

    /// The full name of the foreign object that `expr` names: `pytest.mark`, `builtins.int`.
    ///
    /// `None` for what is defined in a file that was read, computed, or not surely bound.
    pub fn qualified(self, expr: &Expr) -> Option<String> {
        match self.object(expr) {
            Object::Foreign(name) | Object::Module(_, name) => Some(name),
            Object::Bound(_) | Object::Unknown => None,
        }
    }

    /// What `expr` names, imports followed; names that are known by themselves are not.
    pub fn object(self, expr: &Expr) -> Object<'a> {
        self.object_of(expr, Trail::PLAIN)
    }

    /// What `expr` names, as far as there is source for it.
    pub fn deep_object(self, expr: &Expr) -> Object<'a> {
        self.object_of(expr, Trail { is_deep: true, ..Trail::PLAIN })
    }

    /// The name, in whichever file, that is assigned what `expr` stands for; imports are followed, the
    /// assigned expression is not.
    pub fn assigned(self, expr: &Expr) -> Option<Found<'a>> {
        match self.object_of(expr, Trail { is_to_values: true, ..Trail::PLAIN }) {
            Object::Bound(found) => Some(found),
            _ => None,
        }
    }

    /// What a binding of this scope stands for.
    pub fn object_of_binding(self, binding: &'a Binding) -> Object<'a> {
        self.meaning(binding, Trail::PLAIN)
    }

    /// Whether an import leads to a file of the project.
    pub fn is_of_project(self, import: &Import) -> bool {
        let (module, level) = split(&import.module);
        !known::is_settled(&import.module)
            && self
                .world
                .resolve(self.path, module, level)
                .source()
                .is_some_and(|source| self.world.is_first_party(source))
    }

    /// What an import of this scope stands for, even if it is not sure that it is executed.
    pub fn object_of_import(self, import: &Import) -> Object<'a> {
        self.imported(import, Trail::PLAIN)
    }

    fn object_of(self, expr: &Expr, trail: Trail) -> Object<'a> {
        match expr {
            Expr::Name(name) => match self.lookup(name) {
                // What it was bound to where it was read is not known if that changed.
                Some(found) if found.binding.history.is_rebound => Object::Unknown,
                Some(found) => found.scope.meaning(found.binding, trail),
                None if self.module.names.stars.is_empty() => {
                    Object::Foreign(format!("builtins.{name}"))
                }
                None => Object::Unknown,
            },
            Expr::Attribute(value, name) => match self.object_of(value, trail.next()) {
                Object::Module(module, full) => self.member(&module, &full, name, trail),
                Object::Foreign(full) => Object::Foreign(format!("{full}.{name}")),
                Object::Bound(found) => match found.class() {
                    Some(class) => found.scope.class_member(class, name, trail),
                    None => Object::Unknown,
                },
                Object::Unknown => Object::Unknown,
            },
            _ => Object::Unknown,
        }
    }

    /// What `name` means in a class of this scope. Metaclasses such as that of enumerations make other
    /// things of values; definitions stay what they are.
    fn class_member(self, class: &'a Class, name: &str, trail: Trail) -> Object<'a> {
        let Some(binding) = class.names.get(name) else { return Object::Unknown };
        let is_definition = matches!(binding.value, Value::Function(_) | Value::Class(_));
        let is_plain = class.bases.is_empty() && class.keywords.is_empty();
        if is_definition || is_plain && class.decorators.is_empty() {
            self.within(class).meaning(binding, trail.next())
        } else {
            Object::Unknown
        }
    }

    fn meaning(self, binding: &'a Binding, trail: Trail) -> Object<'a> {
        if binding.doubt.is_some() || trail.steps > MAX_ALIASES {
            return Object::Unknown;
        }
        match &binding.value {
            Value::Import(import) => self.imported(import, trail.next()),
            Value::Expr(value)
                if !trail.is_to_values
                    && matches!(value.as_ref(), Expr::Name(_) | Expr::Attribute(..)) =>
            {
                // A name that is assigned itself means the one outside.
                match value.as_ref() {
                    Expr::Name(name) if *name == binding.name => {
                        self.outside().object_of(value, trail.next())
                    }
                    _ => self.object_of(value, trail.next()),
                }
            }
            Value::Unknown => Object::Unknown,
            _ => Object::Bound(Found { binding, scope: self }),
        }
    }

    fn imported(self, import: &Import, trail: Trail) -> Object<'a> {
        let full = full_name(import);
        if !trail.is_deep && known::is_settled(&full) {
            return Object::Foreign(full);
        }
        let (module, level) = split(&import.module);
        let resolution = self.world.resolve(self.path, module, level);
        match &import.name {
            None => Object::Module(resolution, full),
            Some(name) => self.member(&resolution, &import.module, name, trail),
        }
    }

    /// The name `name` in a module.
    fn member(self, module: &Resolution, full: &str, name: &str, trail: Trail) -> Object<'a> {
        let separator = if full.ends_with('.') { "" } else { "." };
        let full = format!("{full}{separator}{name}");
        if !trail.is_deep && known::is_settled(&full) {
            return Object::Foreign(full);
        }
        if let Resolution::Source(source) = module {
            let Some(file) = self.world.file(source) else { return Object::Foreign(full) };
            let scope = Scope::of(self.world, file);
            if let Some(binding) = file.module.names.get(name) {
                // `from . import x` in a package binds its own submodule.
                let is_own = source.ends_with("__init__.py")
                    && matches!(&binding.value, Value::Import(import)
                    if import.name.as_deref() == Some(name) && split(&import.module).0.is_empty());
                if !is_own {
                    return scope.meaning(binding, trail.next());
                }
            }
        }
        if matches!(module, Resolution::Compiled | Resolution::Missing) {
            return Object::Foreign(full);
        }
        match self.world.submodule(module, name) {
            Resolution::Missing => Object::Unknown,
            found => Object::Module(found, full),
        }
    }
}

/// The full name of an imported object.
pub fn full_name(import: &Import) -> String {
    match &import.name {
        None => import.module.clone(),
        Some(name) if import.module.ends_with('.') => format!("{}{name}", import.module),
        Some(name) => format!("{}.{name}", import.module),
    }
}

/// The name by which people know `expr`, for reasons given to them.
pub fn display(expr: &Expr) -> String {
    match expr {
        Expr::Name(name) => name.clone(),
        Expr::Attribute(value, name) => format!("{}.{name}", display(value)),
        Expr::Call(call) => format!("{}()", display(&call.func)),
        Expr::Subscript(value) => format!("{}[]", display(value)),
        _ => "an expression".to_owned(),
    }
}
