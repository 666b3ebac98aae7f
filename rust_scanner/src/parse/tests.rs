use super::*;
use crate::syntax::{Doubt, Expr, Function, Value};

fn module(text: &str) -> Arc<Module> {
    module_of(text.as_bytes())
}

fn module_of(bytes: &[u8]) -> Arc<Module> {
    match parse(bytes) {
        Source::Module(module) => module,
        Source::Foreign(encoding) => panic!("{encoding}"),
    }
}

fn names(module: &Module) -> Vec<&str> {
    module.names.bindings().iter().map(|binding| binding.name.as_str()).collect()
}

fn function<'a>(module: &'a Module, name: &str) -> &'a Function {
    match &module.names.get(name).expect("bound").value {
        Value::Function(function) => function,
        other => panic!("{other:?}"),
    }
}

fn doubt(module: &Module, name: &str) -> Option<Doubt> {
    module.names.get(name).expect("bound").doubt
}

#[test]
fn names_keep_their_first_place_unless_deleted() {
    let module = module("a = 1\nb = 2\nc = 3\na = 4\ndel b\nb = 5\n");
    assert_eq!(names(&module), ["a", "c", "b"]);
}

#[test]
fn all_binding_statements_are_seen() {
    let module = module(
        "import os.path, json as j\nfrom .x import y as z\nfor i in []: pass\nwith a as (b, *c): pass\n\
         d: int = 1\ne: int\nf = g = 2\n(h, k) = 1, 2\ntype l = int\n",
    );
    assert_eq!(names(&module), ["os", "j", "z", "i", "b", "c", "d", "f", "g", "h", "k", "l"]);
}

#[test]
fn conditions_that_are_always_the_same_leave_no_doubt() {
    let module = module(
        "if TYPE_CHECKING:\n  a = 1\nelif not typing.TYPE_CHECKING:\n  b = 1\nelse:\n  c = 1\n\
         if __name__ == '__main__':\n  d = 1\nif sys.x:\n  e = 1\nelse:\n  f = 1\n",
    );
    assert_eq!(names(&module), ["b", "e", "f"]);
    assert_eq!(doubt(&module, "b"), None);
    assert_eq!(doubt(&module, "e"), Some(Doubt::Conditional));
    assert_eq!(doubt(&module, "f"), Some(Doubt::Conditional));
}

#[test]
fn doubts_of_names_and_of_namespaces() {
    let module = module(
        "try:\n  a = 1\nexcept E:\n  b = 1\nfinally:\n  c = 1\nwhile x:\n  d = 1\n\
         from m import *\nglobals()['e'] = 1\npytest.importorskip('x')\n",
    );
    assert_eq!(doubt(&module, "a"), Some(Doubt::Try));
    assert_eq!(doubt(&module, "b"), Some(Doubt::Try));
    assert_eq!(doubt(&module, "c"), None);
    assert_eq!(doubt(&module, "d"), Some(Doubt::Loop));
    assert_eq!(module.names.doubts, [Doubt::Reflection, Doubt::ModuleSkip]);
    let star = &module.names.stars[0];
    assert_eq!((star.module.as_str(), star.doubt), ("m", None));
    let c = module.names.get("c").expect("bound");
    assert!(c.order.1 < star.order);
}

#[test]
fn lists_that_grow() {
    let value = |text: &str| match &module(text).names.get("a").expect("bound").value {
        Value::Expr(value) => Some(value.as_ref().clone()),
        _ => None,
    };
    let one_two = Expr::List(vec![Expr::Int("1".to_owned()), Expr::Int("2".to_owned())]);
    assert_eq!(value("a = [1]\na.append(2)"), Some(one_two.clone()));
    assert_eq!(value("a = [1]\na += [2]"), Some(one_two.clone()));
    assert_eq!(value("a = [1]\nif x:\n  a.extend([2])"), Some(one_two));
    assert_eq!(value("a = [1]\na.extend(b)"), Some(Expr::Container));
    assert_eq!(value("a = [1]\na.clear()"), Some(Expr::Container));
    assert_eq!(value("a = [1]\na.count(1)"), Some(Expr::List(vec![Expr::Int("1".to_owned())])));
    assert_eq!(value("a = [1]\nif x:\n  a = [2]"), None);
}

#[test]
fn generators_are_told_from_functions_with_generators_inside() {
    let module = module(
        "def a():\n  yield 1\ndef b():\n  def c():\n    yield\n  return lambda: (yield)\n\
         def d():\n  if x:\n    with y:\n      z = yield\nasync def e():\n  yield\n",
    );
    let is_generator = |name| function(&module, name).is_generator;
    assert_eq!(["a", "b", "d", "e"].map(is_generator), [true, false, true, true]);
    assert!(function(&module, "e").is_async);
}

#[test]
fn ranges_begin_at_def_and_count_utf16() {
    let module =
        module("\u{feff}x = '\u{1f600}'; y = 1\r\n@d(\r\n)\r\nasync def a():\r\n    pass\r\n");
    assert_eq!(module.names.get("y").expect("bound").range, Range { start: (0, 10), end: (0, 11) });
    assert_eq!(function(&module, "a").range, Range { start: (3, 0), end: (4, 8) });
}

#[test]
fn what_can_be_recovered_of_broken_files_is_there() {
    let module = module("def a():\n    pass\n\ndef b(:\n    pass\n\ndef c():\n    pass\n");
    assert!(names(&module).contains(&"a") && names(&module).contains(&"c"));
    assert_eq!(module.error.as_ref().expect("error").range.start.0, 3);
}

#[test]
fn bytes_that_are_no_text() {
    let module = module_of(b"x = 1\ny = '\xff'\n");
    assert_eq!(module.error.as_ref().expect("error").range.start, (1, 0));
    assert_eq!(parse(b"# coding: koi8-r\n"), Source::Foreign("koi8-r".to_owned()));
    let module = module_of(b"def a(): pass\n\0def b(): pass\n");
    assert_eq!(
        module.error.as_ref().expect("error").message,
        "source code cannot contain null bytes"
    );
    assert!(names(&module).contains(&"a"));
}

#[test]
fn deep_nesting_overflows_no_stack() {
    let depth = 10_000;
    for text in [
        format!("x = {}1{}\n", "(".repeat(depth), ")".repeat(depth)),
        format!("x = {}1{}\n", "[".repeat(depth * 10), "]".repeat(depth * 10)),
        format!("x = {}\n", "[".repeat(depth)),
        format!("x = {}1\n", "-".repeat(depth)),
        format!("x = 1{}\n", "+1".repeat(depth * 10)),
        format!("x = a{}\n", ".b".repeat(depth)),
        format!("x = a{}\n", "()".repeat(depth)),
        format!("x = {}1\n", "lambda: ".repeat(depth / 10)),
        format!("x = {}1\n", "1 if a else ".repeat(depth / 10)),
        format!("@{}\ndef f(): pass\n", "a(".repeat(depth)),
        format!("x = {}\n", "f'{".repeat(1_000)),
        (0..200).map(|level| format!("{}if x:\n", " ".repeat(level))).collect::<String>()
            + &" ".repeat(200)
            + "x = 1\n",
    ] {
        // Threads of Rust's tests have small stacks, 2 MiB: smaller than the pool's.
        let module = module(&text);
        assert!(module.names.bindings().len() <= 1, "{}", &text[..20]);
    }
}

#[test]
fn what_a_broken_class_holds_is_not_the_modules() {
    let module = module(
        "def a(): pass\nclass B.:\n    __test__ = False\n    def c(self): pass\ndef d(): 1\n",
    );
    assert_eq!(names(&module), ["a", "B", "d"]);
}
