//! Files that are being typed in: what is broken is kept from taking its neighbours along.
//!
//! The parser recovers well within a statement, but an open bracket or quotation swallows what follows.
//! Lines that surely begin a definition, at the indentation of a module's or class' body, cut the text
//! into pieces. Pieces that are broken by themselves are parsed by themselves, the others together.
//! Text that is left out of a parse is replaced by spaces, so that every place stays what it is.

use std::ops::Range;

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{Mod, Stmt, StmtClassDef};
use ruff_python_parser::{Mode, ParseOptions, Parsed, parse_unchecked};
use ruff_text_size::{Ranged, TextRange, TextSize};

/// Pieces of one body that may be broken; with more, the parser's own recovery has to do.
const MAX_BROKEN: usize = 6;
/// How many pieces before the one with the error are suspected to be what is broken.
const MAX_SUSPECTS: usize = 4;
/// Larger texts are left to the parser's own recovery.
const MAX_LENGTH: usize = 2_000_000;
/// Classes within classes beyond this are taken as one piece.
const MAX_CLASSES: usize = 3;
/// Lines that a class' header may have.
const MAX_HEADER: usize = 20;

/// The statements of a module whose text does not parse; `None` where the parser's own have to do.
pub fn statements(text: &str, parsed: &Parsed<Mod>) -> Option<Vec<Stmt>> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let is_string = |kind| {
        matches!(kind, TokenKind::String | TokenKind::FStringMiddle | TokenKind::TStringMiddle)
    };
    let strings = parsed.tokens().iter().filter(|token| is_string(token.kind()));
    let recovery = Recovery { text, strings: strings.map(Ranged::range).collect() };
    recovery.isolated(&[], &recovery.pieces(0..text.len(), 0))
}

struct Recovery<'t> {
    text: &'t str,
    /// Strings, in which nothing begins.
    strings: Vec<TextRange>,
}

type Piece = Range<usize>;

