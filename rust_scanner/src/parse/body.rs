//! Bodies of modules and classes: which names they bind, in which order, and how surely.

use ruff_python_ast::{self as ast, Expr as AstExpr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::bindings::Scope;
use super::condition;
use super::expr::{Converter, parameters};
use super::position::Positions;
use super::tokens::TokenFacts;
use crate::syntax::{Class, Doubt, Expr, Function, Namespace, Value};

/// Blocks within blocks beyond this are not looked into; Python's own limit is 100.
const MAX_DEPTH: usize = 100;

/// What reading a body needs to know of its file.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    positions: &'a Positions<'a>,
    tokens: &'a TokenFacts<'a>,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// For one file.
    pub fn new(positions: &'a Positions<'a>, tokens: &'a TokenFacts<'a>) -> Self {
        Self { positions, tokens, depth: 0 }
    }

    /// The names that `body` binds.
    pub fn read(self, body: &[Stmt]) -> Namespace {
        let mut scope = Scope::new(self.positions);
        self.block(&mut scope, body, None);
        for name in self.tokens.tampered(self.positions.text()) {
            scope.tamper(name);
        }
        scope.into_namespace()
    }

    /// Run through statements that are executed as surely as `doubt` says.
    fn block(mut self, scope: &mut Scope<'a>, body: &[Stmt], doubt: Option<Doubt>) {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            scope.doubt(Doubt::TooDeep);
            return;
        }
        for statement in body {
            self.statement(scope, statement, doubt);
        }
    }

    fn statement(self, scope: &mut Scope<'a>, statement: &Stmt, doubt: Option<Doubt>) {
        match statement {
            Stmt::FunctionDef(def) => {
                scope.bind(
                    &def.name.id,
                    def.name.range(),
                    Value::Function(Box::new(self.function(def))),
                    doubt,
                );
            }
            Stmt::ClassDef(def) => {
                scope.bind(
                    &def.name.id,
                    def.name.range(),
                    Value::Class(Box::new(self.class(def))),
                    doubt,
                );
            }
            Stmt::Assign(assign) => {
                scope.effect_of(&assign.value, false, doubt);
                for target in &assign.targets {
                    scope.assign(target, Some(&assign.value), doubt);
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    scope.effect_of(value, false, doubt);
                    scope.assign(&assign.target, Some(value), doubt);
                }
            }
            Stmt::AugAssign(assign) => scope.augment(assign, doubt),
            Stmt::TypeAlias(alias) => scope.assign(&alias.name, None, doubt),
            Stmt::Delete(delete) => {
                delete.targets.iter().for_each(|target| scope.delete(target, doubt))
            }
            Stmt::Import(import) => scope.import(import, doubt),
            Stmt::ImportFrom(import) => scope.import_from(import, doubt),
            Stmt::Expr(expr) => scope.effect_of(&expr.value, true, doubt),
            Stmt::Raise(raise) => {
                if raise.exc.as_deref().is_some_and(raises_skip) {
                    scope.doubt(Doubt::ModuleSkip);
                }
            }
            _ => self.compound(scope, statement, doubt),
        }
    }

    /// Statements that hold other statements.
    fn compound(self, scope: &mut Scope<'a>, statement: &Stmt, doubt: Option<Doubt>) {
        match statement {
            Stmt::If(branches) => self.branches(scope, branches, doubt),
            Stmt::With(with) => {
                for variable in with.items.iter().filter_map(|item| item.optional_vars.as_deref()) {
                    scope.assign(variable, None, doubt);
                }
                self.block(scope, &with.body, doubt);
            }
            Stmt::Try(attempt) => {
                let uncertain = doubt.or(Some(Doubt::Try));
                self.block(scope, &attempt.body, uncertain);
                for ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    self.block(scope, &handler.body, uncertain);
                }
                self.block(scope, &attempt.orelse, uncertain);
                self.block(scope, &attempt.finalbody, doubt);
            }
            Stmt::For(each) => {
                let uncertain = doubt.or(Some(Doubt::Loop));
                scope.assign(&each.target, None, uncertain);
                self.block(scope, &each.body, uncertain);
                self.block(scope, &each.orelse, uncertain);
            }
            Stmt::While(each) => {
                let uncertain = doubt.or(Some(Doubt::Loop));
                self.block(scope, &each.body, uncertain);
                self.block(scope, &each.orelse, uncertain);
            }
            Stmt::Match(choice) => {
                let uncertain = doubt.or(Some(Doubt::Conditional));
                for case in &choice.cases {
                    self.block(scope, &case.body, uncertain);
                }
            }
            _ => {}
        }
    }

    fn branches(self, scope: &mut Scope<'a>, statement: &ast::StmtIf, doubt: Option<Doubt>) {
        let first = (Some(statement.test.as_ref()), statement.body.as_slice());
        let others = statement
            .elif_else_clauses
            .iter()
            .map(|clause| (clause.test.as_ref(), clause.body.as_slice()));
        let mut doubt = doubt;
        for (test, body) in std::iter::once(first).chain(others) {
            match test.map_or(Some(true), condition::outcome) {
                Some(true) => return self.block(scope, body, doubt),
                Some(false) => {}
                None => {
                    doubt = doubt.or(Some(Doubt::Conditional));
                    self.block(scope, body, doubt);
                }
            }
        }
    }

    fn function(self, def: &ast::StmtFunctionDef) -> Function {
        Function {
            name: def.name.id.to_string(),
            decorators: decorators(&def.decorator_list),
            parameters: parameters(&def.parameters),
            takes_more: def.parameters.vararg.is_some(),
            is_async: def.is_async,
            is_generator: self.is_generator(def),
            changes_items: self.changes_items(def),
            generates: self.generates(def),
            suffixes: match def.name.id.as_str() {
                "pytest_collect_file" => {
                    self.tokens.suffixes_in(def.range(), self.positions.text())
                }
                _ => Vec::new(),
            },
            has_examples: self.has_examples(&def.body),
            range: self.definition_range(&def.name, def.range()),
        }
    }

    fn class(self, def: &ast::StmtClassDef) -> Class {
        let mut converter = Converter::frugal();
        let (bases, keywords) = match &def.arguments {
            Some(arguments) => (
                arguments.args.iter().map(|base| converter.convert(base)).collect(),
                converter.keywords(&arguments.keywords, 0),
            ),
            None => (Vec::new(), Vec::new()),
        };
        let mut scope = Scope::new(self.positions);
        self.block(&mut scope, &def.body, None);
        Class {
            name: def.name.id.to_string(),
            decorators: decorators(&def.decorator_list),
            bases,
            keywords,
            names: scope.into_namespace(),
            has_examples: self.has_examples(&def.body),
            range: self.definition_range(&def.name, def.range()),
        }
    }

    /// Whether the docstring that `body` begins with has examples for doctest.
    pub fn has_examples(self, body: &[Stmt]) -> bool {
        let Some(Stmt::Expr(first)) = body.first() else { return false };
        let AstExpr::StringLiteral(literal) = first.value.as_ref() else { return false };
        crate::doctest::has_examples(literal.value.to_str())
    }

    /// From the line with the name, which is the one with `def` or `class`, to the end.
    fn definition_range(self, name: &ast::Identifier, whole: TextRange) -> crate::syntax::Range {
        let start = self.positions.first_word_before(name.start());
        self.positions.range(TextRange::new(start.max(whole.start()), whole.end()))
    }

    /// Whether a `pytest_collection_modifyitems` may do more than look at its items and mark them.
    fn changes_items(self, def: &ast::StmtFunctionDef) -> bool {
        let has = |name| def.parameters.args.iter().any(|arg| arg.parameter.name.id == name);
        if def.name.id != "pytest_collection_modifyitems" {
            return false;
        }
        match (def.body.first(), def.body.last()) {
            (Some(first), Some(last)) if has("items") || has("session") => {
                let body = TextRange::new(first.start(), last.end());
                self.tokens.change_items(body, self.positions.text())
            }
            _ => false,
        }
    }

    /// The names that a `pytest_generate_tests` may parametrize.
    fn generates(self, def: &ast::StmtFunctionDef) -> Option<Vec<String>> {
        let metafunc = def.parameters.args.first()?;
        let (first, last) = (def.body.first()?, def.body.last()?);
        if def.name.id != "pytest_generate_tests" || def.parameters.args.len() != 1 {
            return None;
        }
        let body = TextRange::new(first.start(), last.end());
        self.tokens.parametrized_in(body, self.positions.text(), &metafunc.parameter.name.id)
    }

    /// Whether a `yield` belongs to the function itself, not to one inside it.
    fn is_generator(self, def: &ast::StmtFunctionDef) -> bool {
        let body = match (def.body.first(), def.body.last()) {
            (Some(first), Some(last)) => TextRange::new(first.start(), last.end()),
            _ => return false,
        };
        let yields = self.tokens.yields_in(body);
        if yields.is_empty() {
            return false;
        }
        let mut inner = Vec::new();
        inner_definitions(&def.body, self.depth, &mut inner);
        yields.iter().any(|offset| !inner.iter().any(|range| range.contains(*offset)))
    }
}

