//! What one file says, as far as collection depends on it: plain data, free of parser types.
//!
//! Facts hold for a file's text alone. Configuration, other files and pytest's rules come in later, in
//! `collect`, so that facts can be kept while those change.

use serde::{Deserialize, Serialize};

/// A stretch of text as the Language Server Protocol counts it: lines from zero, columns in UTF-16
/// code units, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Range {
    /// Line and column of the first character.
    pub start: (u32, u32),
    /// Line and column after the last character.
    pub end: (u32, u32),
}

/// A module: its namespace after execution, as far as the text decides it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Module {
    /// The names at the end, in the order of `__dict__`.
    pub names: Namespace,
    /// What it imports anywhere in its text.
    pub imports: Vec<Imported>,
    /// Strings such as `"a.b.c"`, which may name modules.
    pub dotted_strings: Vec<String>,
    /// Why the file could not be parsed as a whole; what the parser could recover is there.
    pub error: Option<SyntaxError>,
    /// Whether its docstring has examples for doctest.
    pub has_examples: bool,
}

/// The first error that keeps a file from being imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntaxError {
    /// Where.
    pub range: Range,
    /// What, one line.
    pub message: String,
}

/// The names bound by a module's or class' body.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Bindings")]
pub struct Namespace {
    bindings: Vec<Binding>,
    /// The places of the bindings, by name.
    #[serde(skip)]
    places: Vec<u32>,
    /// Why there may be names that are not seen here.
    pub doubts: Vec<Doubt>,
    /// Its star imports, in the text's order.
    pub stars: Vec<Star>,
}

/// `from module import *`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Star {
    /// The module, with one leading dot for each level of a relative import.
    pub module: String,
    /// When it is executed, as in `Binding::order`.
    pub order: u32,
    /// Where it stands.
    pub range: Range,
    /// Why it may not be executed.
    pub doubt: Option<Doubt>,
}

/// A `Namespace` as it is kept: where a name is follows from the bindings.
#[derive(Deserialize)]
struct Bindings {
    bindings: Vec<Binding>,
    doubts: Vec<Doubt>,
    stars: Vec<Star>,
}

impl From<Bindings> for Namespace {
    fn from(kept: Bindings) -> Self {
        Self { stars: kept.stars, ..Self::new(kept.bindings, kept.doubts) }
    }
}

impl Namespace {
    /// With `bindings` in the order of `__dict__`: a name bound again keeps its first place (rule 9).
    #[must_use]
    pub fn new(bindings: Vec<Binding>, doubts: Vec<Doubt>) -> Self {
        let mut places: Vec<u32> = (0..).take(bindings.len()).collect();
        // No name comes twice.
        places.sort_unstable_by_key(|&place| bindings[place as usize].name.as_str());
        Self { bindings, places, doubts, stars: Vec::new() }
    }

    /// All names, in the order of `__dict__`.
    #[must_use]
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// What `name` is bound to at the end.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Binding> {
        let at = |place: &u32| &self.bindings[*place as usize];
        let found = self.places.binary_search_by_key(&name, |place| at(place).name.as_str());
        found.ok().map(|index| at(&self.places[index]))
    }
}

/// One name of a namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// The name.
    pub name: String,
    /// When it is bound first and last, counted in the namespace's statements.
    pub order: (u32, u32),
    /// What it is bound to last.
    pub value: Value,
    /// Where the name is bound.
    pub range: Range,
    /// Why that is not certain.
    pub doubt: Option<Doubt>,
    /// `NAME.__test__ = ...`, assigned from outside.
    pub test_flag: Option<Expr>,
    /// Whether the value was the same all the time.
    pub history: History,
}

/// What happened to a name besides being bound to its last value.
///
/// A decorator is evaluated where it stands: what it read is certain only if the name never had
/// another value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// It was bound before, to something else.
    pub is_rebound: bool,
    /// It was changed in place by statements that the value reflects: `name.append(1)`.
    pub is_grown: bool,
    /// It is changed in place, perhaps, in a way that the value does not reflect.
    pub is_tampered: bool,
}

/// What a name is bound to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A `def`.
    Function(Box<Function>),
    /// A `class`.
    Class(Box<Class>),
    /// An `import`; the module and, for `from` imports, the name in it.
    Import(Import),
    /// An assignment.
    Expr(Box<Expr>),
    /// Something no text decides: a loop variable, part of an unpacked value.
    Unknown,
}

/// One imported name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The module, with one leading dot for each level of a relative import.
    pub module: String,
    /// The name in the module; `None` for the module itself.
    pub name: Option<String>,
}

/// One import, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The module, with one leading dot for each level of a relative import.
    pub module: String,
    /// The names after `from ... import`, which may be submodules; `*` for all.
    pub names: Vec<String>,
    /// When it is executed.
    pub when: When,
}

/// When an import is executed, if it is; the likelier first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum When {
    /// With the module around it, perhaps under a condition.
    Imported,
    /// When a function is called, perhaps with the module's name in a string.
    Called,
    /// Not under pytest: `if TYPE_CHECKING:`.
    Never,
}

/// Why something cannot be decided from one file's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doubt {
    /// `from x import *`.
    StarImport,
    /// Under an `if` or `match` whose outcome is not known.
    Conditional,
    /// Under `try` or `except`.
    Try,
    /// In a loop.
    Loop,
    /// `exec`, `setattr`, `globals()` and the like.
    Reflection,
    /// `pytest.skip(allow_module_level=True)`, `pytest.importorskip` and the like.
    ModuleSkip,
    /// Nested deeper than we follow.
    TooDeep,
}

