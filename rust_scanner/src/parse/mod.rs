//! Parsing: the only place that knows the parser, `ruff_python_parser`, whose interface is unstable.

mod bindings;
mod body;
mod condition;
mod decode;
mod expr;
mod imports;
mod integer;
mod position;
mod recovery;
mod reflection;
mod tokens;

use std::mem::ManuallyDrop;
use std::sync::Arc;

use ruff_python_ast::{Mod, Stmt};
use ruff_python_parser::{Mode, ParseOptions, Parsed, parse_unchecked};
use ruff_text_size::TextRange;
use serde::{Deserialize, Serialize};

use crate::syntax::{Module, Range, SyntaxError};
use body::Reader;
use decode::Decoded;
use imports::{dotted_strings, imports};
use position::Positions;
use tokens::TokenFacts;

/// Stack that one level of a syntax tree may take while it is dropped, in bytes.
const DROP_FRAME: usize = 1024;
/// Stack for everything else that happens then.
const STACK_RED_ZONE: usize = 64 * 1024;
/// Beyond this nesting a broken file is not parsed in pieces.
const MAX_RECOVERY_DEPTH: usize = 50_000;
/// Beyond this nesting a syntax tree is leaked: to drop it would need more stack than there may be.
const MAX_DROP_DEPTH: usize = 500_000;

/// What reading a file's bytes gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// Python, perhaps with syntax errors.
    Module(Arc<Module>),
    /// In an encoding that is not read here: Python may well read it.
    Foreign(String),
}

/// Parse a file.
///
/// Never fails: errors are in the module, with what could be recovered.
#[must_use]
pub fn parse(bytes: &[u8]) -> Source {
    match decode::decode(bytes) {
        Decoded::Text(text) => Source::Module(Arc::new(parse_text(&text))),
        Decoded::Foreign(encoding) => Source::Foreign(encoding),
        Decoded::Invalid(line, message) => Source::Module(Arc::new(Module {
            error: Some(SyntaxError { range: Range { start: (line, 0), end: (line, 0) }, message }),
            ..Module::default()
        })),
    }
}

fn parse_text(text: &str) -> Module {
    // The parser's offsets have 32 bits.
    if u32::try_from(text.len()).is_err() {
        let message = "the file is larger than 4 GiB".to_owned();
        return Module {
            error: Some(SyntaxError { range: Range::default(), message }),
            ..Module::default()
        };
    }
    let positions = Positions::new(text);
    let parsed = ManuallyDrop::new(parse_unchecked(text, ParseOptions::from(Mode::Module)));
    let tokens = TokenFacts::of(parsed.tokens());
    let reader = Reader::new(&positions, &tokens);
    let dotted_strings = dotted_strings(parsed.tokens(), text);
    let read = |body: &[Stmt]| Module {
        names: reader.read(body),
        has_examples: reader.has_examples(body),
        imports: imports(body),
        dotted_strings: dotted_strings.clone(),
        error: syntax_error(text, &parsed, &positions),
    };
    let whole = || read(parsed.syntax().as_module().map_or(&[], |module| module.body.as_slice()));
    let max_depth = tokens.max_depth;
    let module = if parsed.errors().is_empty() || max_depth > MAX_RECOVERY_DEPTH {
        whole()
    } else {
        // Syntax trees of pieces are no deeper, and are dropped in here.
        with_stack(max_depth, || {
            recovery::statements(text, &parsed).map_or_else(whole, |body| read(&body))
        })
    };
    discard(parsed, max_depth);
    module
}

fn syntax_error(text: &str, parsed: &Parsed<Mod>, positions: &Positions) -> Option<SyntaxError> {
    let nul = memchr::memchr(0, text.as_bytes()).and_then(|offset| u32::try_from(offset).ok());
    if let Some(offset) = nul {
        return Some(SyntaxError {
            range: positions.range(TextRange::empty(offset.into())),
            message: "source code cannot contain null bytes".to_owned(),
        });
    }
    let error = parsed.errors().first()?;
    let message = error.error.to_string().replace('\n', " ");
    Some(SyntaxError { range: positions.range(error.location), message })
}

/// Free a syntax tree whose destructors recurse as deep as it does.
fn discard(parsed: ManuallyDrop<Parsed<Mod>>, max_depth: usize) {
    if max_depth > MAX_DROP_DEPTH {
        return;
    }
    with_stack(max_depth, || drop(ManuallyDrop::into_inner(parsed)));
}

/// Have stack enough to drop a syntax tree of this depth.
fn with_stack<T>(max_depth: usize, work: impl FnOnce() -> T) -> T {
    let size = max_depth * DROP_FRAME + STACK_RED_ZONE;
    stacker::maybe_grow(size, size, work)
}

#[cfg(test)]
mod tests;
