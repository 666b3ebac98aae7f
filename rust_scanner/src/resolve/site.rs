//! What an environment's site-packages add to the search path: `.pth` files and editable installs.

use std::path::{Path, PathBuf};

use super::listing::Listings;
use crate::config::is_site_dir;

/// Where an interpreter looks for modules, beyond what a test run adds.
#[derive(Debug, Default)]
pub struct Site {
    /// `sys.path`, in order.
    pub path: Vec<PathBuf>,
    /// Top-level packages that setuptools' editable finders map, with their directory or file's stem.
    pub mapped: Vec<(String, PathBuf)>,
}

impl Site {
    /// Complete `search_path` by what the `.pth` files of its site-packages say (`site.addpackage`).
    pub fn read(search_path: &[PathBuf], listings: &Listings) -> Self {
        let mut site = Self { path: search_path.to_vec(), mapped: Vec::new() };
        for dir in search_path.iter().filter(|dir| is_site_dir(dir)) {
            for name in listings.others(dir, ".pth") {
                // Python passes over hidden ones.
                if let Ok(text) = std::fs::read_to_string(dir.join(&name))
                    && !name.starts_with('.')
                {
                    text.lines().for_each(|line| site.line(line, dir));
                }
            }
        }
        site
    }

    /// One line of a `.pth` file in `dir`: a path, or a statement.
    fn line(&mut self, line: &str, dir: &Path) {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        if line.starts_with("import ") || line.starts_with("import\t") {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let finder = line
                .split(|c: char| !is_word(c))
                .find(|word| word.starts_with("__editable__") && word.ends_with("_finder"));
            if let Some(finder) = finder
                && let Ok(text) = std::fs::read_to_string(dir.join(format!("{finder}.py")))
            {
                self.mapped.extend(mapping(&text, "MAPPING"));
                let is_top = |(name, _): &(String, PathBuf)| !name.contains('.');
                self.mapped.extend(mapping(&text, "NAMESPACES").into_iter().filter(is_top));
            }
            return;
        }
        let path = crate::paths::absolute(dir, line);
        if path.exists() && !self.path.contains(&path) {
            self.path.push(path);
        }
    }
}

/// The pairs of a dict such as `MAPPING: dict[str, str] = {'package': '/directory', ...}`, which
/// setuptools writes on one line; of a list of directories the last.
fn mapping(finder: &str, name: &str) -> Vec<(String, PathBuf)> {
    let line = finder.lines().find(|line| line.starts_with(name));
    let Some((_, dict)) = line.and_then(|line| line.split_once('=')) else { return Vec::new() };
    let mut pairs: Vec<(String, PathBuf)> = Vec::new();
    for text in string_literals(dict) {
        match pairs.last_mut() {
            Some((_, path)) if text.starts_with('/') => *path = PathBuf::from(text),
            _ => pairs.push((text, PathBuf::new())),
        }
    }
    pairs
}

/// The string literals in `repr` of a dict, in order.
fn string_literals(text: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut chars = text.chars();
    while let Some(quote) = chars.find(|c| matches!(c, '\'' | '"')) {
        let mut literal = String::new();
        while let Some(c) = chars.next() {
            match c {
                // Of escapes, paths have but these two.
                '\\' => literal.extend(chars.next()),
                c if c == quote => break,
                c => literal.push(c),
            }
        }
        texts.push(literal);
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finders_of_setuptools_are_read() {
        let text = "import sys\nMAPPING: dict[str, str] = {'a': '/x/a', \"b\": '/y/it\\'s'}\n\
                    NAMESPACES: dict[str, list[str]] = {}\n";
        let expected = [("a", "/x/a"), ("b", "/y/it's")];
        let expected = expected.map(|(name, path)| (name.to_owned(), PathBuf::from(path)));
        assert_eq!(mapping(text, "MAPPING"), expected);
        assert_eq!(mapping(text, "NAMESPACES"), []);
        let text = "NAMESPACES = {'n': ['/z/n']}";
        assert_eq!(mapping(text, "NAMESPACES"), [("n".to_owned(), PathBuf::from("/z/n"))]);
    }
}