/// Definitions within `body`, at any depth of blocks but not of definitions.
fn inner_definitions(body: &[Stmt], depth: usize, found: &mut Vec<TextRange>) {
    if depth > MAX_DEPTH {
        return;
    }
    for statement in body {
        let mut within = |body: &[Stmt]| inner_definitions(body, depth + 1, found);
        match statement {
            Stmt::FunctionDef(def) => found.push(def.range()),
            Stmt::ClassDef(def) => found.push(def.range()),
            Stmt::If(branches) => {
                within(&branches.body);
                branches.elif_else_clauses.iter().for_each(|clause| within(&clause.body));
            }
            Stmt::With(with) => within(&with.body),
            Stmt::For(each) => [&each.body, &each.orelse].into_iter().for_each(|body| within(body)),
            Stmt::While(each) => {
                [&each.body, &each.orelse].into_iter().for_each(|body| within(body))
            }
            Stmt::Try(attempt) => {
                for ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    within(&handler.body);
                }
                [&attempt.body, &attempt.orelse, &attempt.finalbody]
                    .into_iter()
                    .for_each(|body| within(body));
            }
            Stmt::Match(choice) => choice.cases.iter().for_each(|case| within(&case.body)),
            _ => {}
        }
    }
}

fn decorators(list: &[ast::Decorator]) -> Vec<Expr> {
    let mut converter = Converter::unbounded();
    list.iter().map(|decorator| converter.convert(&decorator.expression)).collect()
}

fn raises_skip(exception: &AstExpr) -> bool {
    match exception {
        AstExpr::Call(call) => raises_skip(&call.func),
        AstExpr::Attribute(attribute) => {
            attribute.attr.id == "SkipTest"
                || attribute.attr.id == "Exception" && raises_skip(&attribute.value)
                || attribute.attr.id == "skip"
        }
        AstExpr::Name(name) => name.id == "SkipTest",
        _ => false,
    }
}
