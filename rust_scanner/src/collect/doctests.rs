//! Doctests: what `doctest.DocTestFinder` finds in a module, and in a text (`_pytest/doctest.py`).

use std::path::Path;

use super::decorators::Decorated;
use super::known::{self, Decorator};
use super::marks::Marks;
use super::namespace::{Collector, Container, Draft};
use super::scope::Scope;
use crate::config::{ImportMode, Options};
use crate::items::Kind;
use crate::syntax::{Binding, Class, History, Module, Namespace, Range, Value};

/// One docstring with examples.
struct Docstring {
    name: String,
    range: Range,
    doubt: Option<String>,
}

impl<'a> Collector<'a> {
    /// Add the doctests of the module called `name`, sorted as doctest sorts them.
    pub fn doctests(&mut self, name: &str, marks: &Marks<'a>) {
        let module = self.scope.module;
        let mut found = Vec::new();
        if module.has_examples {
            found.push(Docstring { name: name.to_owned(), range: Range::default(), doubt: None });
        }
        names_of(name, &module.names, self.scope, None, &mut found);
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.into_iter().for_each(|docstring| self.doctest(docstring, marks));
    }

    /// Add the one doctest of a text file called `name`.
    pub fn text_doctest(&mut self, name: &str) {
        if self.scope.module.has_examples {
            let docstring =
                Docstring { name: name.to_owned(), range: Range::default(), doubt: None };
            self.doctest(docstring, &Marks::default());
        }
    }

    fn doctest(&mut self, docstring: Docstring, marks: &Marks<'a>) {
        let Docstring { name, range, doubt } = docstring;
        let value = Value::Unknown;
        let history = History::default();
        let binding =
            Binding { name, order: (0, 0), value, range, doubt: None, test_flag: None, history };
        let around = [marks];
        let container = Container::module(self.id, &around, &[]);
        let marks = &Marks::default();
        self.add(
            Draft { kind: Kind::Function, binding: &binding, range, marks, doubt },
            &container,
        );
    }
}

/// The docstrings of what a module or class defines itself; what is imported belongs to others.
fn names_of<'a>(
    prefix: &str,
    names: &'a Namespace,
    scope: Scope<'a>,
    around: Option<&str>,
    found: &mut Vec<Docstring>,
) {
    let in_class = scope.class.is_some();
    for binding in names.bindings() {
        let doubt = binding.doubt.map(|doubt| doubt.reason().to_owned());
        let doubt = around.map(str::to_owned).or(doubt);
        let name = format!("{prefix}.{}", binding.name);
        match &binding.value {
            Value::Function(function) if function.has_examples => {
                let decorated = Decorated::by(&function.decorators, scope);
                let is_property = in_class
                    && function.decorators.iter().any(|decorator| {
                        scope.qualified(decorator).as_deref() == Some("builtins.property")
                    });
                if !decorated.is_data || is_property {
                    let doubt = doubt.or(decorated.doubt);
                    found.push(Docstring { name, range: function.range, doubt });
                }
            }
            Value::Class(class) => of_class(name, class, scope, doubt, found),
            _ => {}
        }
    }
}

fn of_class<'a>(
    name: String,
    class: &'a Class,
    scope: Scope<'a>,
    doubt: Option<String>,
    found: &mut Vec<Docstring>,
) {
    let is_known = |decorator: &crate::syntax::Expr| {
        let func = match decorator {
            crate::syntax::Expr::Call(call) => &call.func,
            other => other,
        };
        let kind = scope.qualified(func).and_then(|name| known::decorator(&name));
        matches!(kind, Some(Decorator::Dataclass | Decorator::Transparent))
    };
    // Of a class, decorators mostly give the same class back; only what they do else is not known.
    let unclear = class.decorators.iter().any(|decorator| !is_known(decorator));
    let doubt = doubt.or(unclear.then(|| "a decorator may replace it".to_owned()));
    names_of(&name, &class.names, scope.within(class), doubt.as_deref(), found);
    if class.has_examples {
        found.push(Docstring { name, range: class.range, doubt });
    }
}

/// The name under which pytest imports the file at `path`
/// (`_pytest/pathlib.py::resolve_pkg_root_and_module_name`, `module_name_from_path`).
///
/// `package_root` is the directory that it is imported from, if it lies in a package.
pub fn module_name(path: &Path, package_root: &Path, root: &Path, options: &Options) -> String {
    let in_package =
        path.parent() != Some(package_root) && options.versions.importlib_mode_knows_packages();
    let base = match options.import_mode {
        ImportMode::Importlib if !in_package => root,
        _ => package_root,
    };
    let relative = path.with_extension("");
    let relative = relative.strip_prefix(base).unwrap_or(&relative);
    let mut parts: Vec<String> = relative
        .iter()
        .map(|part| part.to_string_lossy().replace('.', "_"))
        .filter(|part| part != "/")
        .collect();
    if parts.len() > 1 && parts.last().is_some_and(|last| last == "__init__") {
        parts.pop();
    }
    parts.join(".")
}

/// Why a module may have doctests that its docstrings do not show.
pub fn doubt(module: &Module) -> Option<String> {
    module.names.get("__test__").map(|_| "its __test__ may hold doctests".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules() {
        let name = |path: &str, package_root: &str, mode| {
            let options = Options { import_mode: mode, ..Options::default() };
            module_name(Path::new(path), Path::new(package_root), Path::new("/r"), &options)
        };
        use ImportMode::{Importlib, Prepend};
        assert_eq!(name("/r/src/a/b.py", "/r/src", Prepend), "a.b");
        assert_eq!(name("/r/src/a/__init__.py", "/r/src", Prepend), "a");
        assert_eq!(name("/r/docs/conf.py", "/r/docs", Prepend), "conf");
        assert_eq!(name("/r/docs/conf.py", "/r/docs", Importlib), "docs.conf");
        assert_eq!(name("/r/src/a/b.py", "/r/src", Importlib), "a.b");
        assert_eq!(name("/r/a.b/c.py", "/r/a.b", Importlib), "a_b.c");
    }
}
