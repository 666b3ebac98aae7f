//! What one pass over the tokens tells sooner than walks over the syntax tree.

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_text_size::{Ranged, TextRange, TextSize};

/// Facts about a file's tokens.
pub struct TokenFacts<'a> {
    tokens: &'a Tokens,
    /// Where `yield` stands, ascending; not those that may belong to a lambda.
    yields: Vec<TextSize>,
    /// How deep the syntax tree can be at most.
    pub max_depth: usize,
}

impl<'a> TokenFacts<'a> {
    /// Look at all tokens once.
    pub fn of(tokens: &'a Tokens) -> Self {
        let mut facts = Self { tokens, yields: Vec::new(), max_depth: 0 };
        let (mut indent, mut line_depth, mut in_lambda) = (0_usize, 0_usize, false);
        for token in tokens {
            match token.kind() {
                TokenKind::Newline => (line_depth, in_lambda) = (0, false),
                TokenKind::Indent => indent += 1,
                TokenKind::Dedent => indent = indent.saturating_sub(1),
                TokenKind::Yield if !in_lambda => facts.yields.push(token.start()),
                kind => {
                    in_lambda |= kind == TokenKind::Lambda;
                    line_depth += usize::from(can_nest(kind));
                    facts.max_depth = facts.max_depth.max(indent + line_depth);
                }
            }
        }
        facts
    }

    /// The places of `yield` within `range`.
    pub fn yields_in(&self, range: TextRange) -> &[TextSize] {
        let from = self.yields.partition_point(|offset| *offset < range.start());
        let to = self.yields.partition_point(|offset| *offset < range.end());
        &self.yields[from..to]
    }
}

impl TokenFacts<'_> {
    /// The suffixes of file names at the end of string literals in `range`.
    pub fn suffixes_in(&self, range: TextRange, text: &str) -> Vec<String> {
        let strings = self.tokens.iter().filter(|token| {
            token.kind() == TokenKind::String && range.contains_range(token.range())
        });
        strings
            .filter_map(|token| crate::paths::suffix(text[token.range()].trim_matches(['\'', '"'])))
            .map(str::to_owned)
            .collect()
    }

    /// The names that calls of `METAFUNC.parametrize` in `range` give as literals.
    ///
    /// `None` where others may be parametrized: a name is computed, or `METAFUNC` is handed on or
    /// changed.
    pub fn parametrized_in(
        &self,
        range: TextRange,
        text: &str,
        metafunc: &str,
    ) -> Option<Vec<String>> {
        let within: Vec<_> = self
            .tokens
            .iter()
            .filter(|token| range.contains_range(token.range()))
            .filter(|token| {
                !matches!(token.kind(), TokenKind::NonLogicalNewline | TokenKind::Comment)
            })
            .collect();
        let kind = |index: usize| within.get(index).map(|token| token.kind());
        let word = |index: usize| within.get(index).map_or("", |token| &text[token.range()]);
        let mut names = Vec::new();
        for index in 0..within.len() {
            if kind(index) != Some(TokenKind::Name) || word(index) != metafunc {
                continue;
            }
            let is_keyword = kind(index + 1) != Some(TokenKind::Dot);
            let is_changed =
                kind(index + 3) == Some(TokenKind::Dot) && word(index + 2) == "fixturenames";
            if is_keyword || is_changed || word(index + 2).starts_with('_') {
                return None;
            }
            if word(index + 2) != "parametrize" {
                continue;
            }
            let is_named =
                word(index + 4) == "argnames" && kind(index + 5) == Some(TokenKind::Equal);
            let argument = index + if is_named { 6 } else { 4 };
            let is_literal = kind(index + 3) == Some(TokenKind::Lpar)
                && kind(argument) == Some(TokenKind::String)
                && kind(argument + 1) == Some(TokenKind::Comma);
            if !is_literal {
                return None;
            }
            let literal = word(argument).trim_matches(['\'', '"']);
            names.extend(literal.split(',').map(|name| name.trim().to_owned()));
        }
        Some(names)
    }

    /// Whether code in `range` may drop, add, order or rename what is in the list `items`.
    ///
    /// It surely does not where `items` comes up as the end of `for item in items:` only, and nothing is
    /// called or assigned that changes an item's name.
    pub fn change_items(&self, range: TextRange, text: &str) -> bool {
        let within: Vec<_> =
            self.tokens.iter().filter(|token| range.contains_range(token.range())).collect();
        let word =
            |index: usize| within.get(index).map(|token| (token.kind(), &text[token.range()]));
        (0..within.len()).any(|index| match word(index) {
            Some((TokenKind::Name, "items")) => {
                let is_iterated = index > 0 && within[index - 1].kind() == TokenKind::In;
                !(is_iterated
                    && within.get(index + 1).is_some_and(|next| next.kind() == TokenKind::Colon))
            }
            Some((TokenKind::Name, "_nodeid" | "deselected" | "pytest_deselected" | "setattr")) => {
                true
            }
            Some((TokenKind::Name, "name" | "nodeid" | "__dict__")) => {
                within.get(index + 1).is_some_and(|next| next.kind() == TokenKind::Equal)
            }
            _ => false,
        })
    }
}

