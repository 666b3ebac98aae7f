//! The options that decide what is collected (`Config.getini` for the type `args`).

use std::path::Path;

use toml::Value;

use super::ids::IdOptions;
use super::plugins::PluginOptions;
use super::source::{Setting, Settings};
use crate::pyrepr::message as quoted;
use crate::pystr::shlex_split;
use crate::versions::Versions;

/// Which directories pytest adds to the search path for the files it imports (`--import-mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImportMode {
    /// Those of the files' packages, before all others.
    #[default]
    Prepend,
    /// The same, behind all others.
    Append,
    /// None.
    Importlib,
}

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
    /// The versions of pytest and Python that the options are for.
    pub versions: Versions,
    /// What decides what cases are called.
    pub ids: IdOptions,
    /// Which installed plugins are loaded.
    pub plugins: PluginOptions,
    /// Directories added to the search path, relative to the configuration file's.
    pub pythonpath: Vec<String>,
    /// Whether directories without `__init__.py` count as packages of test modules.
    pub consider_namespace_packages: bool,
    /// `--import-mode`.
    pub import_mode: ImportMode,
    /// `--ignore`, relative to the working directory.
    pub ignore: Vec<String>,
    /// `--ignore-glob`, relative to the working directory.
    pub ignore_glob: Vec<String>,
    /// `--deselect`: prefixes of node ids.
    pub deselect: Vec<String>,
    /// `--collect-in-virtualenv`.
    pub collect_in_virtualenv: bool,
    /// `--doctest-modules`.
    pub doctest_modules: bool,
    /// `--doctest-glob`: globs of text files' names or paths.
    pub doctest_globs: Vec<String>,
    /// Whether doctests are collected at all: not with `-p no:doctest`.
    pub has_doctest: bool,
    /// `--confcutdir`, relative to the working directory.
    pub confcutdir: Option<String>,
    /// `--noconftest`.
    pub noconftest: bool,
    /// `-m`.
    pub mark_expression: Option<String>,
    /// `-k`, whose outcome is left to pytest.
    pub keyword_expression: Option<String>,
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
            versions: Versions::default(),
            ids: IdOptions::default(),
            plugins: PluginOptions::default(),
            pythonpath: Vec::new(),
            consider_namespace_packages: false,
            import_mode: ImportMode::default(),
            ignore: Vec::new(),
            ignore_glob: Vec::new(),
            deselect: Vec::new(),
            collect_in_virtualenv: false,
            doctest_modules: false,
            doctest_globs: Vec::new(),
            has_doctest: true,
            confcutdir: None,
            noconftest: false,
            mark_expression: None,
            keyword_expression: None,
        }
    }
}

impl Options {
    /// The options as set in `settings`, which come from `inifile`, and by the words of a command line,
    /// which come after those of `addopts`.
    ///
    /// # Errors
    /// The text of pytest's `UsageError` for a value of the wrong type.
    pub fn read(
        settings: &Settings,
        inifile: Option<&Path>,
        command_line: &[String],
    ) -> Result<Self, String> {
        let mut options = Self::default();
        let mut addopts = Vec::new();
        for (name, setting) in settings {
            let problem_of = |problem: String| {
                let file = inifile.map_or_else(String::new, |path| format!("{}: ", path.display()));
                format!("{file}config option '{name}' {problem}")
            };
            if name == "addopts" {
                addopts = words(setting).map_err(problem_of)?;
            } else {
                options.set(name, setting).map_err(problem_of)?;
            }
        }
        options.read_arguments(&addopts)?;
        options.read_arguments(command_line)?;
        Ok(options)
    }

    /// The same, for these versions: they do not know all options.
    #[must_use]
    pub fn with_versions(mut self, versions: Versions) -> Self {
        self.versions = versions;
        self.collect_imported_tests |= !versions.has_collect_imported_tests();
        self
    }

    /// Set one option of the configuration file; others than ours are passed over.
    fn set(&mut self, name: &str, setting: &Setting) -> Result<(), String> {
        if self.ids.set(name, setting)? {
            return Ok(());
        }
        let list = match name {
            "collect_imported_tests" => {
                self.collect_imported_tests = truth(setting)?;
                return Ok(());
            }
            "consider_namespace_packages" => {
                self.consider_namespace_packages = truth(setting)?;
                return Ok(());
            }
            "usefixtures" => &mut self.usefixtures,
            "python_files" => &mut self.python_files,
            "python_classes" => &mut self.python_classes,
            "python_functions" => &mut self.python_functions,
            "testpaths" => &mut self.testpaths,
            "norecursedirs" => &mut self.norecursedirs,
            "pythonpath" => &mut self.pythonpath,
            _ => return Ok(()),
        };
        *list = words(setting)?;
        Ok(())
    }

    /// Words of a command line, as far as they change what is collected.
    fn read_arguments(&mut self, words: &[String]) -> Result<(), String> {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, value) = split_option(word);
            let mut value = || value.clone().or_else(|| words.next().cloned());
            match name {
                "--ignore" => self.ignore.extend(value()),
                "--ignore-glob" => self.ignore_glob.extend(value()),
                "--deselect" => self.deselect.extend(value()),
                "--collect-in-virtualenv" => self.collect_in_virtualenv = true,
                "--doctest-modules" => self.doctest_modules = true,
                "--no-doctest-modules" => self.doctest_modules = false,
                "--doctest-glob" => self.doctest_globs.extend(value()),
                "--confcutdir" => self.confcutdir = value(),
                "--noconftest" => self.noconftest = true,
                "--import-mode" => {
                    self.import_mode = match value().as_deref() {
                        Some("append") => ImportMode::Append,
                        Some("importlib") => ImportMode::Importlib,
                        _ => ImportMode::Prepend,
                    };
                }
                "-p" => {
                    let plugin = value().unwrap_or_default();
                    self.has_doctest &= plugin != "no:doctest";
                    self.plugins.add(&plugin);
                }
                "--disable-plugin-autoload" => self.plugins.is_autoload_off = true,
                "-k" => self.keyword_expression = value().filter(|text| !text.is_empty()),
                "-m" => self.mark_expression = value().filter(|text| !text.is_empty()),
                "-o" | "--override-ini" => {
                    let setting = value().unwrap_or_default();
                    if let Some((name, text)) = setting.split_once('=') {
                        self.set(name, &Setting::Text(text.to_owned()))
                            .map_err(|problem| format!("config option '{name}' {problem}"))?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// An option's name, and its value where that is part of the same word.
fn split_option(word: &str) -> (&str, Option<String>) {
    match word.split_once('=') {
        Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
        _ if !word.starts_with("--") && word.is_char_boundary(2) && word.len() > 2 => {
            let (name, value) = word.split_at(2);
            let is_ours = matches!(name, "-k" | "-m" | "-p" | "-o");
            // `-o=name=value`, `-kname`
            let value = value.strip_prefix('=').unwrap_or(value);
            if is_ours { (name, Some(value.to_owned())) } else { (word, None) }
        }
        _ => (word, None),
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
pub(super) fn truth(setting: &Setting) -> Result<bool, String> {
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

/// A value of the type `string`.
pub(super) fn text(setting: &Setting) -> Option<&str> {
    match setting {
        Setting::Text(text) => Some(crate::pystr::strip(text)),
        Setting::Native(Value::String(text)) => Some(text),
        Setting::Native(_) | Setting::List(_) => None,
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
