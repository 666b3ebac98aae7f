//! Calls and foreign names whose outcome is certain.

use super::constant::{Constant, Param};
use super::evaluate::Evaluator;
use super::known::{self, Base};
use super::scope::{Object, Scope};
use crate::syntax::{Call, Class, Expr, Value};
use crate::versions::Versions;

/// Ranges and products longer than this are not computed.
const MAX_LENGTH: i128 = 100_000;

/// Bases of bases beyond this are not followed.
const MAX_BASES: usize = 20;

/// Foreign classes whose instances are neither functions nor classes, texts nor numbers, and have no
/// `__name__`.
const MAKERS_OF_OBJECTS: [&str; 24] = [
    "builtins.object",
    "builtins.bytearray",
    "builtins.set",
    "builtins.frozenset",
    "builtins.dict",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.deque",
    "collections.Counter",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "decimal.Decimal",
    "fractions.Fraction",
    "io.BytesIO",
    "io.StringIO",
    "pathlib.Path",
    "pathlib.PurePath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "types.SimpleNamespace",
    "uuid.UUID",
];

/// What a foreign name stands for.
pub fn foreign(name: &str, versions: &Versions) -> Constant {
    match name {
        "pytest.HIDDEN_PARAM" if versions.has_hidden_param() => Constant::Hidden,
        "math.pi" => Constant::Float(std::f64::consts::PI),
        "math.e" => Constant::Float(std::f64::consts::E),
        "math.tau" => Constant::Float(std::f64::consts::TAU),
        "math.inf" => Constant::Float(f64::INFINITY),
        "math.nan" => Constant::Float(f64::NAN),
        name => match class_or_function(name) {
            Some(name) => Constant::Named(name.to_owned()),
            None => Constant::Unknown,
        },
    }
}

/// `__name__` of a built-in class or function, and of those classes that everyone knows.
fn class_or_function(name: &str) -> Option<&str> {
    if let Some(builtin) = name.strip_prefix("builtins.") {
        // `OSError.__name__` is what it says, that of its alias `IOError` is not.
        let is_alias = matches!(builtin, "IOError" | "EnvironmentError" | "WindowsError");
        let is_class = known::base(name).is_some()
            || matches!(builtin, "bool" | "range" | "slice" | "memoryview");
        let is_named = !is_alias && is_class || known::is_builtin_function(builtin);
        return is_named.then_some(builtin);
    }
    // Of these the implementation may have another name: `pathlib.Path` has not.
    let is_class = MAKERS_OF_OBJECTS.contains(&name);
    is_class.then(|| name.rsplit('.').next()).flatten()
}

/// The value of a call.
pub fn value<'a>(evaluator: &Evaluator<'a>, call: &'a Call) -> Constant {
    if let Some(name) = evaluator.scope.qualified(&call.func) {
        return named(evaluator, call, &name);
    }
    if let Some(found) = evaluator.scope.found(&call.func)
        && let Some(class) = found.class()
    {
        let is_plain = makes_objects(found.scope.outside(), class, 0);
        return if is_plain { Constant::Object } else { Constant::Unknown };
    }
    match &call.func {
        Expr::Attribute(object, method) if call.keywords.is_empty() => {
            let arguments = evaluator.all(&call.args);
            let object = evaluator.value(object);
            arguments
                .and_then(|arguments| self::method(object, method, arguments))
                .unwrap_or(Constant::Unknown)
        }
        _ => Constant::Unknown,
    }
}

fn named<'a>(evaluator: &Evaluator<'a>, call: &'a Call, name: &str) -> Constant {
    if name == "pytest.param" {
        return param(evaluator, call)
            .map_or(Constant::Unknown, |param| Constant::Param(Box::new(param)));
    }
    let computed = builtin(evaluator, call, name);
    match computed {
        Some(value) => value,
        None if is_maker(name) => Constant::Object,
        None => Constant::Unknown,
    }
}

fn is_maker(name: &str) -> bool {
    let is_exception = known::base(name) == Some(Base::Constructor)
        && name.strip_prefix("builtins.").is_some_and(|builtin| {
            ["Error", "Exception", "Warning", "Exit", "Interrupt", "Iteration"]
                .iter()
                .any(|end| builtin.ends_with(end))
        });
    is_exception || MAKERS_OF_OBJECTS.contains(&name) || name == "builtins.list"
}

fn param<'a>(evaluator: &Evaluator<'a>, call: &'a Call) -> Option<Param> {
    let is_known =
        |(name, _): &(Option<String>, Expr)| matches!(name.as_deref(), Some("id" | "marks"));
    if !call.keywords.iter().all(is_known) {
        return None;
    }
    Some(Param {
        values: evaluator.all(&call.args)?,
        id: call.keyword("id").map_or(Constant::None, |id| evaluator.value(id)),
        has_marks: call.keyword("marks").is_some(),
    })
}