impl TokenFacts<'_> {
    /// Names that code inside functions or blocks changes in place, or declares `global`.
    ///
    /// What a decorator registers in a list, for example. Code at the top level is not looked at: its
    /// statements are understood one by one.
    pub fn tampered<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut found = Vec::new();
        let (mut indent, mut is_inner, mut is_global) = (0_usize, false, false);
        // Of each open bracket, the name that it is the subscript of.
        let mut brackets: Vec<Option<TextRange>> = Vec::new();
        let mut closed: Option<TextRange> = None;
        for (index, token) in self.tokens.iter().enumerate() {
            // What comes before is looked at only where it matters: there are many tokens.
            let mut before =
                self.tokens[..index].iter().rev().filter(|token| !is_trivia(token.kind()));
            match token.kind() {
                TokenKind::Indent => indent += 1,
                TokenKind::Dedent => indent = indent.saturating_sub(1),
                TokenKind::Newline => (is_inner, is_global) = (false, false),
                TokenKind::Def | TokenKind::Lambda => is_inner = true,
                TokenKind::Global => is_global = true,
                _ if indent == 0 && !is_inner => {}
                TokenKind::Name if is_global => found.push(&text[token.range()]),
                TokenKind::Name => {
                    if before.next().is_some_and(|token| token.kind() == TokenKind::Dot)
                        && let Some(object) =
                            before.next().filter(|token| token.kind() == TokenKind::Name)
                        && changes_its_object(&text[token.range()])
                    {
                        found.push(&text[object.range()]);
                    }
                }
                TokenKind::Lsqb => {
                    let object = before.next().filter(|token| token.kind() == TokenKind::Name);
                    brackets.push(object.map(Ranged::range));
                }
                TokenKind::Rsqb => closed = brackets.pop().flatten(),
                kind if kind == TokenKind::Equal || is_augmented(kind) => {
                    let object = before.next().and_then(|token| match token.kind() {
                        TokenKind::Rsqb => closed,
                        TokenKind::Name if is_augmented(kind) => Some(token.range()),
                        _ => None,
                    });
                    found.extend(object.map(|object| &text[object]));
                }
                _ => {}
            }
        }
        found
    }
}

fn is_trivia(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Comment | TokenKind::NonLogicalNewline)
}

/// Whether the method called `name` of a list, dict or set changes it.
fn changes_its_object(name: &str) -> bool {
    matches!(
        name,
        "append"
            | "extend"
            | "insert"
            | "remove"
            | "pop"
            | "popitem"
            | "clear"
            | "sort"
            | "reverse"
            | "update"
            | "add"
            | "discard"
            | "setdefault"
    )
}

fn is_augmented(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::PlusEqual | TokenKind::StarEqual | TokenKind::VbarEqual | TokenKind::AmperEqual
    )
}

/// Whether a token can make an expression one level deeper: everything but leaves and separators.
fn can_nest(kind: TokenKind) -> bool {
    !matches!(
        kind,
        TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::FStringEnd
            | TokenKind::TStringMiddle
            | TokenKind::TStringEnd
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline
            | TokenKind::Comma
            | TokenKind::Colon
            | TokenKind::Equal
            | TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::None
            | TokenKind::True
            | TokenKind::False
            | TokenKind::Ellipsis
    )
}
