//! Arithmetic as Python does it, as far as it is exact here.

use super::constant::Constant;
use crate::syntax::Operator;

/// Texts and lists are not repeated beyond this length.
const MAX_LENGTH: usize = 100_000;

/// `left operator right`; `Data` where it is not computed here.
pub fn compute(left: Constant, operator: Operator, right: Constant) -> Constant {
    sequences(&left, operator, &right)
        .or_else(|| integers(&left, operator, &right))
        .or_else(|| floats(&left, operator, &right))
        .or_else(|| complex(&left, operator, &right))
        .unwrap_or(Constant::Data)
}

fn sequences(left: &Constant, operator: Operator, right: &Constant) -> Option<Constant> {
    match (operator, left, right) {
        (Operator::Add, Constant::Str(a), Constant::Str(b)) => Some(Constant::Str(a.clone() + b)),
        (Operator::Add, Constant::Bytes(a), Constant::Bytes(b)) => {
            Some(Constant::Bytes([a.as_slice(), b].concat()))
        }
        (Operator::Add, Constant::List(a), Constant::List(b)) => {
            Some(Constant::List([a.as_slice(), b].concat()))
        }
        (Operator::Add, Constant::Tuple(a), Constant::Tuple(b)) => {
            Some(Constant::Tuple([a.as_slice(), b].concat()))
        }
        (Operator::Multiply, sequence, times) if length(sequence).is_some() => {
            repeated(sequence, times.as_int()?)
        }
        (Operator::Multiply, times, sequence) if length(sequence).is_some() => {
            repeated(sequence, times.as_int()?)
        }
        _ => None,
    }
}

fn length(sequence: &Constant) -> Option<usize> {
    match sequence {
        Constant::Str(text) => Some(text.len()),
        Constant::Bytes(bytes) => Some(bytes.len()),
        Constant::List(values) | Constant::Tuple(values) => Some(values.len()),
        _ => None,
    }
}

fn repeated(sequence: &Constant, times: i128) -> Option<Constant> {
    let times = usize::try_from(times.max(0)).ok()?;
    if length(sequence)?.checked_mul(times)? > MAX_LENGTH {
        return None;
    }
    let all =
        |values: &[Constant]| values.iter().cycle().take(values.len() * times).cloned().collect();
    Some(match sequence {
        Constant::Str(text) => Constant::Str(text.repeat(times)),
        Constant::Bytes(bytes) => Constant::Bytes(bytes.repeat(times)),
        Constant::List(values) => Constant::List(all(values)),
        Constant::Tuple(values) => Constant::Tuple(all(values)),
        _ => return None,
    })
}

fn integers(left: &Constant, operator: Operator, right: &Constant) -> Option<Constant> {
    let both_bool = matches!((left, right), (Constant::Bool(_), Constant::Bool(_)));
    let (a, b) = (left.as_int()?, right.as_int()?);
    let value = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::FloorDivide => floor_divide(a, b),
        Operator::Modulo => a.checked_sub(floor_divide(a, b)?.checked_mul(b)?),
        Operator::Power => a.checked_pow(u32::try_from(b).ok()?),
        Operator::LeftShift if (0..127).contains(&b) => {
            a.checked_mul(1_i128.checked_shl(u32::try_from(b).ok()?)?)
        }
        Operator::RightShift => a.checked_shr(u32::try_from(b).ok()?),
        Operator::Or if both_bool => return Some(Constant::Bool((a | b) != 0)),
        Operator::And if both_bool => return Some(Constant::Bool((a & b) != 0)),
        Operator::Xor if both_bool => return Some(Constant::Bool((a ^ b) != 0)),
        Operator::Or => Some(a | b),
        Operator::And => Some(a & b),
        Operator::Xor => Some(a ^ b),
        Operator::Divide => {
            // Where both are exact as floats, the division is rounded once, as in Python.
            let is_exact = |value: i128| value.unsigned_abs() <= 1 << 53;
            return (b != 0 && is_exact(a) && is_exact(b))
                .then(|| Constant::Float(a as f64 / b as f64));
        }
        Operator::LeftShift | Operator::MatrixMultiply => None,
    };
    value.map(Constant::int)
}

fn floor_divide(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let is_inexact = a.checked_rem(b)? != 0 && (a < 0) != (b < 0);
    Some(if is_inexact { quotient - 1 } else { quotient })
}

fn as_float(value: &Constant) -> Option<f64> {
    match value {
        Constant::Float(float) => Some(*float),
        other => {
            let int = other.as_int()?;
            (int.unsigned_abs() <= 1 << 53).then_some(int as f64)
        }
    }
}

fn floats(left: &Constant, operator: Operator, right: &Constant) -> Option<Constant> {
    let (a, b) = (as_float(left)?, as_float(right)?);
    let value = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide if b != 0.0 => a / b,
        _ => return None,
    };
    Some(Constant::Float(value))
}

/// `1 + 2j`: the way a complex number is written.
fn complex(left: &Constant, operator: Operator, right: &Constant) -> Option<Constant> {
    let (real, Constant::Complex(_, imaginary)) = (as_float(left)?, right) else { return None };
    // Which zeros are negative depends on the version of Python.
    if *imaginary == 0.0 || real == 0.0 && real.is_sign_negative() {
        return None;
    }
    match operator {
        Operator::Add => Some(Constant::Complex(real, *imaginary)),
        Operator::Subtract => Some(Constant::Complex(real, -imaginary)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(a: i128, operator: Operator, b: i128) -> Constant {
        compute(Constant::int(a), operator, Constant::int(b))
    }

    #[test]
    fn integers_divide_downwards() {
        assert_eq!(ints(-7, Operator::FloorDivide, 2), Constant::int(-4));
        assert_eq!(ints(-7, Operator::Modulo, 2), Constant::int(1));
        assert_eq!(ints(7, Operator::Modulo, -2), Constant::int(-1));
        assert_eq!(ints(1, Operator::Modulo, 0), Constant::Data);
        assert_eq!(ints(2, Operator::Power, 64), Constant::Int("18446744073709551616".to_owned()));
        assert_eq!(ints(2, Operator::Power, 1_000_000), Constant::Data);
        assert_eq!(ints(1, Operator::LeftShift, 10), Constant::int(1024));
        assert_eq!(ints(7, Operator::Divide, 2), Constant::Float(3.5));
    }

    #[test]
    fn sequences_grow_within_bounds() {
        let list = Constant::List(vec![Constant::int(1)]);
        let twice = compute(list.clone(), Operator::Multiply, Constant::int(2));
        assert_eq!(twice, compute(list.clone(), Operator::Add, list.clone()));
        assert_eq!(compute(list, Operator::Multiply, Constant::int(1_000_000_000)), Constant::Data);
        let text = Constant::Str("ab".to_owned());
        assert_eq!(
            compute(Constant::int(2), Operator::Multiply, text),
            Constant::Str("abab".to_owned())
        );
    }
}
