//! Python's `fnmatch`, and pytest's rules for names and paths built on it.
//!
//! Ours, because the glob crates mean other things by `{}`, `**` and `/`: here `*` crosses `/`, and
//! braces are plain characters (pytest's default `{arch}` relies on that).

/// `fnmatch.fnmatchcase(text, pattern)`.
#[must_use]
pub fn matches(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let tokens = parse(pattern);
    // The usual two pointers: at a mismatch, let the last star take one more character.
    let (mut at, mut token) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match tokens.get(token) {
            Some(Token::Star) => {
                star = Some((token, at));
                token += 1;
            }
            Some(one) if one.takes(text[at]) => {
                at += 1;
                token += 1;
            }
            _ => match star {
                Some((star_token, taken)) => {
                    at = taken + 1;
                    token = star_token + 1;
                    star = Some((star_token, at));
                }
                None => return false,
            },
        }
    }
    tokens[token..].iter().all(|token| *token == Token::Star)
}

/// pytest's `fnmatch_ex`: a pattern without `/` matches the last component of `path`, another one the
/// whole path, from any directory on unless it is absolute.
#[must_use]
pub fn matches_path(path: &str, pattern: &str) -> bool {
    if !pattern.contains('/') {
        return matches(path.rsplit('/').next().unwrap_or(path), pattern);
    }
    if path.starts_with('/') && !pattern.starts_with('/') {
        return matches(path, &format!("*/{pattern}"));
    }
    matches(path, pattern)
}

/// pytest's rule for names (`_matches_prefix_or_glob_option`): a prefix, or a glob.
#[must_use]
pub fn matches_name(name: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| {
        name.starts_with(pattern.as_str())
            || pattern.contains(['*', '?', '[']) && matches(name, pattern)
    })
}

#[derive(Debug, PartialEq)]
enum Token {
    Star,
    Any,
    Literal(char),
    /// Whether the set is negated, and its ranges.
    Set(bool, Vec<(char, char)>),
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => true,
            Self::Literal(literal) => *literal == c,
            Self::Set(negated, ranges) => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

fn parse(pattern: &str) -> Vec<Token> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut tokens = Vec::with_capacity(chars.len());
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        at += 1;
        match c {
            '*' => {
                if tokens.last() != Some(&Token::Star) {
                    tokens.push(Token::Star);
                }
            }
            '?' => tokens.push(Token::Any),
            '[' => match set_end(&chars, at) {
                Some(end) => {
                    tokens.push(set(&chars[at..end]));
                    at = end + 1;
                }
                None => tokens.push(Token::Literal('[')),
            },
            c => tokens.push(Token::Literal(c)),
        }
    }
    tokens
}

/// The place of the `]` that ends the set begun before `start`; one right at the beginning is a member.
fn set_end(chars: &[char], start: usize) -> Option<usize> {
    let mut first = start;
    if chars.get(first) == Some(&'!') {
        first += 1;
    }
    if chars.get(first) == Some(&']') {
        first += 1;
    }
    (first..chars.len()).find(|&index| chars[index] == ']')
}

fn set(members: &[char]) -> Token {
    let (negated, mut members) = match members {
        ['!', rest @ ..] => (true, rest),
        _ => (false, members),
    };
    let mut ranges = Vec::new();
    while let [first, rest @ ..] = members {
        match rest {
            // An empty range, such as `z-a`, holds nothing.
            ['-', last, rest @ ..] => {
                ranges.push((*first, *last));
                members = rest;
            }
            _ => {
                ranges.push((*first, *first));
                members = rest;
            }
        }
    }
    Token::Set(negated, ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_does() {
        for (text, pattern, expected) in [
            ("test_a.py", "test_*.py", true),
            ("a_test.py", "test_*.py", false),
            ("a/b/c", "a*c", true),
            ("abc", "a?c", true),
            ("ac", "a?c", false),
            ("a]c", "a[]]c", true),
            ("abc", "a[!b]c", false),
            ("a-c", "a[a-]c", true),
            ("b", "[z-a]", false),
            ("b", "[!z-a]", true),
            ("{arch}", "{arch}", true),
            ("x86", "{x86,arm}", false),
            ("[", "[", true),
            ("^", "[^]", true),
            ("aXbXc", "a*X*c", true),
            ("", "*", true),
            ("", "?", false),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text:?} {pattern:?}");
        }
    }

    #[test]
    fn paths() {
        assert!(matches_path("/a/b/test_x.py", "test_*.py"));
        assert!(matches_path("/a/b/test_x.py", "b/test_*.py"));
        assert!(matches_path("/a/b/c/test_x.py", "a/*.py"));
        assert!(!matches_path("/a/b/test_x.py", "/b/*.py"));
        assert!(!matches_path("/a/xb/test_x.py", "b/*.py"));
    }

    #[test]
    fn names() {
        let patterns = ["check".to_owned(), "*_spec".to_owned()];
        assert!(matches_name("check_it", &patterns));
        assert!(matches_name("it_spec", &patterns));
        assert!(!matches_name("it_spec2", &patterns));
    }

    #[test]
    fn many_stars_cost_no_explosion() {
        let text = "a".repeat(5_000);
        assert!(!matches(&text, &format!("{}b", "*a".repeat(200))));
    }
}
