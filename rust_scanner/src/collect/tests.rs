use super::*;
use crate::items::Kind;
use crate::parse::parse;

fn file(text: &str) -> FileItems {
    with_conftest(text, "")
}

fn with_conftest(text: &str, conftest: &str) -> FileItems {
    let conftests = match parse(conftest.as_bytes()) {
        Source::Module(module) => vec![(Path::new("/conftest.py"), module)],
        Source::Foreign(_) => vec![],
    };
    let options = Options::default();
    let shared = Shared::default();
    let world = World::new(None, &|_| Arc::new(Err("not there".to_owned())), &shared);
    let roles = Roles { is_module: true, ..Roles::default() };
    let root = Path::new("/");
    let context = Context { options: &options, root, roles, conftests: &conftests, world: &world };
    collect("t.py", Path::new("/t.py"), &parse(text.as_bytes()), context)
}

/// The ids below the file, of leaves only; `?` marks dynamic ones.
fn leaves(file: &FileItems) -> Vec<String> {
    let is_leaf = |place: usize| !file.items.iter().any(|item| item.parent == Some(place));
    let leaves = file
        .items
        .iter()
        .enumerate()
        .filter(|(place, item)| is_leaf(*place) && item.kind != Kind::Class);
    let mark = |dynamic: bool| if dynamic { "?" } else { "" };
    leaves.map(|(_, item)| format!("{}{}", &item.id[6..], mark(item.doubt.is_some()))).collect()
}

#[test]
fn aliases_do_not_lead_in_circles() {
    let file = file("class TestA:\n  TestB = TestA\n  def test_x(self): pass\nTestC = TestA\n");
    assert_eq!(leaves(&file), ["TestA::test_x", "TestC::test_x"]);
    let file = super::tests::file("class TestA(TestA): pass\na = b\nb = a\ntest_x = a\n");
    assert!(file.items.iter().all(|item| item.doubt.is_some()));
}

#[test]
fn inheritance_follows_the_mro() {
    let text = "class A:\n  def test_1(self): pass\n  def test_2(self): pass\n\
                class B(A):\n  def test_3(self): pass\n  def test_2(self): pass\n\
                class C(A):\n  def test_4(self): pass\n\
                class TestD(B, C):\n  def test_5(self): pass\n  def test_1(self): pass\n";
    let expected =
        ["test_4", "test_3", "test_2", "test_5", "test_1"].map(|name| format!("TestD::{name}"));
    assert_eq!(leaves(&file(text)), expected);
}

#[test]
fn mutual_bases_that_python_refuses_are_dynamic() {
    let file =
        file("class A: pass\nclass B(A): pass\nclass TestC(A, B):\n  def test_1(self): pass\n");
    assert_eq!(leaves(&file), ["TestC::test_1?"]);
}

#[test]
fn fixtures_of_conftest_count() {
    let conftest = "import pytest\n@pytest.fixture\ndef plain(): pass\n\
                    @pytest.fixture(params=[1])\ndef many(): pass\n\
                    @pytest.fixture(name='other')\ndef renamed(many): pass\n";
    let text = "def test_1(plain): pass\ndef test_2(many): pass\ndef test_3(other): pass\ndef test_4(renamed): pass\n";
    assert_eq!(
        leaves(&with_conftest(text, conftest)),
        ["test_1", "test_2[1]", "test_3[1]", "test_4?"]
    );
}

#[test]
fn a_fixture_that_overrides_itself_is_followed_upwards() {
    let conftest = "import pytest\n@pytest.fixture(params=[1])\ndef x(): pass\n";
    let text = "import pytest\n@pytest.fixture\ndef x(x): pass\ndef test_1(x): pass\n";
    assert_eq!(leaves(&with_conftest(text, conftest)), ["test_1[1]"]);
    let text = "import pytest\n@pytest.fixture\ndef x(): pass\ndef test_1(x): pass\n";
    assert_eq!(leaves(&with_conftest(text, conftest)), ["test_1"]);
}

#[test]
fn autouse_fixtures_count_for_everyone() {
    let conftest = "import pytest\n@pytest.fixture(autouse=True, params=[1])\ndef x(): pass\n";
    assert_eq!(leaves(&with_conftest("def test_1(): pass\n", conftest)), ["test_1[1]"]);
}

#[test]
fn hooks_that_only_mark_are_harmless() {
    let harmless = "def pytest_collection_modifyitems(config, items):\n  for item in items:\n    item.add_marker(x)\n";
    let file = with_conftest("def test_1(): pass\n", harmless);
    assert_eq!((leaves(&file), file.doubt), (vec!["test_1".to_owned()], None));
    for body in
        ["items[:] = []", "items.sort()", "f(items)", "for item in items:\n    item._nodeid = ''"]
    {
        let hook = format!("def pytest_collection_modifyitems(config, items):\n  {body}\n");
        assert_eq!(leaves(&with_conftest("def test_1(): pass\n", &hook)), ["test_1?"], "{body}");
    }
}

#[test]
fn a_generator_is_an_error_of_its_container() {
    let file = file(
        "def test_1(): pass\nclass TestA:\n  def test_2(self): yield\n  def test_3(self): pass\n",
    );
    assert_eq!(leaves(&file), ["test_1"]);
    assert!(file.items[1].error.as_ref().is_some_and(|error| error.contains("test_2")));
    let file = super::tests::file("def test_1(): pass\ndef test_2(): yield\n");
    assert!(file.items.is_empty() && file.error.is_some());
}

#[test]
fn tags_are_the_marks() {
    let text = "import pytest\npytestmark = [pytest.mark.a, pytest.mark.b(1)]\n\
                @pytest.mark.c\nclass TestA:\n  @pytest.mark.d\n  @pytest.mark.parametrize('x', [1])\n\
                \x20 @pytest.mark.a\n  def test_1(self, x): pass\n";
    assert_eq!(file(text).items[1].tags, ["a", "d", "c", "b"]);
}

#[test]
fn counts() {
    let text = "import pytest\n@pytest.mark.parametrize('x', [1, 2])\ndef test_1(x): pass\ndef test_2(): pass\n";
    assert_eq!(file(text).tests(), 3);
}

#[test]
fn patching_a_class_moves_inherited_tests_behind_its_own() {
    let text = "from unittest.mock import patch\nclass A:\n  def test_b(self): pass\n  def test_a(self): pass\n\
                @patch('x.y', 1)\nclass TestB(A):\n  def test_c(self): pass\n";
    let expected = ["test_c", "test_a", "test_b"].map(|name| format!("TestB::{name}"));
    assert_eq!(leaves(&file(text)), expected);
}
