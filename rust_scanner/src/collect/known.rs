//! What is known of names outside the project: bases, decorators, fixtures.
//!
//! Only what holds in every version of Python and pytest that is supported. A name that is not here is
//! not guessed at; it makes the item dynamic.

/// What inheriting from a foreign class means for collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Nothing: no tests, no constructor.
    Plain,
    /// The same, and the metaclass that makes abstract methods count.
    Abstract,
    /// A constructor of its own: pytest warns and collects nothing (rule 11).
    Constructor,
    /// `unittest.TestCase`, without tests of its own.
    TestCase,
}

/// The foreign class called `name`, in full.
pub fn base(name: &str) -> Option<Base> {
    Some(match name {
        "builtins.object" | "typing.Generic" | "typing_extensions.Generic" => Base::Plain,
        "abc.ABC" => Base::Abstract,
        "unittest.TestCase"
        | "unittest.case.TestCase"
        | "unittest.IsolatedAsyncioTestCase"
        | "unittest.async_case.IsolatedAsyncioTestCase"
        | "django.test.SimpleTestCase"
        | "django.test.TransactionTestCase"
        | "django.test.TestCase"
        | "django.test.LiveServerTestCase"
        | "django.test.testcases.SimpleTestCase"
        | "django.test.testcases.TransactionTestCase"
        | "django.test.testcases.TestCase"
        | "django.test.testcases.LiveServerTestCase"
        | "rest_framework.test.APISimpleTestCase"
        | "rest_framework.test.APITransactionTestCase"
        | "rest_framework.test.APITestCase"
        | "rest_framework.test.APILiveServerTestCase"
        | "twisted.trial.unittest.SynchronousTestCase"
        | "twisted.trial.unittest.TestCase" => Base::TestCase,
        "typing.Protocol"
        | "typing.NamedTuple"
        | "typing.TypedDict"
        | "typing_extensions.Protocol"
        | "typing_extensions.NamedTuple"
        | "typing_extensions.TypedDict"
        | "enum.Enum"
        | "enum.IntEnum"
        | "enum.StrEnum"
        | "enum.Flag"
        | "enum.IntFlag"
        | "collections.OrderedDict"
        | "collections.defaultdict"
        | "collections.deque"
        | "collections.Counter"
        | "collections.UserDict"
        | "collections.UserList"
        | "threading.Thread"
        | "io.StringIO"
        | "io.BytesIO" => Base::Constructor,
        // Every other built-in class has a constructor of its own.
        _ => {
            let builtin = name.strip_prefix("builtins.")?;
            let is_exception = ["Error", "Exception", "Warning", "Exit", "Interrupt", "Iteration"]
                .iter()
                .any(|end| builtin.ends_with(end));
            let is_type = matches!(
                builtin,
                "dict"
                    | "list"
                    | "tuple"
                    | "set"
                    | "frozenset"
                    | "str"
                    | "bytes"
                    | "bytearray"
                    | "int"
                    | "float"
                    | "complex"
                    | "type"
                    | "property"
                    | "BaseExceptionGroup"
                    | "ExceptionGroup"
            );
            (is_exception || is_type).then_some(Base::Constructor)?
        }
    })
}

/// What a foreign decorator does to the function or class it is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decorator {
    /// Nothing that collection sees.
    Transparent,
    /// The function stays a function with the same arguments, but is not the generator it was.
    Wrapper,
    /// `hypothesis.given`: takes arguments away.
    Given,
    /// `mock.patch`: puts arguments in front, unless `new` is given at this position.
    Patch(usize),
    /// Makes a fixture.
    Fixture,
    /// `staticmethod`.
    Static,
    /// `classmethod`.
    Class,
    /// Makes something that is neither a function nor a class.
    Data,
    /// `abc.abstractmethod`.
    AbstractMethod,
    /// Gives a class a constructor, unless told `init=False`.
    Dataclass,
}

