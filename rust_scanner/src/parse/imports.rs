//! All imports of a file, wherever they stand, and strings that may name a module.

use std::collections::BTreeSet;

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::Ranged;

use super::condition;
use crate::syntax::{Imported, When};

/// Blocks within blocks beyond this are not looked into; Python's own limit is 100.
const MAX_DEPTH: usize = 100;
/// Dots of relative imports beyond this are not counted.
const MAX_LEVEL: usize = 100;
/// Functions that import the module that their first argument names.
const IMPORTERS: [&str; 3] = ["__import__", "import_module", "importorskip"];

/// Strings beyond these are not taken for names: the file is a table of data.
const MAX_STRINGS: usize = 1_000;

/// What a module's statements import, in the text's order.
pub fn imports(body: &[Stmt]) -> Vec<Imported> {
    let mut found = Vec::new();
    Block { when: When::Imported, depth: 0 }.read(body, &mut found);
    found
}

/// Strings such as `"a.b.c"`, which `mock.patch` and settings use to name modules; sorted.
pub fn dotted_strings(tokens: &Tokens, text: &str) -> Vec<String> {
    let strings = tokens.iter().filter(|token| token.kind() == TokenKind::String);
    let names = strings.filter_map(|token| dotted_name(&text[token.range()]));
    let names: BTreeSet<&str> = names.take(MAX_STRINGS).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// The dotted name in a string as it is written.
fn dotted_name(literal: &str) -> Option<&str> {
    let name = literal.trim_start_matches(['r', 'R', 'u', 'U']).trim_matches(['"', '\'']);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    // First what is quick: most strings are something else.
    let is_dotted = name.bytes().all(is_name) && memchr::memchr(b'.', name.as_bytes()).is_some();
    let is_identifier = |part: &str| part.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    (is_dotted && name.split('.').all(is_identifier)).then_some(name)
}

/// Statements that are executed at the same time.
#[derive(Clone, Copy)]
struct Block {
    when: When,
    depth: usize,
}

impl Block {
    fn read(self, body: &[Stmt], found: &mut Vec<Imported>) {
        if self.depth < MAX_DEPTH {
            body.iter().for_each(|statement| self.statement(statement, found));
        }
    }

    fn inner(self, body: &[Stmt], found: &mut Vec<Imported>) {
        Self { depth: self.depth + 1, ..self }.read(body, found);
    }

    fn statement(self, statement: &Stmt, found: &mut Vec<Imported>) {
        match statement {
            Stmt::Import(import) => {
                let modules = import.names.iter().map(|alias| alias.name.id.to_string());
                found.extend(modules.map(|module| self.imported(module, Vec::new())));
            }
            Stmt::ImportFrom(import) => {
                let level = usize::try_from(import.level).unwrap_or(MAX_LEVEL).min(MAX_LEVEL);
                let module = import.module.as_ref().map_or("", |module| module.id.as_str());
                let names = import.names.iter().map(|alias| alias.name.id.to_string()).collect();
                found.push(self.imported(".".repeat(level) + module, names));
            }
            Stmt::FunctionDef(def) => {
                let when = self.when.max(When::Called);
                Self { when, depth: self.depth + 1 }.read(&def.body, found);
            }
            Stmt::ClassDef(def) => self.inner(&def.body, found),
            Stmt::Expr(statement) => self.call(&statement.value, found),
            Stmt::Assign(assign) => self.call(&assign.value, found),
            Stmt::AnnAssign(assign) => {
                assign.value.iter().for_each(|value| self.call(value, found));
            }
            Stmt::Return(end) => end.value.iter().for_each(|value| self.call(value, found)),
            _ => self.compound(statement, found),
        }
    }

    fn compound(self, statement: &Stmt, found: &mut Vec<Imported>) {
        match statement {
            Stmt::If(branches) => self.branches(branches, found),
            Stmt::With(with) => {
                with.items.iter().for_each(|item| self.call(&item.context_expr, found));
                self.inner(&with.body, found);
            }
            Stmt::Try(attempt) => {
                self.inner(&attempt.body, found);
                for ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    self.inner(&handler.body, found);
                }
                self.inner(&attempt.orelse, found);
                self.inner(&attempt.finalbody, found);
            }
            Stmt::For(each) => {
                self.inner(&each.body, found);
                self.inner(&each.orelse, found);
            }
            Stmt::While(each) => {
                self.inner(&each.body, found);
                self.inner(&each.orelse, found);
            }
            Stmt::Match(choice) => {
                choice.cases.iter().for_each(|case| self.inner(&case.body, found));
            }
            _ => {}
        }
    }

    /// Every branch counts; one that is never taken under pytest (`TYPE_CHECKING`) as such.
    fn branches(self, statement: &ast::StmtIf, found: &mut Vec<Imported>) {
        let block = |test: Option<&Expr>| match test.and_then(condition::outcome) {
            Some(false) => Self { when: When::Never, ..self },
            _ => self,
        };
        block(Some(&statement.test)).inner(&statement.body, found);
        for clause in &statement.elif_else_clauses {
            block(clause.test.as_ref()).inner(&clause.body, found);
        }
    }

    /// `importlib.import_module("x")`, `pytest.importorskip("x")`.
    fn call(self, value: &Expr, found: &mut Vec<Imported>) {
        let Expr::Call(call) = value else { return };
        let name = match call.func.as_ref() {
            Expr::Name(name) => &name.id,
            Expr::Attribute(attribute) => &attribute.attr.id,
            _ => return,
        };
        if IMPORTERS.contains(&name.as_str())
            && let Some(Expr::StringLiteral(module)) = call.arguments.args.first()
        {
            found.push(self.imported(module.value.to_str().to_owned(), Vec::new()));
        }
    }

    fn imported(self, module: String, names: Vec<String>) -> Imported {
        Imported { module, names, when: self.when }
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::{Source, parse};
    use crate::syntax::When;

    #[test]
    fn imports_are_found_wherever_they_stand() {
        let text = b"
import a, b.c as d
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from .types import T
    def f(): import never
else:
    import e
try:
    from ..f import (g, h as i)
except ImportError:
    from j import *
class K:
    import l
    async def m(self):
        with self: from . import n
        return importlib.import_module('o.p')
q = pytest.importorskip('r')
";
        let Source::Module(module) = parse(text) else { panic!("not a module") };
        let found: Vec<(&str, Vec<&str>, When)> = module
            .imports
            .iter()
            .map(|import| {
                let names = import.names.iter().map(String::as_str).collect();
                (import.module.as_str(), names, import.when)
            })
            .collect();
        let (imported, called, never) = (When::Imported, When::Called, When::Never);
        let expected = [
            ("a", vec![], imported),
            ("b.c", vec![], imported),
            ("typing", vec!["TYPE_CHECKING"], imported),
            (".types", vec!["T"], never),
            ("never", vec![], never),
            ("e", vec![], imported),
            ("..f", vec!["g", "h"], imported),
            ("j", vec!["*"], imported),
            ("l", vec![], imported),
            (".", vec!["n"], called),
            ("o.p", vec![], called),
            ("r", vec![], imported),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn strings_may_name_modules() {
        let text = b"
@patch('a.b.C.d')
def f(x=\"e.f\", *, y=r'a.b.C.d'):
    'sentence. 1.2 g. .h i.j k'
    return 'l', '1.5', 'm..n', b'o.p', f'q.r', 'a.b\\n'
";
        let Source::Module(module) = parse(text) else { panic!("not a module") };
        assert_eq!(module.dotted_strings, ["a.b.C.d", "e.f"]);
    }
}
