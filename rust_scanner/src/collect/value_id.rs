//! Ids of single values (rules 15 to 17; `IdMaker._idval`).

use super::scope::Scope;
use crate::syntax::{Expr, Value};

/// Strings longer than this have no id of their own (pytest 9.2, strategy `short`).
const MAX_LENGTH: usize = 100;

/// What pytest makes of one value.
#[derive(Debug, PartialEq, Eq)]
pub enum ValueId {
    /// This text.
    Text(String),
    /// The argument's name and the index.
    Indexed,
    /// Only running the code tells.
    Unknown,
}

/// The id of a value given to `parametrize` (`_idval`).
pub fn of_value(value: &Expr, scope: Scope) -> ValueId {
    match value {
        Expr::Str(text) if text.chars().count() > MAX_LENGTH => ValueId::Indexed,
        Expr::Bytes(bytes) if bytes.len() > MAX_LENGTH => ValueId::Indexed,
        Expr::List(_) | Expr::Tuple(_) | Expr::Container | Expr::Ellipsis => ValueId::Indexed,
        _ => of_supported(value, scope).map_or(ValueId::Unknown, ValueId::Text),
    }
}

/// The id of a value that has one by itself (`_idval_from_value`); `None` where that is not known.
pub fn of_supported(value: &Expr, scope: Scope) -> Option<String> {
    Some(match value {
        Expr::None => "None".to_owned(),
        Expr::Bool(true) => "True".to_owned(),
        Expr::Bool(false) => "False".to_owned(),
        Expr::Int(digits) => digits.clone(),
        Expr::Float(float) => float_repr(*float),
        Expr::Str(text) => escaped(text),
        Expr::Bytes(bytes) => escaped_bytes(bytes),
        Expr::Lambda(_) => "<lambda>".to_owned(),
        Expr::Name(_) => name_of(value, scope)?,
        Expr::Call(call) if scope.qualified(&call.func).as_deref() == Some("re.compile") => {
            match call.args.first()? {
                Expr::Str(pattern) => escaped(pattern),
                Expr::Bytes(pattern) => escaped_bytes(pattern),
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// `__name__` of a built-in class, or of a function or class of this file that nothing decorates.
fn name_of(value: &Expr, scope: Scope) -> Option<String> {
    if let Some(binding) = scope.binding(value) {
        return match &binding.value {
            Value::Function(function) if function.decorators.is_empty() => {
                Some(function.name.clone())
            }
            // A metaclass may give the class another name.
            Value::Class(class) if class.decorators.is_empty() && class.keywords.is_empty() => {
                let plain = |base: &Expr| {
                    scope.qualified(base).and_then(|name| super::known::base(&name)).is_some()
                };
                (class.bases.iter().all(plain) && class.names.get("__name__").is_none())
                    .then(|| class.name.clone())
            }
            _ => None,
        };
    }
    let name = scope.qualified(value)?;
    let builtin = name.strip_prefix("builtins.")?;
    // `OSError.__name__` is what it says, that of its alias `IOError` is not.
    let is_alias = matches!(builtin, "IOError" | "EnvironmentError" | "WindowsError" | "object");
    let is_class =
        super::known::base(&name).is_some() || matches!(builtin, "bool" | "range" | "slice");
    let is_function = matches!(
        builtin,
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
            | "memoryview"
    );
    ((is_class || is_function) && (!is_alias || builtin == "object")).then(|| builtin.to_owned())
}

/// `ascii_escaped` of a text: Python's `unicode_escape`.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            ' '..='~' => out.push(c),
            c if u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out
}

/// `ascii_escaped` of bytes: a backslash stays single.
fn escaped_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b' '..=b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}

/// `repr(float)`: the shortest digits that give the number back, as Python writes them.
fn float_repr(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_owned();
    }
    if float.is_infinite() {
        return if float < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    // Rust's `{:e}` has the same shortest digits: `-1.25e-7`.
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{float}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_python_writes_them() {
        for (float, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.25e22, "1.25e+22"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(float_repr(float), expected);
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(escaped("a\\\t\x7f\u{e4}\u{20ac}\u{1f600}"), r"a\\\t\x7f\xe4\u20ac\U0001f600");
        assert_eq!(escaped_bytes(b"a\\\n\xff\x00"), r"a\\n\xff\x00");
    }
}
