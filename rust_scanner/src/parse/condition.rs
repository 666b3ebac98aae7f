//! Conditions whose outcome is the same in every run under pytest.

use ruff_python_ast::{CmpOp, Expr, UnaryOp};

/// Whether `test` holds; `None` where that depends on more than the text.
pub fn outcome(test: &Expr) -> Option<bool> {
    match test {
        Expr::BooleanLiteral(literal) => Some(literal.value),
        Expr::NoneLiteral(_) => Some(false),
        Expr::NumberLiteral(literal) => match &literal.value {
            ruff_python_ast::Number::Int(int) => int.as_u64().map(|value| value != 0),
            _ => None,
        },
        Expr::Name(name) if name.id == "TYPE_CHECKING" => Some(false),
        Expr::Attribute(attribute) if &attribute.attr.id == "TYPE_CHECKING" => Some(false),
        Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => {
            outcome(&unary.operand).map(|holds| !holds)
        }
        Expr::Compare(compare) => {
            let is_main =
                is_dunder_name(&compare.left) && compare.comparators.iter().all(is_main_literal);
            match compare.ops.as_ref() {
                [CmpOp::Eq] if is_main => Some(false),
                [CmpOp::NotEq] if is_main => Some(true),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_dunder_name(expr: &Expr) -> bool {
    matches!(expr, Expr::Name(name) if name.id == "__name__")
}

fn is_main_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::StringLiteral(literal) if literal.value.to_str() == "__main__")
}
