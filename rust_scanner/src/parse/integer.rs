//! Integer literals of any size.

/// Python refuses to write integers of more digits (`sys.int_info.default_max_str_digits`).
const MAX_DIGITS: usize = 4300;
/// Digits that fit into one limb.
const LIMB_DIGITS: usize = 9;
const LIMB: u64 = 1_000_000_000;

/// `str(int)` of a literal as it is written: `0x…`, `0o…`, `0b…` or decimal, with underscores.
///
/// `None` where it is no integer, or one that Python would not write.
pub fn decimal(literal: &str) -> Option<String> {
    let digits = literal.replace('_', "");
    let (radix, digits) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ => (10, digits.as_str()),
    };
    // Of the bases, 16 has most digits for the same number of characters: 1.21 each.
    if digits.is_empty() || digits.len() > 4 * MAX_DIGITS {
        return None;
    }
    let mut limbs: Vec<u64> = vec![0];
    for digit in digits.chars() {
        let mut carry = u64::from(digit.to_digit(radix)?);
        for limb in &mut limbs {
            let value = *limb * u64::from(radix) + carry;
            *limb = value % LIMB;
            carry = value / LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let (first, rest) = limbs.split_last()?;
    let mut text = first.to_string();
    for limb in rest.iter().rev() {
        text.push_str(&format!("{limb:0LIMB_DIGITS$}"));
    }
    (text.len() <= MAX_DIGITS).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_any_base_and_size() {
        assert_eq!(decimal("18446744073709551616").as_deref(), Some("18446744073709551616"));
        assert_eq!(decimal("1_000_000_000_000_000_000_000"), Some(format!("1{}", "0".repeat(21))));
        assert_eq!(decimal("0xFFFF_ffff_ffff_ffff_f").as_deref(), Some("295147905179352825855"));
        assert_eq!(decimal("0b1").as_deref(), Some("1"));
        assert_eq!(decimal("0o17").as_deref(), Some("15"));
        assert_eq!(decimal(&"9".repeat(MAX_DIGITS)), Some("9".repeat(MAX_DIGITS)));
        assert_eq!(decimal(&"9".repeat(MAX_DIGITS + 1)), None);
        assert_eq!(decimal("x"), None);
    }
}
