//! Ids of single values (rules 15 to 17; `IdMaker._idval`).

use super::constant::{Constant, MemberKind};
use crate::config::{LongStrings, Options};

/// Texts longer than this have no id of their own (pytest 9.2, strategy `short`).
const MAX_LENGTH: usize = 100;

/// What pytest makes of one value.
#[derive(Debug, PartialEq, Eq)]
pub enum ValueId {
    /// This text.
    Text(String),
    /// The argument's name and the index.
    Indexed,
    /// pytest refuses to make one.
    Refused,
    /// Only running the code tells.
    Unknown,
}

/// The id of a value given to `parametrize` (`_idval`).
pub fn of_value(value: &Constant, options: &Options) -> ValueId {
    let text = match value {
        Constant::Str(text) => Some((text.chars().count(), text.as_bytes())),
        Constant::Bytes(bytes) => Some((bytes.len(), bytes.as_slice())),
        Constant::Member(member) => match (&member.kind, &member.value) {
            (MemberKind::Str | MemberKind::StrEnum, Constant::Str(text)) => {
                Some((text.chars().count(), text.as_bytes()))
            }
            _ => None,
        },
        _ => None,
    };
    if let Some((length, bytes)) = text
        && length > MAX_LENGTH
        && options.versions.has_long_str_strategy()
    {
        match options.ids.long_strings {
            LongStrings::Short => return ValueId::Indexed,
            LongStrings::Legacy => {}
            LongStrings::Sha256 => return ValueId::Text(sha256(bytes)),
            LongStrings::Disallow => return ValueId::Refused,
        }
    }
    of_supported(value, options)
}

/// The id of a value that has one by itself (`_idval_from_value`); `Indexed` where it surely has none.
pub fn of_supported(value: &Constant, options: &Options) -> ValueId {
    let text = match value {
        Constant::Str(text) => Some(escaped(text, options)),
        // Without escaping they stay bytes, which pytest cannot join.
        Constant::Bytes(_) if options.ids.are_unescaped => None,
        Constant::Bytes(bytes) => Some(escaped_bytes(bytes)),
        Constant::None
        | Constant::Bool(_)
        | Constant::Int(_)
        | Constant::Float(_)
        | Constant::Complex(..) => value.repr(),
        Constant::Pattern(pattern) => match pattern.as_ref() {
            Constant::Str(pattern) => Some(ascii_escaped(pattern)),
            Constant::Bytes(pattern) => Some(escaped_bytes(pattern)),
            _ => None,
        },
        Constant::Named(name) | Constant::Enumeration(name, _) => Some(name.clone()),
        Constant::Member(member) => match (&member.kind, &member.value) {
            (MemberKind::Str | MemberKind::StrEnum, Constant::Str(text)) => {
                Some(escaped(text, options))
            }
            _ => member.str(&options.versions),
        },
        Constant::Ellipsis
        | Constant::List(_)
        | Constant::Tuple(_)
        | Constant::Dict(_)
        | Constant::Series(_)
        | Constant::Object => return ValueId::Indexed,
        // A generator has a name, `zip(…)` has none.
        Constant::Iterator(_)
        | Constant::Param(_)
        | Constant::Hidden
        | Constant::Data
        | Constant::Unknown => None,
    };
    text.map_or(ValueId::Unknown, ValueId::Text)
}

/// A text as part of an id (`_ascii_escaped_by_config`).
pub fn escaped(text: &str, options: &Options) -> String {
    if options.ids.are_unescaped { text.to_owned() } else { ascii_escaped(text) }
}

/// `ascii_escaped` of a text: Python's `unicode_escape`.
pub fn ascii_escaped(text: &str) -> String {
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

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(
            ascii_escaped("a\\\t\x7f\u{e4}\u{20ac}\u{1f600}"),
            r"a\\\t\x7f\xe4\u20ac\U0001f600"
        );
        assert_eq!(escaped_bytes(b"a\\\n\xff\x00"), r"a\\n\xff\x00");
    }

    #[test]
    fn long_texts() {
        let text = Constant::Str("x".repeat(101));
        let with = |long_strings| {
            let mut options = Options::default();
            options.ids.long_strings = long_strings;
            of_value(&text, &options)
        };
        assert_eq!(with(LongStrings::Short), ValueId::Indexed);
        assert_eq!(with(LongStrings::Legacy), ValueId::Text("x".repeat(101)));
        assert_eq!(with(LongStrings::Disallow), ValueId::Refused);
        assert_eq!(
            with(LongStrings::Sha256),
            ValueId::Text(
                "c675a2e604b0cd1229c036e3ce0c87422980a245e295bbc605a507a2299752db".to_owned()
            )
        );
    }
}
