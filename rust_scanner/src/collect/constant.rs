//! Values that the text decides, and what Python writes for them.

use crate::pyrepr;
use crate::versions::Versions;

/// A value, as far as ids depend on it.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
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
    /// A complex number.
    Complex(f64, f64),
    /// A text.
    Str(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Constant>),
    /// A tuple.
    Tuple(Vec<Constant>),
    /// A dict.
    Dict(Vec<(Constant, Constant)>),
    /// Something else that can be gone through again and again: a range, a dict's keys.
    Series(Vec<Constant>),
    /// Something that can be gone through once: `zip(…)`, a generator.
    Iterator(Vec<Constant>),
    /// A function or class with this `__name__`.
    Named(String),
    /// An enumeration and its members, in order, without aliases.
    Enumeration(String, Vec<Constant>),
    /// A member of an enumeration.
    Member(Box<Member>),
    /// A compiled regular expression: a text or bytes.
    Pattern(Box<Constant>),
    /// `pytest.param(…)`.
    Param(Box<Param>),
    /// `pytest.HIDDEN_PARAM`.
    Hidden,
    /// An object of none of these kinds, and without a `__name__`.
    Object,
    /// Not known, but surely no `pytest.param`.
    Data,
    /// Not known.
    Unknown,
}

/// A member of an enumeration.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The enumeration's name.
    pub class: String,
    /// Its own name.
    pub name: String,
    /// Its value.
    pub value: Constant,
    /// What else it is.
    pub kind: MemberKind,
}

/// What a member of an enumeration is besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberKind {
    /// Nothing: `Enum`, `Flag`.
    Plain,
    /// An integer whose class writes it as such: `IntEnum`, `IntFlag`.
    IntEnum,
    /// `class C(int, Enum)`.
    Int,
    /// `StrEnum`.
    StrEnum,
    /// `class C(str, Enum)`.
    Str,
}

/// The arguments of `pytest.param`.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The values.
    pub values: Vec<Constant>,
    /// `id=`.
    pub id: Constant,
    /// Whether it may have marks.
    pub has_marks: bool,
}

impl Constant {
    /// A small integer.
    pub fn int(value: i128) -> Self {
        Self::Int(value.to_string())
    }

    /// The value of a small integer; a bool counts as one.
    pub fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(digits) => digits.parse().ok(),
            Self::Bool(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    /// The values that going through it yields, if it is known that it can be.
    pub fn into_values(self) -> Option<Vec<Self>> {
        match self {
            Self::List(values)
            | Self::Tuple(values)
            | Self::Series(values)
            | Self::Iterator(values)
            | Self::Enumeration(_, values) => Some(values),
            Self::Dict(items) => Some(items.into_iter().map(|(key, _)| key).collect()),
            Self::Str(text) => Some(text.chars().map(|c| Self::Str(c.to_string())).collect()),
            _ => None,
        }
    }

    /// Whether two values that are equal here are equal in Python, and others are not.
    pub fn is_comparable(&self) -> bool {
        match self {
            Self::None | Self::Bool(_) | Self::Int(_) | Self::Str(_) | Self::Bytes(_) => true,
            Self::List(values) | Self::Tuple(values) => values.iter().all(Self::is_comparable),
            _ => false,
        }
    }

    /// `str(value)`; `None` where that is not known.
    pub fn str(&self, versions: &Versions) -> Option<String> {
        match self {
            Self::Str(text) => Some(text.clone()),
            Self::Member(member) => member.str(versions),
            other => other.repr(),
        }
    }

    /// `repr(value)`; `None` where that is not known.
    pub fn repr(&self) -> Option<String> {
        Some(match self {
            Self::None => "None".to_owned(),
            Self::Ellipsis => "Ellipsis".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(digits) => digits.clone(),
            Self::Float(float) => pyrepr::float(*float),
            Self::Complex(real, imaginary) => pyrepr::complex(*real, *imaginary),
            Self::Str(text) => pyrepr::text(text)?,
            Self::Bytes(bytes) => pyrepr::bytes(bytes),
            Self::List(values) => format!("[{}]", joined(values)?),
            Self::Tuple(values) if values.len() == 1 => format!("({},)", joined(values)?),
            Self::Tuple(values) => format!("({})", joined(values)?),
            Self::Dict(items) => {
                let item = |(key, value): &(Self, Self)| {
                    Some(format!("{}: {}", key.repr()?, value.repr()?))
                };
                let items: Option<Vec<_>> = items.iter().map(item).collect();
                format!("{{{}}}", items?.join(", "))
            }
            _ => return None,
        })
    }
}

impl Member {
    /// `str(member)`; `None` where that is not known.
    pub fn str(&self, versions: &Versions) -> Option<String> {
        let full = || format!("{}.{}", self.class, self.name);
        match self.kind {
            MemberKind::Plain | MemberKind::Int | MemberKind::Str => Some(full()),
            MemberKind::StrEnum => self.value.str(versions),
            MemberKind::IntEnum => {
                if versions.int_enums_are_written_as_numbers()? {
                    self.value.repr()
                } else {
                    Some(full())
                }
            }
        }
    }
}

fn joined(values: &[Constant]) -> Option<String> {
    let values: Option<Vec<String>> = values.iter().map(Constant::repr).collect();
    Some(values?.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_as_python_writes_them() {
        let text = |text: &str| Constant::Str(text.to_owned());
        let list = Constant::List(vec![
            Constant::int(1),
            text("it's"),
            text("\"'\n"),
            Constant::Tuple(vec![Constant::None]),
            Constant::Dict(vec![(text("a"), Constant::Bytes(vec![0, b'\'']))]),
        ]);
        let expected = r#"[1, "it's", '"\'\n', (None,), {'a': b"\x00'"}]"#;
        assert_eq!(list.repr().as_deref(), Some(expected));
        assert_eq!(Constant::List(vec![Constant::Object]).repr(), None);
    }
}
