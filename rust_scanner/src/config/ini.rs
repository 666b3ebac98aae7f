//! INI files as `iniconfig` reads them (`iniconfig/_parse.py`).
//!
//! Ours, because no crate agrees with it: any indented line continues a value, so does a `[` without
//! its `]`, inline comments belong to the value, a name or section that comes twice is an error, and
//! pytest shows the error messages.

use crate::pyrepr::message as quoted;
use crate::pystr::{lstrip, rstrip, split_lines, strip};

/// The `name = value` pairs of one section, in the file's order.
pub type Section = Vec<(String, String)>;

/// The sections of a file, in the file's order.
#[derive(Debug, Default)]
pub struct Ini(Vec<(String, Section)>);

/// What one line means.
enum Line<'a> {
    Blank,
    Section(&'a str),
    Value(&'a str, &'a str),
    Continuation(&'a str),
}

impl Ini {
    /// Parse `text`, which may begin with a byte order mark.
    ///
    /// # Errors
    /// `LINE: what is wrong`, lines counted from one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut ini = Self::default();
        // `iniconfig` looks for duplicates only after it has read every line: a syntax error further
        // down is reported before a duplicate further up.
        let mut duplicate = None;
        let mut continuable = false;
        let lines = split_lines(text.strip_prefix('\u{feff}').unwrap_or(text));
        for (index, line) in lines.into_iter().enumerate() {
            let at = |message: &str| format!("{}: {message}", index + 1);
            match parse_line(line).map_err(|message| at(&message))? {
                Line::Blank => {}
                Line::Section("") => return Err(at("empty section name")),
                Line::Section(name) => {
                    continuable = false;
                    if let Err(message) = ini.begin(name) {
                        duplicate.get_or_insert_with(|| at(&message));
                    }
                }
                Line::Value(name, value) => {
                    continuable = true;
                    if let Err(message) = ini.add(name, value) {
                        duplicate.get_or_insert_with(|| at(&message));
                    }
                }
                Line::Continuation(_) if !continuable => {
                    return Err(at("unexpected value continuation"));
                }
                Line::Continuation(more) => ini.extend(more),
            }
        }
        duplicate.map_or(Ok(ini), Err)
    }

    /// The section called `name`.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, section)| section)
    }

    fn begin(&mut self, name: &str) -> Result<(), String> {
        let known = self.section(name).is_some();
        self.0.push((name.to_owned(), Section::new()));
        if known { Err(format!("duplicate section {}", quoted(name))) } else { Ok(()) }
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        let Some((_, section)) = self.0.last_mut() else {
            return Err("no section header defined".to_owned());
        };
        let known = section.iter().any(|(known, _)| known == name);
        section.push((name.to_owned(), value.to_owned()));
        if known { Err(format!("duplicate name {}", quoted(name))) } else { Ok(()) }
    }

    fn extend(&mut self, more: &str) {
        if let Some((_, value)) = self.0.last_mut().and_then(|(_, section)| section.last_mut()) {
            if !value.is_empty() {
                value.push('\n');
            }
            value.push_str(more);
        }
    }
}

fn parse_line(line: &str) -> Result<Line<'_>, String> {
    let is_comment = lstrip(line).starts_with(['#', ';']);
    let line = if is_comment { "" } else { rstrip(line) };
    let Some(first) = line.chars().next() else {
        return Ok(Line::Blank);
    };
    if first == '[' {
        let end = line.find(['#', ';']).unwrap_or(line.len());
        let header = rstrip(&line[..end]);
        return Ok(match header[1..].strip_suffix(']') {
            Some(name) => Line::Section(name),
            None => Line::Continuation(strip(line)),
        });
    }
    if crate::pystr::is_space(first) {
        return Ok(Line::Continuation(strip(line)));
    }
    let by_equals = line.split_once('=').filter(|(name, _)| !name.contains(':'));
    match by_equals.or_else(|| line.split_once(':')) {
        Some((name, value)) => Ok(Line::Value(strip(name), strip(value))),
        None => Err(format!("unexpected line: {}", quoted(line))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, section: &str, name: &str) -> Option<String> {
        let ini = Ini::parse(text).ok()?;
        ini.section(section)?.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
    }

    #[test]
    fn values_and_continuations() {
        let text = "[a]\nx = 1 # kept\ny:\n  two\n  # comment\n  three\n[broken\n[b] ; why\nx=2=3";
        assert_eq!(value(text, "a", "x").as_deref(), Some("1 # kept"));
        assert_eq!(value(text, "a", "y").as_deref(), Some("two\nthree\n[broken"));
        assert_eq!(value(text, "b", "x").as_deref(), Some("2=3"));
    }

    #[test]
    fn errors_name_the_line() {
        for (text, message) in [
            ("[a]\nx", "2: unexpected line: 'x'"),
            ("x=1", "1: no section header defined"),
            ("[a]\n[a]", "2: duplicate section 'a'"),
            ("[a]\nx=1\nx=2", "3: duplicate name 'x'"),
            ("[a]\nx=1\nx=2\nbad", "4: unexpected line: 'bad'"),
            ("[a]\n  x", "2: unexpected value continuation"),
            ("[]", "1: empty section name"),
        ] {
            assert_eq!(Ini::parse(text).err().as_deref(), Some(message), "{text:?}");
        }
    }
}