/// Built-in functions on values that are known; `None` where the outcome is not.
fn builtin<'a>(evaluator: &Evaluator<'a>, call: &'a Call, name: &str) -> Option<Constant> {
    if !call.keywords.is_empty() {
        return None;
    }
    let versions = evaluator.versions;
    if name == "builtins.map" {
        let [function, values] = call.args.as_slice() else { return None };
        let function = Callable::of(&evaluator.scope.qualified(function)?)?;
        let values = evaluator.value(values).into_values()?;
        let texts = values.iter().map(|value| function.call(value, versions).map(Constant::Str));
        return Some(Constant::Iterator(texts.collect::<Option<_>>()?));
    }
    let mut arguments = evaluator.all(&call.args)?;
    if let Some(function) = Callable::of(name) {
        let [value] = arguments.as_slice() else { return None };
        return function.call(value, versions).map(Constant::Str);
    }
    Some(match name {
        "builtins.range" => Constant::Series(range(&arguments)?),
        "builtins.list" if arguments.is_empty() => Constant::List(Vec::new()),
        "builtins.tuple" if arguments.is_empty() => Constant::Tuple(Vec::new()),
        "builtins.list" => Constant::List(only(&mut arguments)?.into_values()?),
        "builtins.tuple" => Constant::Tuple(only(&mut arguments)?.into_values()?),
        "builtins.reversed" => {
            let mut values = match only(&mut arguments)? {
                Constant::List(values) | Constant::Tuple(values) | Constant::Series(values) => {
                    values
                }
                _ => return None,
            };
            values.reverse();
            Constant::Iterator(values)
        }
        "builtins.enumerate" => {
            let values = only(&mut arguments)?.into_values()?;
            let pair =
                |(index, value)| Constant::Tuple(vec![Constant::Int(format!("{index}")), value]);
            Constant::Iterator(values.into_iter().enumerate().map(pair).collect())
        }
        "builtins.zip" => Constant::Iterator(zip(arguments)?),
        "itertools.chain" => {
            let parts: Option<Vec<_>> = arguments.into_iter().map(Constant::into_values).collect();
            Constant::Iterator(parts?.into_iter().flatten().collect())
        }
        "itertools.product" => Constant::Iterator(product(arguments)?),
        "builtins.len" => {
            let length = match only(&mut arguments)? {
                Constant::Bytes(bytes) => bytes.len(),
                Constant::Iterator(_) => return None,
                other => other.into_values()?.len(),
            };
            Constant::Int(length.to_string())
        }
        "builtins.float" => match only(&mut arguments)? {
            Constant::Str(text) => Constant::Float(special_float(&text)?),
            value => Constant::Float(value.as_int()? as f64),
        },
        "re.compile" => match arguments.into_iter().next()? {
            pattern @ (Constant::Str(_) | Constant::Bytes(_)) => {
                Constant::Pattern(Box::new(pattern))
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// Functions from a value to a text whose outcome is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callable {
    /// `str`.
    Str,
    /// `repr`.
    Repr,
}

impl Callable {
    /// The foreign function called `name`, in full.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "builtins.str" => Some(Self::Str),
            "builtins.repr" => Some(Self::Repr),
            _ => None,
        }
    }

    /// What it gives for `value`; `None` where that is not known.
    pub fn call(self, value: &Constant, versions: &Versions) -> Option<String> {
        match self {
            Self::Str => value.str(versions),
            Self::Repr => value.repr(),
        }
    }
}

fn only(arguments: &mut Vec<Constant>) -> Option<Constant> {
    if arguments.len() == 1 { arguments.pop() } else { None }
}

fn range(arguments: &[Constant]) -> Option<Vec<Constant>> {
    let numbers: Option<Vec<i128>> = arguments.iter().map(Constant::as_int).collect();
    let (start, stop, step) = match numbers?.as_slice() {
        [stop] => (0, *stop, 1),
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] => (*start, *stop, *step),
        _ => return None,
    };
    let is_small = |number: i128| number.unsigned_abs() < 1 << 100;
    if step == 0 || !(is_small(start) && is_small(stop) && is_small(step)) {
        return None;
    }
    let span = if step < 0 { start - stop } else { stop - start };
    let length = if span > 0 { (span - 1) / step.abs() + 1 } else { 0 };
    (length <= MAX_LENGTH)
        .then(|| (0..length).map(|index| Constant::int(start + index * step)).collect())
}

fn zip(arguments: Vec<Constant>) -> Option<Vec<Constant>> {
    let columns: Option<Vec<Vec<Constant>>> =
        arguments.into_iter().map(Constant::into_values).collect();
    let columns = columns?;
    let length = columns.iter().map(Vec::len).min().unwrap_or(0);
    let row = |index: usize| {
        Constant::Tuple(columns.iter().map(|column| column[index].clone()).collect())
    };
    Some((0..length).map(row).collect())
}