impl Recovery<'_> {
    /// Cut `whole` where lines of this indentation begin a definition.
    fn pieces(&self, whole: Piece, indent: usize) -> Vec<Piece> {
        let mut starts = vec![whole.start];
        let mut is_decorated = false;
        let mut offset = whole.start;
        for line in self.text[whole.clone()].split_inclusive('\n') {
            let start = offset;
            offset += line.len();
            let Some(word) = self.beginning(line, start, indent) else { continue };
            let begins = !is_decorated || word == Beginning::Other;
            is_decorated = word == Beginning::Decorator;
            if begins && start > whole.start {
                starts.push(start);
            }
        }
        let ends = starts.iter().skip(1).copied().chain([whole.end]);
        starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
    }

    /// What the line at `start` begins, unless it is part of a text.
    fn beginning(&self, line: &str, start: usize, indent: usize) -> Option<Beginning> {
        beginning(line, indent).filter(|_| !self.is_in_string(start + indent))
    }

    fn is_in_string(&self, offset: usize) -> bool {
        let Ok(offset) = TextSize::try_from(offset) else { return true };
        let after = self.strings.partition_point(|string| string.end() <= offset);
        self.strings.get(after).is_some_and(|string| string.start() < offset)
    }

    /// The statements of a body: of a module, or of the innermost of the classes with these headers.
    fn isolated(&self, headers: &[Piece], pieces: &[Piece]) -> Option<Vec<Stmt>> {
        let mut is_broken = vec![false; pieces.len()];
        let mut found = loop {
            let kept: Vec<Piece> = pieces
                .iter()
                .zip(&is_broken)
                .filter(|(_, is_broken)| !**is_broken)
                .map(|(piece, _)| piece.clone())
                .collect();
            if kept.is_empty() {
                break Vec::new();
            }
            let parsed = self.parsed(headers, &kept);
            let Some(error) = parsed.errors().first() else { break body(parsed, headers)? };
            let at = error.location.start().to_usize();
            let culprit = (0..pieces.len())
                .rev()
                .filter(|&index| pieces[index].start <= at && !is_broken[index])
                .take(MAX_SUSPECTS)
                .find(|&index| self.is_broken(headers, &pieces[index]))?;
            is_broken[culprit] = true;
            if is_broken.iter().filter(|is_broken| **is_broken).count() > MAX_BROKEN {
                return None;
            }
        };
        let broken = pieces.iter().zip(is_broken).filter(|(_, is_broken)| *is_broken);
        for (piece, _) in broken {
            found.extend(self.recovered(headers, piece));
        }
        found.sort_by_key(Ranged::start);
        Some(found)
    }

    fn is_broken(&self, headers: &[Piece], piece: &Piece) -> bool {
        !self.parsed(headers, std::slice::from_ref(piece)).errors().is_empty()
    }

    /// What is left of a broken piece: if it is a class, its members are looked at one by one.
    fn recovered(&self, headers: &[Piece], piece: &Piece) -> Vec<Stmt> {
        let line = self.text[piece.clone()].trim_start_matches(['\n', '\r']);
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        // What has left a broken definition was inside of it.
        let is_own = |statement: &Stmt| {
            let start = statement.range().start().to_usize();
            let line = self.text[..start].rfind('\n').map_or(0, |end| end + 1);
            start - line <= indent
        };
        let alone = || {
            let parsed = self.parsed(headers, std::slice::from_ref(piece));
            let mut found = body(parsed, headers).unwrap_or_default();
            found.retain(is_own);
            found
        };
        if headers.len() >= MAX_CLASSES {
            return alone();
        }
        self.class(headers, piece).map_or_else(alone, |class| vec![class])
    }

    fn class(&self, headers: &[Piece], piece: &Piece) -> Option<Stmt> {
        let header = self.header(headers, piece)?;
        let whole = header.end..piece.end;
        let mut start = whole.start;
        let members = self.text[whole.clone()].split_inclusive('\n').find_map(|line| {
            let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
            let begins = self.beginning(line, start, indent).is_some();
            start += line.len();
            (indent > 0 && begins).then_some(indent)
        })?;
        let headers: Vec<Piece> = headers.iter().cloned().chain([header.clone()]).collect();
        let members = self.isolated(&headers, &self.pieces(whole, members))?;
        // The class itself, with a body that is replaced.
        let stub = self.parse(&self.stub(&headers));
        let class = body(stub, &headers[..headers.len() - 1])?.pop()?;
        let Stmt::ClassDef(class) = class else { return None };
        let end = members.last().map_or(class.range.end(), |last| last.range().end());
        let range = TextRange::new(class.range.start(), end.max(class.range.start()));
        Some(Stmt::ClassDef(StmtClassDef { body: members.into(), range, ..class }))
    }

    /// The lines of a class up to its colon, decorators included, if they are sound.
    fn header(&self, headers: &[Piece], piece: &Piece) -> Option<Piece> {
        let mut end = piece.start;
        for line in self.text[piece.clone()].split_inclusive('\n').take(MAX_HEADER) {
            end += line.len();
            let code = line.split('#').next().unwrap_or_default().trim_end();
            if !code.ends_with(':') {
                continue;
            }
            let header = piece.start..end;
            let kept: Vec<Piece> = headers.iter().chain([&header]).cloned().collect();
            let parsed = self.parse(&self.stub(&kept));
            if parsed.errors().is_empty() {
                let last = body(parsed, headers)?.pop()?;
                return last.is_class_def_stmt().then_some(header);
            }
        }
        None
    }

    /// Headers of classes, and something in the body of the innermost.
    fn stub(&self, headers: &[Piece]) -> String {
        let masked = self.masked(headers);
        let code = masked.trim_end().len();
        // A comment at the end of the line is cut off with it.
        let line = masked[..code].rfind('\n').map_or(0, |end| end + 1);
        let comment = masked[line..code].find('#').map_or(code, |start| line + start);
        format!("{} pass", &masked[..comment])
    }

    fn parsed(&self, headers: &[Piece], pieces: &[Piece]) -> Parsed<Mod> {
        let kept: Vec<Piece> = headers.iter().chain(pieces).cloned().collect();
        self.parse(&self.masked(&kept))
    }

    fn parse(&self, text: &str) -> Parsed<Mod> {
        parse_unchecked(text, ParseOptions::from(Mode::Module))
    }

    /// The text up to the end of the last of `kept`, what is not in these replaced by spaces.
    fn masked(&self, kept: &[Piece]) -> String {
        let mut masked = String::with_capacity(self.text.len());
        for piece in kept {
            blank(&self.text[masked.len()..piece.start], &mut masked);
            masked.push_str(&self.text[piece.clone()]);
        }
        masked
    }
}

/// As many spaces as `text` has bytes, line ends kept.
fn blank(text: &str, out: &mut String) {
    out.extend(text.bytes().map(|byte| match byte {
        b'\n' | b'\r' => char::from(byte),
        _ => ' ',
    }));
}

/// What a line of this indentation surely begins: a statement that may hold tests, or an assignment.
fn beginning(line: &str, indent: usize) -> Option<Beginning> {
    let code = line.get(indent..)?;
    if !line.as_bytes()[..indent].iter().all(|byte| matches!(byte, b' ' | b'\t')) {
        return None;
    }
    let starts = |words: &[&str]| words.iter().any(|word| code.starts_with(word));
    if starts(&["@"]) {
        return Some(Beginning::Decorator);
    }
    if starts(&["def ", "async def "]) {
        return Some(Beginning::Function);
    }
    if starts(&["class "]) {
        return Some(Beginning::Class);
    }
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let after = code.trim_start_matches(is_name);
    let is_assignment = after.len() < code.len() && after.starts_with(" = ");
    let words = ["if ", "try:", "with ", "for ", "while ", "import ", "from ", "async with "];
    (is_assignment || starts(&words)).then_some(Beginning::Other)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Decorator,
    Function,
    Class,
    Other,
}

/// The statements of a module, or of the innermost of the classes with these headers.
fn body(parsed: Parsed<Mod>, headers: &[Piece]) -> Option<Vec<Stmt>> {
    let Mod::Module(module) = parsed.into_syntax() else { return None };
    let mut statements: Vec<Stmt> = module.body.into_iter().collect();
    for header in headers {
        let classes = statements.into_iter().filter_map(Stmt::class_def_stmt);
        let class = classes
            .into_iter()
            .find(|class| header.contains(&class.name.range.start().to_usize()))?;
        statements = class.body.into_iter().collect();
    }
    Some(statements)
}
