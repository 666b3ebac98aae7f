//! Python's notions of strings, where they differ from Rust's.

/// Whether Python's `str.isspace` holds for `c`: Unicode white space and four separators.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `str.rstrip()`.
pub fn rstrip(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// `str.lstrip()`.
pub fn lstrip(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// `str.splitlines()` of a text read in universal newline mode.
///
/// A trailing line end adds no empty line.
pub fn split_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_line_end).unwrap_or(rest.len());
        lines.push(&rest[..end]);
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix("\r\n") {
            rest = after;
        } else if let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
        }
    }
    lines
}

fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r'
            | '\x0b'
            | '\x0c'
            | '\x1c'
            | '\x1d'
            | '\x1e'
            | '\u{85}'
            | '\u{2028}'
            | '\u{2029}'
    )
}

/// `shlex.split(text)`: POSIX rules, no comments.
///
/// Ours, because the crates for it follow the shell instead: there `#` begins a comment, and a
/// backslash at the end of a line joins lines.
///
/// # Errors
/// The message of Python's `ValueError` for an open quotation or a trailing backslash.
pub fn shlex_split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(q) => {
                let word = word.get_or_insert_default();
                if c == '\\' && q == '"' {
                    let next = chars.next().ok_or("No escaped character")?;
                    if next != '\\' && next != q {
                        word.push('\\');
                    }
                    word.push(next);
                } else {
                    word.push(c);
                }
            }
            None => match c {
                ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
                '\'' | '"' => {
                    word.get_or_insert_default();
                    quote = Some(c);
                }
                '\\' => {
                    let next = chars.next().ok_or("No escaped character")?;
                    word.get_or_insert_default().push(next);
                }
                c => word.get_or_insert_default().push(c),
            },
        }
    }
    if quote.is_some() {
        return Err("No closing quotation");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_split_as_in_python() {
        assert_eq!(split_lines("a\r\nb\rc\n\nd\x0ce"), ["a", "b", "c", "", "d", "e"]);
        assert!(split_lines("").is_empty());
    }

    #[test]
    fn shlex_follows_python_not_the_shell() {
        assert_eq!(
            shlex_split("a  #b 'c d' \"e\\\"f\\g\" h\\ i ''").as_deref(),
            Ok(["a", "#b", "c d", "e\"f\\g", "h i", ""].map(String::from).as_slice())
        );
        assert_eq!(shlex_split("'a"), Err("No closing quotation"));
        assert_eq!(shlex_split("a\\"), Err("No escaped character"));
    }
}
