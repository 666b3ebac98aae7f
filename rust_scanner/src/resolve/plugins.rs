//! The plugins of pytest that installed distributions announce: entry points in the group `pytest11`.

use std::path::{Path, PathBuf};

use super::{Resolution, Resolver};
use crate::config::PluginOptions;

/// A plugin that pytest loads because of what is installed, or named by `-p`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// The entry point's name, or the module.
    pub name: String,
    /// The module.
    pub module: String,
    /// The module's file; `None` where there is no source that says what it does.
    pub source: Option<PathBuf>,
}

/// An entry point: its name, and what it names: `module`, `module:object`.
type EntryPoint = (String, String);

/// The plugins that are loaded with these options, in the order of the search path.
pub(super) fn plugins(resolver: &Resolver, options: &PluginOptions) -> Vec<Plugin> {
    let announced = announced(resolver);
    let mut wanted: Vec<EntryPoint> = Vec::new();
    for name in &options.named {
        match announced.iter().find(|(known, _)| known == name) {
            Some(entry) => wanted.push(entry.clone()),
            None => wanted.push((name.clone(), name.clone())),
        }
    }
    if !options.is_autoload_off {
        wanted.extend(announced);
    }
    let mut found: Vec<Plugin> = Vec::new();
    for (name, object) in wanted {
        if options.is_blocked(&name) || found.iter().any(|known| known.name == name) {
            continue;
        }
        let (module, attribute) = match object.split_once(':') {
            Some((module, attribute)) => (module, Some(attribute)),
            None => (object.as_str(), None),
        };
        let source = match resolver.resolve(Path::new(""), module, 0) {
            // What `-p` names besides comes with pytest, or pytest stops.
            Resolution::Missing => continue,
            Resolution::Source(path) if attribute.is_none() => Some(path),
            _ => None,
        };
        found.push(Plugin { name, module: module.to_owned(), source });
    }
    found
}

fn announced(resolver: &Resolver) -> Vec<EntryPoint> {
    let mut found = Vec::new();
    for dir in std::iter::once(&resolver.cwd).chain(&resolver.site().path) {
        for metadata in resolver.listings.metadata(dir) {
            if let Ok(text) = std::fs::read_to_string(metadata.join("entry_points.txt")) {
                found.extend(entry_points(&text));
            }
        }
    }
    found
}

/// The entry points of the group `pytest11` in the text of an `entry_points.txt`.
fn entry_points(text: &str) -> Vec<EntryPoint> {
    let mut is_ours = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_ours = section.trim_end_matches(']').trim() == "pytest11";
        } else if is_ours
            && !line.starts_with(['#', ';'])
            && let Some((name, object)) = line.split_once('=')
        {
            // `module:object [extra]`
            let object = object.split('[').next().unwrap_or_default().trim();
            found.push((name.trim().to_owned(), object.to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entry_points_of_pytest_count() {
        let text = "[console_scripts]\nx = a:main\n\n[pytest11]\n# no\none=a.b\ntwo = c:d [e]\n[z]\ny = q\n";
        let expected = [("one", "a.b"), ("two", "c:d")];
        assert_eq!(entry_points(text), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
