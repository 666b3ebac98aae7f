//! Expressions: from the parser's to ours.

use ruff_python_ast as ast;

use crate::syntax::{
    Binary, Call, Comprehension, Expr, Function, Operator, Parameter, Part, Range,
};

/// Nesting beyond which an expression is taken as unknown.
const MAX_DEPTH: usize = 40;

/// Converts expressions until `budget` nodes are used up; what comes then is unknown.
pub struct Converter {
    budget: usize,
}

impl Converter {
    /// For expressions that ids and marks are made of: as large as they come.
    pub fn unbounded() -> Self {
        Self { budget: usize::MAX }
    }

    /// For values that are only perhaps of interest: tables of data would fill the memory.
    pub fn frugal() -> Self {
        Self { budget: 4_000 }
    }

    /// Our form of `expr`.
    pub fn convert(&mut self, expr: &ast::Expr) -> Expr {
        self.at_depth(expr, 0)
    }

    fn at_depth(&mut self, expr: &ast::Expr, depth: usize) -> Expr {
        let depth = depth + 1;
        if depth > MAX_DEPTH || self.budget == 0 {
            return Expr::Other;
        }
        self.budget -= 1;
        match expr {
            ast::Expr::NoneLiteral(_) => Expr::None,
            ast::Expr::EllipsisLiteral(_) => Expr::Ellipsis,
            ast::Expr::BooleanLiteral(literal) => Expr::Bool(literal.value),
            ast::Expr::NumberLiteral(literal) => number(&literal.value),
            ast::Expr::StringLiteral(literal) => string(literal.value.to_str()),
            ast::Expr::BytesLiteral(literal) => Expr::Bytes(
                literal.value.iter().flat_map(|part| part.value.iter().copied()).collect(),
            ),
            ast::Expr::UnaryOp(unary) => signed(unary.op, self.at_depth(&unary.operand, depth)),
            ast::Expr::Name(name) => Expr::Name(name.id.to_string()),
            ast::Expr::Attribute(attribute) => Expr::Attribute(
                Box::new(self.at_depth(&attribute.value, depth)),
                attribute.attr.id.to_string(),
            ),
            ast::Expr::Call(call) => Expr::Call(Box::new(self.call(call, depth))),
            ast::Expr::List(list) => Expr::List(self.all(&list.elts, depth)),
            ast::Expr::Tuple(tuple) => Expr::Tuple(self.all(&tuple.elts, depth)),
            ast::Expr::Subscript(subscript) => {
                Expr::Subscript(Box::new(self.at_depth(&subscript.value, depth)))
            }
            ast::Expr::Starred(starred) => {
                Expr::Starred(Box::new(self.at_depth(&starred.value, depth)))
            }
            ast::Expr::Lambda(lambda) => Expr::Lambda(Box::new(self::lambda(lambda))),
            ast::Expr::Named(named) => self.at_depth(&named.value, depth),
            ast::Expr::Dict(dict) => Expr::Dict(
                dict.items
                    .iter()
                    .map(|item| {
                        let key = item.key.as_ref().map(|key| self.at_depth(key, depth));
                        (key, self.at_depth(&item.value, depth))
                    })
                    .collect(),
            ),
            ast::Expr::ListComp(list) => self
                .comprehension(&list.elt, &list.generators, true, depth)
                .unwrap_or(Expr::Container),
            ast::Expr::Generator(generator) => self
                .comprehension(&generator.elt, &generator.generators, false, depth)
                .unwrap_or(Expr::Other),
            ast::Expr::Set(_) | ast::Expr::SetComp(_) | ast::Expr::DictComp(_) => Expr::Container,
            ast::Expr::BinOp(binary) => Expr::Binary(Box::new(Binary {
                left: self.at_depth(&binary.left, depth),
                operator: operator(binary.op),
                right: self.at_depth(&binary.right, depth),
            })),
            ast::Expr::FString(string) => self.format(&string.value, depth).unwrap_or(Expr::Data),
            ast::Expr::Compare(_) | ast::Expr::TString(_) => Expr::Data,
            _ => Expr::Other,
        }
    }

    fn comprehension(
        &mut self,
        element: &ast::Expr,
        generators: &[ast::Comprehension],
        is_list: bool,
        depth: usize,
    ) -> Option<Expr> {
        let [generator] = generators else { return None };
        if !generator.ifs.is_empty() || generator.is_async {
            return None;
        }
        Some(Expr::Comprehension(Box::new(Comprehension {
            element: self.at_depth(element, depth),
            target: self.at_depth(&generator.target, depth),
            iterable: self.at_depth(&generator.iter, depth),
            is_list,
        })))
    }

    fn format(&mut self, string: &ast::FStringValue, depth: usize) -> Option<Expr> {
        let mut parts = Vec::new();
        for part in string {
            match part {
                ast::FStringPart::Literal(literal) => parts.push(text_part(&literal.value)?),
                ast::FStringPart::FString(string) => {
                    for element in &string.elements {
                        parts.push(self.part(element, depth)?);
                    }
                }
            }
        }
        Some(Expr::Format(parts))
    }

