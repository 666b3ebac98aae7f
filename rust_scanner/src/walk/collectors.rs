//! What a file is collected as, by pytest's own collectors and those of conftest.py files.

use std::path::Path;
use std::sync::Arc;

use super::Conftest;
use crate::collect::Roles;
use crate::config::ProjectConfig;
use crate::fnmatch::matches_path;
use crate::paths;
use crate::syntax::{Expr, Module, Value};

/// What the file at `path` is collected as; nothing where nobody collects it.
///
/// `is_given` says whether it is an argument itself (`python.py`, `doctest.py`: `pytest_collect_file`).
pub fn roles(
    path: &Path,
    is_given: bool,
    conftests: &[Arc<Conftest>],
    config: &ProjectConfig,
) -> Roles {
    let options = &config.options;
    let text = path.to_string_lossy();
    let matches = |patterns: &[String]| patterns.iter().any(|pattern| matches_path(&text, pattern));
    let suffix = path.extension().map(|suffix| suffix.to_string_lossy());
    let is_custom = suffix.as_ref().is_some_and(|suffix| {
        conftests.iter().any(|conftest| {
            collected_suffixes(&conftest.module).iter().any(|known| known[1..] == **suffix)
        })
    });
    if suffix.as_deref() == Some("py") {
        return Roles {
            is_module: is_given || matches(&options.python_files),
            is_doctest: options.doctest_modules && options.has_doctest && !is_script(path),
            is_text: false,
            is_custom,
        };
    }
    let is_text = options.has_doctest
        && (is_given && matches!(suffix.as_deref(), Some("txt" | "rst"))
            || if options.doctest_globs.is_empty() {
                matches_path(&text, "test*.txt")
            } else {
                matches(&options.doctest_globs)
            });
    Roles { is_module: false, is_doctest: false, is_text, is_custom }
}

/// `__main__.py`, and a `setup.py` that would install something.
fn is_script(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name == "__main__.py"
        || name == "setup.py"
            && std::fs::read(path).is_ok_and(|text| {
                ["setuptools", "distutils"]
                    .iter()
                    .any(|word| memchr::memmem::find(&text, word.as_bytes()).is_some())
            })
}

/// The suffixes that a conftest.py's `pytest_collect_file` mentions.
fn collected_suffixes(conftest: &Module) -> Vec<&str> {
    match conftest.names.get("pytest_collect_file").map(|binding| &binding.value) {
        Some(Value::Function(function)) => function.suffixes.iter().map(String::as_str).collect(),
        Some(Value::Expr(value)) => {
            let mut found = Vec::new();
            suffixes_in(value, &mut found);
            found
        }
        _ => Vec::new(),
    }
}

/// The suffixes in the arguments of a call such as `Sybil(patterns=["*.rst"]).pytest()`.
fn suffixes_in<'e>(expr: &'e Expr, found: &mut Vec<&'e str>) {
    match expr {
        Expr::Str(text) => found.extend(paths::suffix(text)),
        Expr::List(items) | Expr::Tuple(items) => {
            items.iter().for_each(|item| suffixes_in(item, found));
        }
        Expr::Attribute(value, _) => suffixes_in(value, found),
        Expr::Call(call) => {
            suffixes_in(&call.func, found);
            call.args.iter().for_each(|argument| suffixes_in(argument, found));
            let wanted = call.keywords.iter().filter(|(name, _)| {
                !name.as_deref().is_some_and(|name| name.starts_with("exclude"))
            });
            wanted.for_each(|(_, argument)| suffixes_in(argument, found));
        }
        _ => {}
    }
}
