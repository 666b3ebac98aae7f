//! `repr()` of values, as Python writes it.

/// `repr(float)`: the shortest digits that give the number back, as Python writes them.
pub fn float(float: f64) -> String {
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

/// `repr(complex)`: parts without a trailing `.0`, the real one left out where it is zero.
pub fn complex(real: f64, imaginary: f64) -> String {
    let part = |float: f64| {
        let text = self::float(float);
        text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
    };
    let imaginary_part = part(imaginary);
    if real == 0.0 && real.is_sign_positive() {
        return format!("{imaginary_part}j");
    }
    let sign = if imaginary_part.starts_with('-') { "" } else { "+" };
    format!("({}{sign}{imaginary_part}j)", part(real))
}

/// `repr(str)`; `None` for characters that Python's Unicode tables may call non-printable.
pub fn text(text: &str) -> Option<String> {
    // Letters of long ago: tables of all supported Pythons have them.
    let is_known = |c: char| c.is_ascii() || c.is_alphabetic() && u32::from(c) < 0x0500;
    text.chars().all(is_known).then(|| message(text))
}

/// `repr(str)` for messages that quote a text: what is not ASCII is taken for printable.
pub fn message(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    text.chars().for_each(|c| push(&mut out, c, quote));
    out.push(quote);
    out
}

/// `repr(bytes)`.
pub fn bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut out = format!("b{quote}");
    for &byte in bytes {
        if byte.is_ascii() {
            push(&mut out, char::from(byte), quote);
        } else {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push(quote);
    out
}

/// One character of a literal in these quotes.
fn push(out: &mut String, c: char, quote: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c == quote => out.extend(['\\', c]),
        c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        c => out.push(c),
    }
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
            assert_eq!(self::float(float), expected);
        }
    }

    #[test]
    fn complex_numbers_as_python_writes_them() {
        assert_eq!(complex(0.0, 1.0), "1j");
        assert_eq!(complex(0.0, -1.5), "-1.5j");
        assert_eq!(complex(1.0, 2.0), "(1+2j)");
        assert_eq!(complex(-0.0, -2.0), "(-0-2j)");
        assert_eq!(complex(1e300, f64::INFINITY), "(1e+300+infj)");
    }

    #[test]
    fn texts_and_bytes_as_python_writes_them() {
        assert_eq!(text("it's\x01\x7f\u{e4}\\").as_deref(), Some("\"it's\\x01\\x7f\u{e4}\\\\\""));
        assert_eq!(text("\u{202e}"), None);
        assert_eq!(bytes(b"'\"\n\xff"), r#"b'\'"\n\xff'"#);
    }
}
