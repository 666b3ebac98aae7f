"""Descriptors that a run inherits (a shell's `3<file`, make's job server, those of a terminal in an
editor) are its own under their numbers, at whatever depth it begins."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from fastcollect_lsp import verify
from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import HANG, SmallBench, header
from tests.terminal.test_native import NATIVE

FILES = {
    "hello": "hello",
    "test_a.py": """
        import os
        import slow_to_import
        def test_reads():
            print("captured")
            os.write(1, b"captured too")
            assert os.pread(3, 9, 0) == b"hello"
        def test_writes():
            os.write(8, b"from a test")
        def test_shows():
            print([os.get_inheritable(fd) for fd in (3, 8)])
            assert not [fd for fd in (4, 5, 6, 7, 9) if os.path.exists(f"/proc/self/fd/{fd}")
                        and os.get_inheritable(fd)]
    """,
}
OPTIONS = ("-rA", "-p", "no:cacheprovider")
WITH_TWO = 'exec "$@" 3<hello 8>>../written'


@pytest.fixture
def bench(project: MakeProject) -> Iterator[SmallBench]:
    made = project(FILES)
    made.warm_up(*OPTIONS)
    yield made


def run(
    bench: SmallBench, *command: str, shell: str = WITH_TWO, **env: str
) -> tuple[tuple[int, str, str], str]:
    """Exit code, output but for times, and what was written to descriptor 8; and our own line."""
    variables = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid()), **env}
    done = subprocess.run(
        ["sh", "-c", shell, "sh", *command], cwd=bench.root, env=variables,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=HANG,
    )  # fmt: skip
    written = bench.root.parent / "written"
    text = written.read_text()
    written.unlink()
    return (done.returncode, verify.normalise(done.stdout), text), header(done.stdout)


def cold(bench: SmallBench, *args: str, shell: str = WITH_TWO) -> tuple[int, str, str]:
    bytecode = {"PYTHONPYCACHEPREFIX": str(bench.bytecode), "FASTCOLLECT": "0"}
    return run(bench, str(bench.project.pytest), *args, shell=shell, **bytecode)[0]


@pytest.mark.parametrize("native", sampled([False, True], 1), ids=["plugin", "native"])
def test_at_each_depth(native: bool, bench: SmallBench) -> None:
    command = [str(NATIVE), "run"] if native else [str(bench.project.pytest)]
    for selection, depths in (
        ("test_a.py", ("", "collected", "collected")),
        ("test_a.py::test_writes", ("", "collected")),
        ("test_a.py::test_reads", ("configured", "collected")),
    ):
        expected = cold(bench, *OPTIONS, selection)
        for depth in depths:
            shown, line = run(bench, *command, *OPTIONS, selection)
            assert shown == expected
            last = bench.wait_until_warm()["last_run"]
            if depth:
                assert last["checkpoint"] == depth, (selection, bench.status()["why"])
                assert line.startswith("Daemon: active"), "it has gone on cold"


def test_a_session_has_the_numbers_of_one_terminal(bench: SmallBench) -> None:
    """In another, what pytest itself opens is found under others."""
    command = [str(bench.project.pytest), *OPTIONS]
    other = WITH_TWO + " 5<hello"
    for _ in range(2):
        run(bench, *command)
        bench.wait_until_warm()
    shown, line = run(bench, *command, shell=other)
    assert (shown, line) == (cold(bench, *OPTIONS, shell=other), "Daemon: active, warm")
    assert run(bench, *command)[1].startswith("Daemon: active, collected")


def test_what_is_used_while_it_is_collected(project: MakeProject) -> None:
    """Ahead of time it cannot be: that is left to the run."""
    bench = project(
        {**FILES, "test_b.py": "import os\nos.write(8, b'at import')\ndef test_b(): pass\n"}
    )
    bench.warm_up(*OPTIONS, "test_a.py")
    expected = cold(bench, *OPTIONS)
    assert expected[2] == "at importfrom a test"
    for _ in range(3):
        assert run(bench, str(bench.project.pytest), *OPTIONS)[0] == expected
        bench.wait_until_warm()
