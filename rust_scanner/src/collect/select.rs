//! `-m EXPRESSION` in `addopts` (`_pytest/mark/expression.py`), decided as far as marks are known.

/// Parentheses within parentheses beyond this are not followed.
const MAX_DEPTH: usize = 50;

/// Whether an item with the marks `has` is kept by `expression`; `None` where that is not known.
///
/// `has` says whether the item has a mark, or `None` where it cannot tell.
pub fn keeps(expression: &str, has: &dyn Fn(&str) -> Option<bool>) -> Option<bool> {
    let tokens = tokens(expression)?;
    let mut parser = Parser { tokens: &tokens, has, depth: 0 };
    let value = parser.or()?;
    // Something left over is an error, which pytest reports instead of collecting.
    parser.tokens.is_empty().then_some(value)?
}

/// Parentheses and words; `None` for what is not an expression.
fn tokens(expression: &str) -> Option<Vec<&str>> {
    let is_word = |c: char| c.is_alphanumeric() || "_:+-.[]\\/".contains(c);
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start_matches([' ', '\t']);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            _ => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        };
        if length == 0 {
            return None;
        }
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start_matches([' ', '\t']);
    }
    Some(tokens)
}

struct Parser<'t> {
    tokens: &'t [&'t str],
    has: &'t dyn Fn(&str) -> Option<bool>,
    depth: usize,
}

/// The outer `Option` is for expressions that cannot be read, the inner for values not known.
type Value = Option<Option<bool>>;

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let is_next = self.tokens.first() == Some(&word);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn or(&mut self) -> Value {
        let mut value = self.and()?;
        while self.take("or") {
            value = match (value, self.and()?) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        Some(value)
    }

    fn and(&mut self) -> Value {
        let mut value = self.not()?;
        while self.take("and") {
            value = match (value, self.not()?) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        Some(value)
    }

    fn not(&mut self) -> Value {
        let mut is_negated = false;
        while self.take("not") {
            is_negated = !is_negated;
        }
        let value = if self.take("(") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return None;
            }
            let value = self.or()?;
            if !self.take(")") {
                return None;
            }
            self.depth -= 1;
            value
        } else {
            let (name, rest) = self.tokens.split_first()?;
            // `mark(key="value")` looks at arguments, which are not kept.
            if matches!(*name, ")" | "and" | "or") || rest.first() == Some(&"(") {
                return None;
            }
            self.tokens = rest;
            (self.has)(name)
        };
        Some(value.map(|value| value != is_negated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps_with(expression: &str, marks: &[&str], unknown: bool) -> Option<bool> {
        keeps(expression, &|name| {
            if marks.contains(&name) { Some(true) } else { (!unknown).then_some(false) }
        })
    }

    #[test]
    fn expressions() {
        assert_eq!(keeps_with("not slow", &[], false), Some(true));
        assert_eq!(keeps_with("not slow", &["slow"], false), Some(false));
        assert_eq!(keeps_with("a and (b or not c)", &["a"], false), Some(true));
        assert_eq!(keeps_with("a or b and c", &["b"], false), Some(false));
        assert_eq!(keeps_with("not not a", &["a"], false), Some(true));
    }

    #[test]
    fn what_is_not_known_stays_unknown() {
        assert_eq!(keeps_with("not slow", &[], true), None);
        assert_eq!(keeps_with("a or b", &["a"], true), Some(true));
        assert_eq!(keeps_with("a(x=1)", &["a"], false), None);
        assert_eq!(keeps_with("a and", &["a"], false), None);
        assert_eq!(keeps_with("a b", &["a"], false), None);
        assert_eq!(keeps_with(&"(".repeat(100_000), &["a"], false), None);
    }
}
