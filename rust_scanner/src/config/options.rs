//! The options that decide what is collected (`Config.getini` for the type `args`).

use std::path::Path;

use toml::Value;

use super::source::{Setting, Settings};
use crate::pystr::{quoted, shlex_split};

/// The options, each with pytest's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Globs of test files' names or paths.
    pub python_files: Vec<String>,
    /// Prefixes or globs of test classes' names.
    pub python_classes: Vec<String>,
    /// Prefixes or globs of test functions' and methods' names.
    pub python_functions: Vec<String>,
    /// Globs, relative to rootdir, of what is collected without arguments.
    pub testpaths: Vec<String>,
    /// Globs of directories that are not entered.
    pub norecursedirs: Vec<String>,
    /// Fixtures that every test uses.
    pub usefixtures: Vec<String>,
    /// Whether tests count that a module has imported.
    pub collect_imported_tests: bool,
    /// `--ignore` in `addopts`, relative to the working directory.
    pub ignore: Vec<String>,
    /// `--ignore-glob` in `addopts`, relative to the working directory.
    pub ignore_glob: Vec<String>,
    /// `--collect-in-virtualenv` in `addopts`.
    pub collect_in_virtualenv: bool,
    /// `--doctest-modules` in `addopts`.
    pub doctest_modules: bool,
    /// `-m` in `addopts`.
    pub mark_expression: Option<String>,
    /// An option in `addopts` by which pytest drops items: `-k` or `--deselect`.
    pub deselecting: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        let list = |items: &[&str]| items.iter().copied().map(str::to_owned).collect();
        Self {
            python_files: list(&["test_*.py", "*_test.py"]),
            python_classes: list(&["Test"]),
            python_functions: list(&["test"]),
            testpaths: Vec::new(),
            norecursedirs: list(&[
                "*.egg",
                ".*",
                "_darcs",
                "build",
                "CVS",
                "dist",
                "node_modules",
                "venv",
                "{arch}",
            ]),
            usefixtures: Vec::new(),
            collect_imported_tests: true,
            ignore: Vec::new(),
            ignore_glob: Vec::new(),
            collect_in_virtualenv: false,
            doctest_modules: false,
            mark_expression: None,
            deselecting: None,
        }
    }
}

impl Options {
    /// The options as set in `settings`, which come from `inifile`.
    ///
    /// # Errors
    /// The text of pytest's `UsageError` for a value of the wrong type.
    pub fn read(settings: &Settings, inifile: Option<&Path>) -> Result<Self, String> {
        let mut options = Self::default();
        for (name, setting) in settings {
            let problem_of = |problem: String| {
                let file = inifile.map_or_else(String::new, |path| format!("{}: ", path.display()));
                format!("{file}config option '{name}' {problem}")
            };
            let option = match name.as_str() {
                "collect_imported_tests" => {
                    options.collect_imported_tests = truth(setting).map_err(problem_of)?;
                    continue;
                }
                "addopts" => {
                    options.read_arguments(&words(setting).map_err(problem_of)?);
                    continue;
                }
                "usefixtures" => &mut options.usefixtures,
                "python_files" => &mut options.python_files,
                "python_classes" => &mut options.python_classes,
                "python_functions" => &mut options.python_functions,
                "testpaths" => &mut options.testpaths,
                "norecursedirs" => &mut options.norecursedirs,
                _ => continue,
            };
            *option = words(setting).map_err(problem_of)?;
        }
        Ok(options)
    }
}

impl Options {
    /// The command line in `addopts`, as far as it changes what is collected.
    fn read_arguments(&mut self, words: &[String]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            match name {
                "--ignore" => self.ignore.extend(value.or_else(|| words.next().cloned())),
                "--ignore-glob" => self.ignore_glob.extend(value.or_else(|| words.next().cloned())),
                "--collect-in-virtualenv" => self.collect_in_virtualenv = true,
                "--doctest-modules" => self.doctest_modules = true,
                "--deselect" => self.deselecting = Some("--deselect"),
                "-k" => self.deselecting = words.next().map(|_| "-k"),
                "-m" => {
                    self.mark_expression = words.next().cloned().filter(|text| !text.is_empty())
                }
                _ => {}
            }
        }
    }
}

/// A value of the type `args`.
fn words(setting: &Setting) -> Result<Vec<String>, String> {
    match setting {
        Setting::Text(text) => {
            shlex_split(text).map_err(|problem| format!("is malformed: {problem}"))
        }
        Setting::List(list) | Setting::Native(Value::Array(list)) => {
            list.iter().enumerate().map(|(index, item)| word(index, item)).collect()
        }
        Setting::Native(value) => Err(format!(
            "expects a list for type 'args', got {}: {}",
            type_name(value),
            repr(value)
        )),
    }
}

/// A value of the type `bool` (`_strtobool`).
fn truth(setting: &Setting) -> Result<bool, String> {
    let text = match setting {
        Setting::Native(Value::Boolean(value)) => return Ok(*value),
        Setting::Native(value) => {
            return Err(format!("expects a bool, got {}: {}", type_name(value), repr(value)));
        }
        Setting::Text(text) => text.as_str(),
        Setting::List(_) => "a list",
    };
    match crate::pystr::strip(text).to_lowercase().as_str() {
        "y" | "yes" | "t" | "true" | "on" | "1" => Ok(true),
        "n" | "no" | "f" | "false" | "off" | "0" => Ok(false),
        _ => Err(format!("is malformed: invalid truth value {}", quoted(text))),
    }
}

fn word(index: usize, item: &Value) -> Result<String, String> {
    item.as_str().map(str::to_owned).ok_or_else(|| {
        let kind = type_name(item);
        format!("expects a list of strings, but item at index {index} is {kind}: {}", repr(item))
    })
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "str",
        Value::Integer(_) => "int",
        Value::Float(_) => "float",
        Value::Boolean(_) => "bool",
        Value::Datetime(_) => "datetime",
        Value::Array(_) => "list",
        Value::Table(_) => "dict",
    }
}

fn repr(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Boolean(true) => "True".to_owned(),
        Value::Boolean(false) => "False".to_owned(),
        other => other.to_string(),
    }
}