impl Doubt {
    /// For people: a clause that follows "because".
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::StarImport => "a star import may bind further names",
            Self::Conditional => "it is defined under a condition",
            Self::Try => "it is defined under try or except",
            Self::Loop => "it is defined in a loop",
            Self::Reflection => "names are bound by exec, setattr, globals() or the like",
            Self::ModuleSkip => "the module may be skipped when it is imported",
            Self::TooDeep => "it is nested too deeply",
        }
    }
}

/// A `def`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its own name, which an alias does not change.
    pub name: String,
    /// Decorators, in the text's order.
    pub decorators: Vec<Expr>,
    /// Parameters, `*args` and `**kwargs` excluded.
    pub parameters: Vec<Parameter>,
    /// Whether it has `*args`.
    pub takes_more: bool,
    /// Whether `async def`.
    pub is_async: bool,
    /// Whether its own body holds a `yield`.
    pub is_generator: bool,
    /// Whether, as a `pytest_collection_modifyitems`, it may change more than marks.
    pub changes_items: bool,
    /// As a `pytest_generate_tests`, the names it may parametrize; `None` where that is not known.
    pub generates: Option<Vec<String>>,
    /// As a `pytest_collect_file`, the suffixes of file names that it mentions: `.yaml`.
    pub suffixes: Vec<String>,
    /// Whether its docstring has examples for doctest.
    pub has_examples: bool,
    /// From `def` to the end of the body, decorators excluded.
    pub range: Range,
}

/// One parameter of a `def`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether it can only be given by position.
    pub positional_only: bool,
    /// Whether it has a default, which keeps it from being a fixture.
    pub has_default: bool,
}

/// A `class`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")] // bounded in depth by `cache`
pub struct Class {
    /// Its own name, which an alias does not change.
    pub name: String,
    /// Decorators, in the text's order.
    pub decorators: Vec<Expr>,
    /// Positional bases.
    pub bases: Vec<Expr>,
    /// Keywords such as `metaclass`; the name is `None` for `**kwargs`.
    pub keywords: Vec<(Option<String>, Expr)>,
    /// Its body.
    pub names: Namespace,
    /// Whether its docstring has examples for doctest.
    pub has_examples: bool,
    /// From `class` to the end of the body, decorators excluded.
    pub range: Range,
}

/// An expression, as far as ids, marks and names depend on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")] // bounded in depth by `cache`
pub enum Expr {
    /// `None`.
    None,
    /// `...`.
    Ellipsis,
    /// `True`, `False`.
    Bool(bool),
    /// An integer, in decimal.
    Int(String),
    /// A float.
    Float(f64),
    /// `1j`.
    Imaginary(f64),
    /// A string literal.
    Str(String),
    /// A bytes literal.
    Bytes(Vec<u8>),
    /// A name.
    Name(String),
    /// `value.name`.
    Attribute(Box<Expr>, String),
    /// A call.
    Call(Box<Call>),
    /// A list display.
    List(Vec<Expr>),
    /// A tuple display.
    Tuple(Vec<Expr>),
    /// A dict display; a key that is `None` unpacks its value.
    Dict(Vec<(Option<Expr>, Expr)>),
    /// A comprehension of a list, or a generator.
    Comprehension(Box<Comprehension>),
    /// A set display, a comprehension of set or dict, or a list of which only that is known.
    Container,
    /// `value[...]`.
    Subscript(Box<Expr>),
    /// `*value`.
    Starred(Box<Expr>),
    /// A lambda.
    Lambda(Box<Function>),
    /// `left operator right`.
    Binary(Box<Binary>),
    /// An f-string without format specifications.
    Format(Vec<Part>),
    /// A value that is computed, but surely neither a function nor a class: `a < b`, `f"{x:5}"`.
    Data,
    /// Anything else.
    Other,
}

/// An arithmetic operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Binary {
    /// On the left.
    pub left: Expr,
    /// In between.
    pub operator: Operator,
    /// On the right.
    pub right: Expr,
}

/// What is done with two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `//`.
    FloorDivide,
    /// `%`.
    Modulo,
    /// `**`.
    Power,
    /// `<<`.
    LeftShift,
    /// `>>`.
    RightShift,
    /// `|`.
    Or,
    /// `&`.
    And,
    /// `^`.
    Xor,
    /// `@`.
    MatrixMultiply,
}

/// A part of an f-string.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Part {
    /// Text.
    Text(String),
    /// `{value}`.
    Str(Expr),
    /// `{value!r}`.
    Repr(Expr),
}

/// A comprehension with one `for`, without `if`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comprehension {
    /// What is computed each time.
    pub element: Expr,
    /// What is assigned each time.
    pub target: Expr,
    /// What is gone through.
    pub iterable: Expr,
    /// Whether it makes a list, and not a generator.
    pub is_list: bool,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// What is called.
    pub func: Expr,
    /// Positional arguments.
    pub args: Vec<Expr>,
    /// Keyword arguments; the name is `None` for `**kwargs`.
    pub keywords: Vec<(Option<String>, Expr)>,
}

impl Call {
    /// The argument at `position` or called `name`.
    #[must_use]
    pub fn argument(&self, position: usize, name: &str) -> Option<&Expr> {
        self.args.get(position).or_else(|| self.keyword(name))
    }

    /// The keyword argument called `name`.
    #[must_use]
    pub fn keyword(&self, name: &str) -> Option<&Expr> {
        self.keywords.iter().find(|(key, _)| key.as_deref() == Some(name)).map(|(_, value)| value)
    }

    /// Whether `*args` or `**kwargs` hide what is given.
    #[must_use]
    pub fn is_unpacking(&self) -> bool {
        self.args.iter().any(|arg| matches!(arg, Expr::Starred(_)))
            || self.keywords.iter().any(|(name, _)| name.is_none())
    }
}
