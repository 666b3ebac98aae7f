//! Reading one configuration file (`CONFIG_LOADERS_BY_NAME` and `CONFIG_LOADERS_BY_SUFFIX`).

use std::path::Path;

use toml::{Table, Value};

use super::ini::{Ini, Section};

/// The names pytest looks for in each directory, in its order.
pub const NAMES: [&str; 7] = [
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
];

/// The value of an option, in the mode it is to be read in.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// INI mode: a text, converted by the option's type.
    Text(String),
    /// INI mode in TOML: a list, taken as it is.
    List(Vec<Value>),
    /// TOML mode: the type must be right.
    Native(Value),
}

/// The options a file sets, in its order.
pub type Settings = Vec<(String, Setting)>;

/// `None`: the file holds no pytest configuration, and the search goes on.
type Loaded = Result<Option<Settings>, String>;

/// Read `path` by its name, or else by its suffix.
///
/// # Errors
/// The text of pytest's `UsageError`, one line.
pub fn load(path: &Path) -> Loaded {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    match (name, suffix) {
        ("pytest.toml" | ".pytest.toml", _) => {
            let document = read_toml(path)?;
            Ok(Some(pytest_table(path, &document)?.unwrap_or_default()))
        }
        ("pytest.ini" | ".pytest.ini", _) => {
            Ok(Some(ini_section(path, "pytest")?.unwrap_or_default()))
        }
        ("pyproject.toml", _) => tool_pytest_tables(path, &read_toml(path)?),
        ("setup.cfg", _) | (_, "cfg") => setup_cfg(path),
        (_, "ini") => ini_section(path, "pytest"),
        (_, "toml") => custom_toml(path),
        _ if path.is_file() => Err(format!(
            "Config file '{}' has an unsupported format. Supported extensions are: .cfg, .ini, .toml.",
            path.display()
        )),
        _ => Ok(None),
    }
}

/// Whether options are in the form that TOML files have of their own.
pub fn is_native(settings: &Settings) -> bool {
    settings.iter().any(|(_, setting)| matches!(setting, Setting::Native(_)))
}

fn read_text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    String::from_utf8(bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_toml(path: &Path) -> Result<Table, String> {
    let text = read_text(path)?;
    text.parse::<Table>().map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start).min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        format!("{}: {} (at line {line}, column {column})", path.display(), error.message())
    })
}

fn read_ini(path: &Path) -> Result<Ini, String> {
    Ini::parse(&read_text(path)?).map_err(|error| format!("{}:{error}", path.display()))
}

fn ini_section(path: &Path, name: &str) -> Loaded {
    Ok(read_ini(path)?.section(name).map(texts))
}

fn setup_cfg(path: &Path) -> Loaded {
    let ini = read_ini(path)?;
    match ini.section("tool:pytest") {
        Some(section) => Ok(Some(texts(section))),
        None if ini.section("pytest").is_some() => Err(format!(
            "{}: [pytest] section in setup.cfg files is no longer supported, change to [tool:pytest] instead.",
            path.display()
        )),
        None => Ok(None),
    }
}

fn texts(section: &Section) -> Settings {
    section.iter().map(|(name, value)| (name.clone(), Setting::Text(value.clone()))).collect()
}

/// `[pytest]`, in TOML mode.
fn pytest_table(path: &Path, document: &Table) -> Loaded {
    match document.get("pytest") {
        Some(Value::Table(table)) => Ok(Some(native(table.iter()))),
        Some(_) => Err(format!("{}: 'pytest' must be a table", path.display())),
        None => {
            let stray: Vec<&str> = document
                .iter()
                .filter(|(_, value)| !value.is_table())
                .map(|(name, _)| name.as_str())
                .collect();
            if stray.is_empty() {
                return Ok(None);
            }
            Err(format!(
                "{}: pytest configuration must be under a [pytest] table (found top-level options: {})",
                path.display(),
                stray.join(", ")
            ))
        }
    }
}

/// `[tool.pytest]` in TOML mode, or `[tool.pytest.ini_options]` in INI mode.
fn tool_pytest_tables(path: &Path, document: &Table) -> Loaded {
    let not_a_table = |name: &str| format!("{}: '{name}' must be a table", path.display());
    let tool = match document.get("tool") {
        None => return Ok(None),
        Some(tool) => tool.as_table().ok_or_else(|| not_a_table("tool"))?,
    };
    let table = match tool.get("pytest") {
        None => return Ok(None),
        Some(table) => table.as_table().ok_or_else(|| not_a_table("tool.pytest"))?,
    };
    let ini_options = match table.get("ini_options") {
        None => None,
        Some(options) => {
            Some(options.as_table().ok_or_else(|| not_a_table("tool.pytest.ini_options"))?)
        }
    };
    let options = native(table.iter().filter(|(name, _)| *name != "ini_options"));
    match ini_options {
        Some(ini_options) if !options.is_empty() && !ini_options.is_empty() => Err(format!(
            "{}: Cannot use both [tool.pytest] (native TOML types) and [tool.pytest.ini_options] \
             (string-based INI format) simultaneously.",
            path.display()
        )),
        _ if !options.is_empty() => Ok(Some(options)),
        Some(ini_options) => Ok(Some(
            ini_options.iter().map(|(name, value)| (name.clone(), ini_mode(value))).collect(),
        )),
        None => Ok(None),
    }
}

/// A file of any name, given by `-c`: `[pytest]` or the tables of `pyproject.toml`, not both.
fn custom_toml(path: &Path) -> Loaded {
    let document = read_toml(path)?;
    match tool_pytest_tables(path, &document)? {
        None => pytest_table(path, &document),
        Some(_) if document.contains_key("pytest") => Err(format!(
            "{}: Cannot use both [pytest] and [tool.pytest]/[tool.pytest.ini_options] in the same file.",
            path.display()
        )),
        settings => Ok(settings),
    }
}

fn native<'a>(pairs: impl Iterator<Item = (&'a String, &'a Value)>) -> Settings {
    pairs.map(|(name, value)| (name.clone(), Setting::Native(value.clone()))).collect()
}

/// `str(value)` for what is not a list.
fn ini_mode(value: &Value) -> Setting {
    match value {
        Value::String(text) => Setting::Text(text.clone()),
        Value::Array(list) => Setting::List(list.clone()),
        Value::Boolean(true) => Setting::Text("True".to_owned()),
        Value::Boolean(false) => Setting::Text("False".to_owned()),
        other => Setting::Text(other.to_string()),
    }
}
