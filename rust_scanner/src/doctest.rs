//! What doctest takes for an example (`doctest.DocTestParser`).

/// Whether `text`, a docstring or a text file, has at least one example.
///
/// A prompt followed by nothing but a comment is none.
#[must_use]
pub fn has_examples(text: &str) -> bool {
    if memchr::memmem::find(text.as_bytes(), b">>>").is_none() {
        return false;
    }
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(source) = after_prompt(line, ">>>") else { continue };
        let mut is_blank = is_blank_or_comment(source);
        while let Some(more) = lines.peek().and_then(|line| after_prompt(line, "...")) {
            // A comment over several lines is taken as an example.
            is_blank &= source.is_empty() && more.is_empty();
            lines.next();
        }
        if !is_blank {
            return true;
        }
    }
    false
}

/// What follows a prompt at the start of a line.
fn after_prompt<'t>(line: &'t str, prompt: &str) -> Option<&'t str> {
    let after = line.trim_start_matches([' ', '\t']).strip_prefix(prompt)?;
    // Without a blank behind it doctest refuses the whole text, which is an error of its own.
    Some(after.trim())
}

fn is_blank_or_comment(source: &str) -> bool {
    source.is_empty() || source.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        assert!(has_examples("Text.\n\n    >>> f(1)\n    1\n"));
        assert!(has_examples(">>> # first\n... f(2)\n"));
        assert!(!has_examples("no example, a >>> b\n"));
        assert!(!has_examples(">>> # nothing\n>>>\n"));
        assert!(has_examples("\t>>> x\n"));
    }
}
