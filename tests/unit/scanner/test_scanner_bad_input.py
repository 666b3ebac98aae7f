"""Files that are no proper Python, directories that are no proper tree: nothing else is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fastcollect_lsp._core import InputSet, Scan, project_config
from tests.sampling import trials
from tests.unit.scanner.scanner_support import Oracle, Tree, scan_tree, write_files

GOOD = "def test_good(): pass\n"
NOBODY = 65534


@pytest.fixture(autouse=True)
def good_file(root: Path) -> None:
    write_files(root, {"pytest.ini": "", "test_good.py": GOOD})


def scan(root: Path) -> Tree:
    tree = scan_tree(root)
    assert "test_good.py::test_good" in tree.by_id
    return tree


def test_syntax_error(root: Path) -> None:
    write_files(
        root, {"test_a.py": "def test_1(): pass\n\ndef test_2(:\n    pass\n\ndef test_3(): pass\n"}
    )
    tree = scan(root)
    file = tree.by_id["test_a.py"]
    assert file["error"].startswith("line 3: SyntaxError: ")
    assert file["range"]["start"]["line"] == 2
    assert {"test_a.py::test_1", "test_a.py::test_3"} <= tree.by_id.keys()


def test_invalid_utf8(root: Path) -> None:
    write_files(root, {"test_a.py": b"x = 1\n# \xff\ndef test_1(): pass\n"})
    assert scan(root).by_id["test_a.py"]["error"].startswith("line 2: SyntaxError: 'utf-8'")


def test_an_encoding_that_is_not_read(root: Path) -> None:
    write_files(
        root, {"test_a.py": "# coding: cp1252\n# \xe4\ndef test_1(): pass\n".encode("cp1252")}
    )
    file = scan(root).by_id["test_a.py"]
    assert file["dynamic"] and "cp1252" in file["reason"] and "error" not in file


def test_nul_bytes(root: Path) -> None:
    write_files(
        root, {"test_a.py": b"def test_1(): pass\nx = '\0'\n\0\0\n", "test_b.py": b"\0" * 4096}
    )
    tree = scan(root)
    assert (
        tree.by_id["test_a.py"]["error"]
        == "line 2: SyntaxError: source code cannot contain null bytes"
    )
    assert "null bytes" in tree.by_id["test_b.py"]["error"]


def test_bom_crlf_and_cr(root: Path) -> None:
    text = "import os\r\ndef test_1():\r\n    pass\r\n"
    write_files(
        root,
        {
            "test_a.py": b"\xef\xbb\xbf" + text.encode(),
            "test_b.py": text.replace("\n", "").encode(),
        },
    )
    tree = scan(root)
    for name in ("test_a.py", "test_b.py"):
        assert "error" not in tree.by_id[name]
        assert tree.by_id[f"{name}::test_1"]["range"]["start"] == {"line": 1, "character": 0}


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "(" * 10_000 + ")" * 10_000,
        "x = " + "[" * 10_000,
        "x = " + "-" * 50_000 + "1",
        "x = 1" + " + 1" * 50_000,
        "x = a" + ".a" * 50_000,
        "x = " + "lambda: " * 5_000 + "1",
        "@" + "a(" * 10_000 + "\ndef f(): pass",
        "\n".join(" " * depth + "if x:" for depth in range(1_000)) + "\n" + " " * 1_000 + "pass",
        "\n".join(" " * depth + "class A:" for depth in range(1_000)) + "\n" + " " * 1_000 + "pass",
        "import pytest\n@pytest.mark.parametrize('x', "
        + "[" * 10_000
        + "]" * 10_000
        + ")\ndef f(x): pass",
    ],
    ids=lambda text: text[:12].replace("\n", " "),
)
def test_deep_nesting(root: Path, text: str) -> None:
    write_files(root, {"test_a.py": f"def test_1(): pass\n{text}\n"})
    assert "test_a.py::test_1" in scan(root).by_id


def test_inheritance_in_a_circle_and_very_deep(root: Path) -> None:
    chain = "class A0: pass\n" + "".join(f"class A{n + 1}(A{n}): pass\n" for n in range(2_000))
    write_files(
        root,
        {
            "test_a.py": "class TestA(TestB): pass\nclass TestB(TestA):\n def test_1(self): 1\n",
            "test_b.py": chain + "class TestDeep(A2000):\n    def test_1(self): pass\n",
        },
    )
    tree = scan(root)
    assert tree.by_id["test_b.py::TestDeep::test_1"]


def test_a_very_large_product_of_parameters(root: Path) -> None:
    mark = "@pytest.mark.parametrize('{}', range(1000))\n"
    marks = "".join(mark.format(name) for name in "abcdef")
    write_files(root, {"test_a.py": f"import pytest\n{marks}def test_1(a, b, c, d, e, f): pass\n"})
    assert "very many" in scan(root).by_id["test_a.py::test_1"]["reason"]


def test_loops_of_links(root: Path) -> None:
    write_files(root, {"sub/test_a.py": GOOD, "other/test_b.py": GOOD})
    (root / "sub/up").symlink_to("..")
    (root / "sub/self").symlink_to(".")
    (root / "sub/other").symlink_to("../other")
    (root / "other/sub").symlink_to("../sub")
    (root / "test_loop.py").symlink_to("test_loop.py")
    (root / "test_dangling.py").symlink_to("nowhere.py")
    (root / "test_link.py").symlink_to("test_good.py")
    tree = scan(root)
    files = [item["id"] for item in tree.items if item["kind"] == "file"]
    assert {
        "sub/test_a.py",
        "other/test_b.py",
        "sub/other/test_b.py",
        "other/sub/test_a.py",
    } <= set(files)
    assert (
        "test_link.py" in files and "test_loop.py" not in files and "test_dangling.py" not in files
    )
    assert len(files) < 20


UNPRIVILEGED = """
import os, sys
if os.geteuid() == 0:  # root may read everything
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
root = sys.argv[1]
made = Scan(project_config(root))
made.refresh()
locked = [root + "/locked/test_b.py"], [root + "/locked"]
assert InputSet(*locked).changed() == []
sys.stdout.buffer.write(made.tree_json())
"""


def test_unreadable_file_and_directory(root: Path) -> None:
    write_files(root, {"test_a.py": GOOD, "locked/test_b.py": GOOD, "half/conftest.py": "x = 1\n"})
    write_files(root, {"half/test_c.py": GOOD})
    for above in (root, *root.parents):
        if above.stat().st_uid == os.geteuid():
            above.chmod(above.stat().st_mode | 0o111)
    root.chmod(0o755)
    for name in ("test_a.py", "locked", "half/conftest.py"):
        (root / name).chmod(0)
    try:
        # The extension module is imported while that is still allowed.
        code = "from fastcollect_lsp._core import InputSet, Scan, project_config" + UNPRIVILEGED
        command = [sys.executable, "-c", code, str(root), str(NOBODY)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        tree = Tree(orjson.loads(done.stdout))
        assert "test_good.py::test_good" in tree.by_id
        assert "cannot be read: Permission denied" in tree.by_id["test_a.py"]["error"]
        assert "locked/test_b.py" not in tree.by_id
        assert "half/test_c.py::test_good" in tree.by_id
    finally:
        for name in ("test_a.py", "locked", "half/conftest.py"):
            (root / name).chmod(0o700)


def test_directories_that_vanish_while_they_are_walked(root: Path) -> None:
    write_files(root, {f"d{n}/e{m}/test_a.py": GOOD for n in range(10) for m in range(5)})
    made = Scan(project_config(str(root)))
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for n in range(10):
                (root / f"d{n}").rename(root / f"gone{n}")
            for n in range(10):
                (root / f"gone{n}").rename(root / f"d{n}")

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(30):
            made.refresh()
            tree = Tree.of(made)
            assert "test_good.py::test_good" in tree.by_id
            errors = [item["error"] for item in tree.items if "error" in item]
            assert all(error.startswith("cannot be read") for error in errors), errors
    finally:
        stop.set()
        thread.join()
    made.refresh()
    assert made.counts == (51, 51)


@pytest.mark.parametrize("kind", ["tests", "line", "data", "broken"])
@pytest.mark.parametrize("size", [1_000_000, pytest.param(50_000_000, marks=pytest.mark.long)])
def test_a_very_large_file(root: Path, kind: str, size: int) -> None:
    repeated = {
        "tests": "def test_{}(): pass\n",
        "line": "x",
        "data": "    {'a': [1, 2.5, None]},\n",
        "broken": "def test_{}(: [\n",
    }[kind]
    count = size // len(repeated)
    body = (
        "".join(repeated.format(n) for n in range(count)) if "{}" in repeated else repeated * count
    )
    text = {"line": f"x = '{body}'\n", "data": f"DATA = [\n{body}]\n"}.get(kind, body)
    write_files(root, {"test_a.py": "def test_first(): pass\n" + text})
    tree = scan(root)
    assert "test_a.py::test_first" in tree.by_id
    assert ("error" in tree.by_id["test_a.py"]) == (kind == "broken")


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("# coding: latin-1\n", "latin-1"),
        ("#!/usr/bin/python\n# -*- coding: iso-8859-1 -*-\n", "latin-1"),
        ("# vim: set fileencoding=utf-8 :\n", "utf-8"),
        ("# coding=utf_8\n", "utf-8"),
        ("\n# coding: Latin_1\n", "latin-1"),
    ],
)
def test_encodings_that_are_read(root: Path, oracle: Oracle, head: str, encoding: str) -> None:
    text = head + "import pytest\n@pytest.mark.parametrize('x', ['\xe4'])\ndef test_1(x): pass\n"
    write_files(root, {"test_a.py": text.encode(encoding)})
    collected = oracle.collect(root)
    assert [item["id"] for item in scan(root).leaves] == list(collected.ids)
    assert "test_a.py::test_1[\\xe4]" in collected.ids


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf# coding: latin-1\ndef test_1(): pass\n",
        b"# coding: no-such-encoding\ndef test_1(): pass\n",
        b"# coding: ascii\nx = '\xe4'\ndef test_1(): pass\n",
        b"x = '\xff'\ndef test_1(): pass\n",
        b"def test_1(): pass\n\0\n",
    ],
    ids=repr,
)
def test_encodings_that_pytest_refuses(root: Path, oracle: Oracle, content: bytes) -> None:
    write_files(root, {"test_a.py": content})
    assert oracle.collect(root).failed == ["test_a.py"]
    file = scan(root).by_id["test_a.py"]
    assert "error" in file or file["dynamic"]


def test_a_file_that_vanishes_before_it_is_read(root: Path) -> None:
    made = Scan(project_config(str(root)))
    made.refresh()
    (root / "test_good.py").unlink()
    assert made.update(str(root / "test_good.py"), None)
    tree = Tree.of(made)
    assert "cannot be read" in tree.by_id["test_good.py"]["error"]


def test_a_special_file_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "test_fifo.py")
    assert "test_fifo.py" not in scan(root).by_id


def test_a_name_that_is_no_utf8(root: Path) -> None:
    with open(os.fsencode(root) + b"/test_\xff.py", "w") as file:
        file.write(GOOD)
    made = Scan(project_config(str(root)))
    made.refresh()
    assert [os.fsencode(path) for path in made.paths if path.isascii()] == [
        os.fsencode(root / "test_good.py")
    ]
    path = next(path for path in made.paths if not path.isascii())
    assert os.path.exists(path) and InputSet([path], []).changed() == []
    assert b"test_%FF.py" in made.items_json(path)


def test_empty_directory_and_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for cwd in (tmp_path / "empty", tmp_path / "nowhere"):
        made = Scan(project_config(str(cwd)))
        assert made.refresh() == [] and made.paths == [] and made.counts == (0, 0)
        assert made.tree_json() == b"[]"


FRAGMENTS = st.sampled_from(
    [
        b"def test_1(", b"):", b"\n", b"    ", b"pass", b"class TestA", b"(", b"[", b"{", b'"""',
        b"'", b"f'{", b"}", b"@", b"pytest.mark.parametrize", b"('x', [", b"1,", b"])", b"\\",
        b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"#", b"import pytest", b"from . import *",
        b"del test_1", b"lambda:", b"yield", b"async ", b"match x:", b"case _:", b"if ", b"else:",
        b"=", b"\t", b"\xf0\x9f\x98\x80", b"except*", b"try:", b"global x", b"__test__ = ", b":=",
        b"type X = ", b"coding: ",
    ]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=40).map(b"".join))
@example(b"f'{" * 300)
@settings(
    max_examples=trials(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_bytes(root: Path, text: bytes) -> None:
    made = Scan(project_config(str(root)))
    write_files(root, {"test_a.py": text, "conftest.py": text})
    made.refresh()
    tree = Tree.of(made)
    assert "test_good.py::test_good" in tree.by_id
    assert "internal error" not in tree.by_id["test_a.py"].get("error", "")