/// The foreign decorator called `name`, in full.
pub fn decorator(name: &str) -> Option<Decorator> {
    Some(match name {
        "unittest.skip"
        | "unittest.skipIf"
        | "unittest.skipUnless"
        | "unittest.expectedFailure"
        | "unittest.case.skip"
        | "unittest.case.skipIf"
        | "unittest.case.skipUnless"
        | "typing.final"
        | "typing.override"
        | "typing.no_type_check"
        | "typing_extensions.final"
        | "typing_extensions.override"
        | "hypothesis.settings"
        | "hypothesis.example"
        | "hypothesis.seed"
        | "hypothesis.reproduce_failure"
        | "django.test.tag"
        | "django.test.utils.tag" => Decorator::Transparent,
        "django.test.override_settings"
        | "django.test.modify_settings"
        | "django.test.utils.override_settings"
        | "django.test.utils.modify_settings"
        | "freezegun.freeze_time"
        | "unittest.mock.patch.dict"
        | "mock.patch.dict" => Decorator::Wrapper,
        "hypothesis.given" => Decorator::Given,
        "unittest.mock.patch" | "mock.patch" => Decorator::Patch(1),
        "unittest.mock.patch.object" | "mock.patch.object" => Decorator::Patch(2),
        "pytest.fixture" | "pytest.yield_fixture" | "pytest_asyncio.fixture" => Decorator::Fixture,
        "builtins.staticmethod" => Decorator::Static,
        "builtins.classmethod" => Decorator::Class,
        "builtins.property" | "functools.cached_property" => Decorator::Data,
        "abc.abstractmethod" => Decorator::AbstractMethod,
        "dataclasses.dataclass"
        | "attr.s"
        | "attr.attrs"
        | "attr.dataclass"
        | "attr.define"
        | "attr.frozen"
        | "attr.mutable"
        | "attrs.define"
        | "attrs.frozen"
        | "attrs.mutable" => Decorator::Dataclass,
        _ => return None,
    })
}

/// Whether imports are not followed beyond `name`, in full: what it means is known by its name.
pub fn is_settled(name: &str) -> bool {
    let top = name.split('.').next().unwrap_or(name);
    matches!(
        top,
        "pytest"
            | "_pytest"
            | "unittest"
            | "typing"
            | "typing_extensions"
            | "abc"
            | "enum"
            | "re"
            | "os"
            | "sys"
            | "functools"
            | "dataclasses"
            | "collections"
            | "hypothesis"
            | "attr"
            | "attrs"
            | "mock"
            | "pathlib"
            | "logging"
            | "datetime"
            | "decimal"
            | "uuid"
            | "io"
            | "contextlib"
            | "threading"
            | "builtins"
            | "itertools"
            | "operator"
            | "math"
    ) || base(name).is_some()
        || decorator(name).is_some()
}

/// Whether the foreign object called `name`, in full, surely yields no item where it is imported.
pub fn yields_nothing(name: &str) -> bool {
    base(name).is_some()
        || [
            "unittest.",
            "pytest.",
            "_pytest.",
            "typing.",
            "typing_extensions.",
            "collections.abc.",
            "hypothesis.",
        ]
        .iter()
        .any(|package| name.starts_with(package))
}

/// Whether calling the foreign object called `name`, in full, surely gives neither function nor class.
pub fn makes_data(name: &str) -> bool {
    let is_maker = |builtin: &str| {
        !matches!(
            builtin,
            "type"
                | "eval"
                | "getattr"
                | "classmethod"
                | "staticmethod"
                | "super"
                | "__import__"
                | "next"
                | "vars"
                | "globals"
                | "locals"
                | "min"
                | "max"
        )
    };
    name.strip_prefix("builtins.").is_some_and(is_maker)
        || ["pathlib.", "os.path.", "logging.", "datetime.", "decimal.", "uuid."]
            .iter()
            .any(|module| name.starts_with(module))
        || matches!(name, "re.compile" | "os.getenv" | "os.environ.get" | "collections.namedtuple")
}

/// Whether `name` is a built-in function that goes by that name.
pub fn is_builtin_function(name: &str) -> bool {
    matches!(
        name,
        "abs"
            | "all"
            | "any"
            | "ascii"
            | "bin"
            | "callable"
            | "chr"
            | "dir"
            | "divmod"
            | "enumerate"
            | "eval"
            | "exec"
            | "filter"
            | "format"
            | "getattr"
            | "hasattr"
            | "hash"
            | "hex"
            | "id"
            | "isinstance"
            | "issubclass"
            | "iter"
            | "len"
            | "map"
            | "max"
            | "min"
            | "next"
            | "oct"
            | "ord"
            | "pow"
            | "print"
            | "repr"
            | "reversed"
            | "round"
            | "setattr"
            | "sorted"
            | "sum"
            | "vars"
            | "zip"
    )
}

/// Attributes that every module or class has, which pytest passes over (`IGNORED_ATTRIBUTES`).
pub fn is_ignored_attribute(name: &str) -> bool {
    matches!(
        name,
        "__builtins__"
            | "__cached__"
            | "__class__"
            | "__delattr__"
            | "__dict__"
            | "__dir__"
            | "__doc__"
            | "__eq__"
            | "__file__"
            | "__format__"
            | "__ge__"
            | "__getattribute__"
            | "__getstate__"
            | "__gt__"
            | "__hash__"
            | "__init__"
            | "__init_subclass__"
            | "__le__"
            | "__loader__"
            | "__lt__"
            | "__module__"
            | "__name__"
            | "__ne__"
            | "__new__"
            | "__package__"
            | "__reduce__"
            | "__reduce_ex__"
            | "__repr__"
            | "__setattr__"
            | "__sizeof__"
            | "__spec__"
            | "__str__"
            | "__subclasshook__"
            | "__weakref__"
    )
}
