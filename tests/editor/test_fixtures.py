"""Fixtures: from the name that a test asks for to the definition that it gets."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import _pytest.tmpdir
import pytest
import pytest_asyncio
from editor_client import Client, Plain, Server, serving, write

pytestmark = pytest.mark.asyncio

CONFTEST = '''\
import pytest

@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """What everything runs on.

    Made once.
    """
    return object()

@pytest.fixture
def client(engine): ...

if 1 > 0:
    @pytest.fixture
    def under_a_condition(): ...
'''

NEARER = """\
import pytest

@pytest.fixture
def client(client): ...

@pytest.fixture(name="shown")
def hidden(): ...
"""

TESTS = """\
import pytest
from helpers import borrowed

@pytest.fixture
def own(client):
    return client

def test_asks(own, client, shown, under_a_condition, borrowed, tmp_path):
    assert client is not None  # 🙂 client
    client.own

@pytest.mark.parametrize("client", [1])
def test_is_given(client): ...

def helper(client): ...

@pytest.mark.usefixtures(
    "engine", "own"
)
class TestGroup:
    @pytest.fixture
    def own(self, own): ...

    def test_in(self, own, request):
        request.getfixturevalue("engine")
        print("engine")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "project"
    write(root / "pytest.ini", "[pytest]\npythonpath = .\n")
    write(root / "conftest.py", CONFTEST)
    write(root / "helpers.py", "import pytest\n\n@pytest.fixture\ndef borrowed(): ...\n")
    write(root / "sub" / "conftest.py", NEARER)
    write(root / "sub" / "test_it.py", TESTS)
    return root


@pytest_asyncio.fixture
async def server(project: Path, sockets: Path) -> AsyncIterator[Server]:
    async with serving(project, sockets) as served:
        yield served


def at(path: Path, around: str, word: str) -> Plain:
    """The params of a request at a word in the first line that holds a text."""
    lines = path.read_text().split("\n")
    number = next(n for n, line in enumerate(lines) if around in line)
    before = lines[number][: lines[number].index(word, lines[number].index(around)) + 1]
    position = {"line": number, "character": len(before.encode("utf-16-le")) // 2}
    return {"textDocument": {"uri": path.as_uri()}, "position": position}


async def goes_to(editor: Client, params: Plain) -> tuple[str, str] | None:
    """The file's name and the text at the range of the answer."""
    found = await editor.request("textDocument/definition", params)
    if found is None:
        return None
    path = Path(found["uri"].removeprefix("file://"))
    start, end = found["range"]["start"], found["range"]["end"]
    line = path.read_text().split("\n")[start["line"]]
    assert start["line"] == end["line"]
    return f"{path.parent.name}/{path.name}", line[start["character"] : end["character"]]


CONFTEST_PY, NEARER_PY, TEST_PY = "project/conftest.py", "sub/conftest.py", "sub/test_it.py"

PLACES = [
    ("def test_asks(", "own", (TEST_PY, "own")),
    ("def test_asks(", "client", (NEARER_PY, "client")),
    ("def test_asks(", "shown", (NEARER_PY, "hidden")),
    ("def test_asks(", "under_a_condition", (CONFTEST_PY, "under_a_condition")),
    ("def test_asks(", "borrowed", ("project/helpers.py", "borrowed")),
    ("def test_asks(", "tmp_path", ("_pytest/tmpdir.py", "tmp_path")),
    ("assert client", "client", (NEARER_PY, "client")),
    ("assert client", "🙂 client", None),
    ("client.own", "client", (NEARER_PY, "client")),
    ("client.own", "own", None),
    ("def own(client)", "client", (NEARER_PY, "client")),
    ("def test_is_given", "client", None),
    ("def helper", "client", None),
    ('"engine", "own"', "engine", (CONFTEST_PY, "engine")),
    ('"engine", "own"', "own", (TEST_PY, "own")),
    ("def test_in", "own", (TEST_PY, "own")),
    ("def test_in", "request", ("_pytest/fixtures.py", "FixtureRequest")),
    ('getfixturevalue("engine")', "engine", (CONFTEST_PY, "engine")),
    ('print("engine")', "engine", None),
]


async def test_definitions(server: Server, project: Path) -> None:
    editor = await server.editor()
    path = project / "sub" / "test_it.py"
    found = {
        (around, word): await goes_to(editor, at(path, around, word)) for around, word, _ in PLACES
    }
    assert found == {(around, word): expected for around, word, expected in PLACES}


async def test_what_is_overridden(server: Server, project: Path) -> None:
    """A fixture that asks for its own name means the one above it."""
    editor = await server.editor()
    asked = at(project / "sub" / "conftest.py", "def client(client)", "client)")
    assert await goes_to(editor, asked) == (CONFTEST_PY, "client")
    within = at(project / "sub" / "test_it.py", "def own(self, own)", "own)")
    found = await editor.request("textDocument/definition", within)
    assert found["range"]["start"]["line"] == 4  # the module's, not the class' own


async def test_hover(server: Server, project: Path) -> None:
    editor = await server.editor()
    path = project / "conftest.py"
    shown = await editor.request("textDocument/hover", at(path, "def client", "engine"))
    assert shown["contents"] == {
        "kind": "markdown",
        "value": textwrap.dedent(
            """\
            ```python
            def engine(tmp_path_factory):
            ```

            What everything runs on.

            Made once.

            fixture, scope: session"""
        ),
    }
    asked = at(project / "sub" / "test_it.py", "def test_asks(", "tmp_path")
    value = (await editor.request("textDocument/hover", asked))["contents"]["value"]
    assert _pytest.tmpdir.tmp_path.__doc__ is not None
    assert "def tmp_path(" in value and "temporary directory" in value


async def test_what_is_typed_counts(server: Server, project: Path) -> None:
    editor = await server.editor()
    path = project / "sub" / "test_it.py"
    editor.open(path)
    text = "import pytest\n\n\n@pytest.fixture\ndef typed(): ...\n\ndef test_it(typed): ...\n"
    editor.change(path, text)
    params = {"textDocument": {"uri": path.as_uri()}, "position": {"line": 6, "character": 12}}
    found = await editor.request("textDocument/definition", params)
    assert found["range"] == {
        "start": {"line": 4, "character": 4},
        "end": {"line": 4, "character": 9},
    }
    hover = await editor.request("textDocument/hover", params)
    assert "def typed()" in hover["contents"]["value"]