fn product(arguments: Vec<Constant>) -> Option<Vec<Constant>> {
    let mut rows = vec![Vec::new()];
    for argument in arguments {
        let values = argument.into_values()?;
        let count = rows.len().checked_mul(values.len())?;
        if i128::try_from(count).ok()? > MAX_LENGTH {
            return None;
        }
        rows = rows
            .iter()
            .flat_map(|row: &Vec<Constant>| {
                values.iter().map(move |value| {
                    let mut longer = row.clone();
                    longer.push(value.clone());
                    longer
                })
            })
            .collect();
    }
    Some(rows.into_iter().map(Constant::Tuple).collect())
}

/// `float("inf")` and its like.
fn special_float(text: &str) -> Option<f64> {
    match crate::pystr::strip(text).to_ascii_lowercase().as_str() {
        "inf" | "+inf" | "infinity" | "+infinity" => Some(f64::INFINITY),
        "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
        "nan" | "+nan" | "-nan" => Some(f64::NAN),
        _ => None,
    }
}

/// Methods of texts and dicts.
fn method(object: Constant, name: &str, mut arguments: Vec<Constant>) -> Option<Constant> {
    match (object, name) {
        (Constant::Dict(items), "keys") if arguments.is_empty() => {
            Some(Constant::Series(items.into_iter().map(|(key, _)| key).collect()))
        }
        (Constant::Dict(items), "values") if arguments.is_empty() => {
            Some(Constant::Series(items.into_iter().map(|(_, value)| value).collect()))
        }
        (Constant::Dict(items), "items") if arguments.is_empty() => {
            let pair = |(key, value)| Constant::Tuple(vec![key, value]);
            Some(Constant::Series(items.into_iter().map(pair).collect()))
        }
        (Constant::Str(text), "split") => {
            let part = |part: &str| Constant::Str(part.to_owned());
            let parts = match arguments.as_slice() {
                [] => text
                    .split(crate::pystr::is_space)
                    .filter(|part| !part.is_empty())
                    .map(part)
                    .collect(),
                [Constant::Str(separator)] if !separator.is_empty() => {
                    text.split(separator.as_str()).map(part).collect()
                }
                _ => return None,
            };
            Some(Constant::List(parts))
        }
        (Constant::Str(text), "join") => {
            let parts = only(&mut arguments)?.into_values()?.into_iter().map(|part| match part {
                Constant::Str(part) => Some(part),
                _ => None,
            });
            Some(Constant::Str(parts.collect::<Option<Vec<_>>>()?.join(&text)))
        }
        (Constant::Str(text), "upper") if arguments.is_empty() && text.is_ascii() => {
            Some(Constant::Str(text.to_uppercase()))
        }
        (Constant::Str(text), "lower") if arguments.is_empty() && text.is_ascii() => {
            Some(Constant::Str(text.to_lowercase()))
        }
        (Constant::Str(text), "encode") if arguments.is_empty() => {
            Some(Constant::Bytes(text.into_bytes()))
        }
        _ => None,
    }
}

/// Whether instances of a class that is written in `scope` surely are plain objects.
fn makes_objects(scope: Scope, class: &Class, depth: usize) -> bool {
    let is_plain_base = |base: &Expr| {
        // `Generic[T]` inherits from `Generic`.
        let base = match base {
            Expr::Subscript(origin) => origin,
            other => other,
        };
        match scope.object(base) {
            Object::Foreign(name) => {
                matches!(known::base(&name), Some(Base::Plain | Base::Abstract))
            }
            Object::Bound(found) => found.class().is_some_and(|class| {
                depth < MAX_BASES && makes_objects(found.scope.outside(), class, depth + 1)
            }),
            _ => false,
        }
    };
    let is_dataclass = |decorator: &Expr| {
        let function = match decorator {
            Expr::Call(call) => &call.func,
            other => other,
        };
        let name = scope.qualified(function);
        name.as_deref().and_then(known::decorator) == Some(known::Decorator::Dataclass)
    };
    let decides = ["__new__", "__name__", "__getattr__", "__getattribute__", "__class__"];
    // An attribute that an instance sets itself, `self.__name__ = …`, is not looked for: who does so
    // writes a method for it that is seen by its name.
    class.decorators.iter().all(is_dataclass)
        && class.keywords.is_empty()
        && class.bases.iter().all(is_plain_base)
        && class.names.doubts.is_empty()
        && !decides.iter().any(|name| class.names.get(name).is_some())
        && class.names.bindings().iter().all(|binding| !matches!(binding.value, Value::Unknown))
}