    fn part(&mut self, element: &ast::InterpolatedStringElement, depth: usize) -> Option<Part> {
        let element = match element {
            ast::InterpolatedStringElement::Literal(literal) => return text_part(&literal.value),
            ast::InterpolatedStringElement::Interpolation(element) => element,
        };
        if element.debug_text.is_some() || element.format_spec.is_some() {
            return None;
        }
        let value = self.at_depth(&element.expression, depth);
        match element.conversion {
            ast::ConversionFlag::None | ast::ConversionFlag::Str => Some(Part::Str(value)),
            ast::ConversionFlag::Repr => Some(Part::Repr(value)),
            ast::ConversionFlag::Ascii => None,
        }
    }

    fn all(&mut self, exprs: &[ast::Expr], depth: usize) -> Vec<Expr> {
        exprs.iter().map(|expr| self.at_depth(expr, depth)).collect()
    }

    fn call(&mut self, call: &ast::ExprCall, depth: usize) -> Call {
        Call {
            func: self.at_depth(&call.func, depth),
            args: self.all(&call.arguments.args, depth),
            keywords: self.keywords(&call.arguments.keywords, depth),
        }
    }

    /// Keyword arguments; `None` is `**kwargs`.
    pub fn keywords(
        &mut self,
        keywords: &[ast::Keyword],
        depth: usize,
    ) -> Vec<(Option<String>, Expr)> {
        let name = |keyword: &ast::Keyword| keyword.arg.as_ref().map(|name| name.id.to_string());
        keywords
            .iter()
            .map(|keyword| (name(keyword), self.at_depth(&keyword.value, depth)))
            .collect()
    }
}

/// The parameters that fixtures may fill.
pub fn parameters(parameters: &ast::Parameters) -> Vec<Parameter> {
    let parameter = |positional_only| {
        move |parameter: &ast::ParameterWithDefault| Parameter {
            name: parameter.parameter.name.id.to_string(),
            positional_only,
            has_default: parameter.default.is_some(),
        }
    };
    let positional_only = parameters.posonlyargs.iter().map(parameter(true));
    let others = parameters.args.iter().chain(&parameters.kwonlyargs).map(parameter(false));
    positional_only.chain(others).collect()
}

fn lambda(lambda: &ast::ExprLambda) -> Function {
    Function {
        name: "<lambda>".to_owned(),
        decorators: Vec::new(),
        parameters: lambda.parameters.as_deref().map(parameters).unwrap_or_default(),
        takes_more: lambda.parameters.as_deref().is_some_and(|all| all.vararg.is_some()),
        is_async: false,
        is_generator: false,
        changes_items: false,
        generates: None,
        suffixes: Vec::new(),
        has_examples: false,
        // Who wants to show a lambda shows the name it is assigned to.
        range: Range::default(),
    }
}

fn number(value: &ast::Number) -> Expr {
    match value {
        ast::Number::Int(int) => match int.as_u64() {
            Some(small) => Expr::Int(small.to_string()),
            // Larger integers are kept as they are written.
            None => super::integer::decimal(&int.to_string()).map_or(Expr::Data, Expr::Int),
        },
        ast::Number::Float(float) => Expr::Float(*float),
        ast::Number::Complex { real, imag } if *real == 0.0 => Expr::Imaginary(*imag),
        ast::Number::Complex { .. } => Expr::Data,
    }
}

fn string(value: &str) -> Expr {
    // The parser puts U+FFFD for an escaped lone surrogate, which Rust's strings cannot hold.
    if value.contains('\u{fffd}') { Expr::Data } else { Expr::Str(value.to_owned()) }
}

fn text_part(value: &str) -> Option<Part> {
    (!value.contains('\u{fffd}')).then(|| Part::Text(value.to_owned()))
}

fn operator(operator: ast::Operator) -> Operator {
    match operator {
        ast::Operator::Add => Operator::Add,
        ast::Operator::Sub => Operator::Subtract,
        ast::Operator::Mult => Operator::Multiply,
        ast::Operator::Div => Operator::Divide,
        ast::Operator::FloorDiv => Operator::FloorDivide,
        ast::Operator::Mod => Operator::Modulo,
        ast::Operator::Pow => Operator::Power,
        ast::Operator::LShift => Operator::LeftShift,
        ast::Operator::RShift => Operator::RightShift,
        ast::Operator::BitOr => Operator::Or,
        ast::Operator::BitAnd => Operator::And,
        ast::Operator::BitXor => Operator::Xor,
        ast::Operator::MatMult => Operator::MatrixMultiply,
    }
}

fn signed(op: ast::UnaryOp, operand: Expr) -> Expr {
    match (op, operand) {
        (ast::UnaryOp::USub, Expr::Int(digits)) if digits == "0" => Expr::Int(digits),
        (ast::UnaryOp::USub, Expr::Int(digits)) => match digits.strip_prefix('-') {
            Some(positive) => Expr::Int(positive.to_owned()),
            None => Expr::Int(format!("-{digits}")),
        },
        (ast::UnaryOp::USub, Expr::Float(float)) => Expr::Float(-float),
        (ast::UnaryOp::UAdd, number @ (Expr::Int(_) | Expr::Float(_) | Expr::Imaginary(_))) => {
            number
        }
        (ast::UnaryOp::Not, Expr::Bool(value)) => Expr::Bool(!value),
        _ => Expr::Data,
    }
}
