//! From bytes to text, as Python's tokenizer does it (PEP 263).

use std::borrow::Cow;

/// A file's text.
pub enum Decoded<'a> {
    /// The text, without a byte order mark.
    Text(Cow<'a, str>),
    /// Not text in the encoding it claims; line, counted from zero, and what is wrong.
    Invalid(u32, String),
    /// In an encoding that is not read here.
    Foreign(String),
}

/// Decode a source file.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let encoding = declared_encoding(body).unwrap_or_else(|| "utf-8".to_owned());
    let is_marked = body.len() < bytes.len();
    if is_marked && !matches!(encoding.as_str(), "utf-8" | "utf8") {
        return Decoded::Invalid(0, format!("encoding problem: {encoding} with BOM"));
    }
    match encoding.as_str() {
        "utf-8" | "utf8" | "utf-8-sig" | "u8" | "utf" | "cp65001" => {
            match std::str::from_utf8(body) {
                Ok(text) => Decoded::Text(Cow::Borrowed(text)),
                Err(error) => invalid(body, error.valid_up_to(), "utf-8"),
            }
        }
        "ascii" | "us-ascii" => match body.iter().position(|byte| !byte.is_ascii()) {
            None => Decoded::Text(String::from_utf8_lossy(body)),
            Some(position) => invalid(body, position, "ascii"),
        },
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" => {
            Decoded::Text(Cow::Owned(body.iter().copied().map(char::from).collect()))
        }
        _ => Decoded::Foreign(encoding),
    }
}

fn invalid(body: &[u8], position: usize, encoding: &str) -> Decoded<'static> {
    let line = body[..position].iter().filter(|byte| **byte == b'\n').count();
    let message = format!("'{encoding}' codec can't decode byte 0x{:02x}", body[position]);
    Decoded::Invalid(u32::try_from(line).unwrap_or(u32::MAX), message)
}

/// The encoding named by a comment in the first two lines, in lower case with `-` for `_`.
fn declared_encoding(body: &[u8]) -> Option<String> {
    for line in body.splitn(3, |byte| *byte == b'\n').take(2) {
        let text = line.trim_ascii_start();
        if text.is_empty() || text == b"\r" {
            continue;
        }
        let comment = text.strip_prefix(b"#")?;
        if let Some(name) = encoding_in(&String::from_utf8_lossy(comment)) {
            return Some(name);
        }
    }
    None
}

/// `coding[:=]\s*([-\w.]+)`.
fn encoding_in(comment: &str) -> Option<String> {
    comment.match_indices("coding").find_map(|(index, word)| {
        let after =
            comment[index + word.len()..].strip_prefix([':', '='])?.trim_start_matches([' ', '\t']);
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
        let name = &after[..end.unwrap_or(after.len())];
        (!name.is_empty()).then(|| name.to_ascii_lowercase().replace('_', "-"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<String, String> {
        match decode(bytes) {
            Decoded::Text(text) => Ok(text.into_owned()),
            Decoded::Invalid(line, message) => Err(format!("{line}: {message}")),
            Decoded::Foreign(encoding) => Err(encoding),
        }
    }

    #[test]
    fn encodings() {
        assert_eq!(text(b"\xef\xbb\xbfx = 1").as_deref(), Ok("x = 1"));
        assert_eq!(
            text(b"#!x\n# -*- coding: Latin_1 -*-\n'\xe4'").as_deref(),
            Ok("#!x\n# -*- coding: Latin_1 -*-\n'\u{e4}'")
        );
        assert_eq!(text(b"x\n'\xe4'"), Err("1: 'utf-8' codec can't decode byte 0xe4".to_owned()));
        assert_eq!(text(b"# vim: set fileencoding=cp1252 :\n"), Err("cp1252".to_owned()));
        assert_eq!(text(b"x = 1\n# coding: cp1252\n").as_deref(), Ok("x = 1\n# coding: cp1252\n"));
    }
}
