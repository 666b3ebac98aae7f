"""A run that spoils all it can leaves the next run as it would have been."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from harness import WARM_HEADERS
from poison import STATE, Poison
from poison_interpreter import INTERPRETER
from poison_process import KERNEL

from fastcollect_lsp import verify
from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import Shared, SmallBench, header, small_bench

KINDS = {kind.name: kind for kind in (*INTERPRETER, *KERNEL)}
GROUPS = list(dict.fromkeys(kind.group for kind in KINDS.values()))
assert len(KINDS) == len(INTERPRETER) + len(KERNEL)

TEST = """\
import json, os, state

KINDS = json.loads((state.HERE / "kinds.json").read_text())

def look(probe):
    return repr(state.outcome(eval, probe, vars(state)))

def test_poison():
    wanted = os.environ["POISONS"].split(",")
    out = state.fcntl.fcntl(os.open(os.environ["DONE"], os.O_WRONLY), state.fcntl.F_DUPFD, 100)
    codes = [(name.encode(), compile(KINDS[name][0], name, "exec")) for name in wanted]
    write, run, names = os.write, exec, vars(state)
    for name, code in codes:
        run(code, names)
        write(out, name + b"\\n")

def test_probe():
    for name, (_, probe) in KINDS.items():
        print(name, "-", look(probe))

def test_control(tmp_path):
    '''Every probe tells a process that its poison has spoilt from one that nothing has.'''
    unseen = []
    for name, (code, probe) in KINDS.items():
        seen = [in_a_fork(name, code, probe), in_a_fork(name, "", probe)]
        if seen[0] == seen[1] or not all(seen):
            unseen.append((name, seen))
    assert not unseen

def in_a_fork(name, code, probe):
    made = os.memfd_create("seen")
    out = state.fcntl.fcntl(made, state.fcntl.F_DUPFD, 100)
    os.close(made)
    code, probe = compile(code, name, "exec"), compile(probe, name, "eval")
    run, ask, text, end, names = exec, eval, repr, os._exit, vars(state)
    write, outcome = os.write, state.outcome
    pid = os.fork()
    if pid == 0:
        try:
            run(code, names)
            write(out, text(outcome(ask, probe, names)).encode())
        finally:
            end(0)
    os.waitpid(pid, 0)
    seen = os.pread(out, 10_000, 0).decode()
    os.close(out)
    return seen
"""


@pytest.fixture(scope="module")
def bench(shared: Shared) -> Iterator[SmallBench]:
    """A project whose test module is warm."""
    kinds = {kind.name: [kind.code, kind.probe] for kind in KINDS.values()}
    files = {
        "conftest.py": "import slow_to_import, state\n",
        "state.py": STATE,
        "kinds.json": json.dumps(kinds),
        "lock": "",
        "unflushed": "",
        "test_state.py": TEST,
    }
    with small_bench(shared, files) as made:
        made.warm_up("--collect-only", "test_state.py")
        yield made


@pytest.fixture(scope="module")
def clean(bench: SmallBench) -> verify.Result:
    """What a cold run sees."""
    seen = bench.cold("-s", "test_state.py::test_probe")
    assert seen.exit == 0, seen.output
    return seen


def spoil(bench: SmallBench, kinds: Sequence[Poison], done: Path) -> None:
    """One warm run that spoils all these."""
    done.touch()
    bench.extra_env |= {"POISONS": ",".join(kind.name for kind in kinds), "DONE": str(done)}
    spoilt = bench.pytest("test_state.py::test_poison")
    assert header(spoilt.output) in WARM_HEADERS
    assert done.read_text().splitlines() == [kind.name for kind in kinds], spoilt.output


def look(bench: SmallBench, clean: verify.Result) -> None:
    """The next run, compared with the oracle."""
    seen = bench.pytest("-s", "test_state.py::test_probe")
    assert header(seen.output) in WARM_HEADERS
    found = verify.differences(clean, seen)
    assert not found, found[-1]


def test_probes_tell_the_difference(bench: SmallBench) -> None:
    """The control of the tests below."""
    control = bench.cold("test_state.py::test_control")
    assert control.exit == 0, control.output


@pytest.mark.parametrize("group", sampled(GROUPS, 5))
def test_nothing_is_left(
    group: str, bench: SmallBench, clean: verify.Result, tmp_path: Path
) -> None:
    spoil(bench, [kind for kind in KINDS.values() if kind.group == group], tmp_path / "done")
    look(bench, clean)


@pytest.mark.long
@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_left_of_one(
    name: str, bench: SmallBench, clean: verify.Result, tmp_path: Path
) -> None:
    spoil(bench, [KINDS[name]], tmp_path / "done")
    look(bench, clean)


SHARED = {
    "mapping": (
        "import mmap\nMAP = mmap.mmap(-1, 64)\n",
        "mapping.MAP[:6] = b'poison'",
        "mapping.MAP[:6]",
    ),
    "lock": (
        "import multiprocessing\nLOCK = multiprocessing.Lock()\n",
        "lock.LOCK.acquire(timeout=60)",
        "lock.LOCK.acquire(block=False)",
    ),
    "event": (
        "import multiprocessing\nEVENT = multiprocessing.Event()\n",
        "event.EVENT.set()",
        "event.EVENT.is_set()",
    ),
    "value": (
        "import multiprocessing\nVALUE = multiprocessing.Value('i', 0)\n",
        "value.VALUE.value = 7",
        "value.VALUE.value",
    ),
    "position": ("FILE = open(__file__)\n", "position.FILE.read(5)", "position.FILE.read(5)"),
}


@pytest.mark.long
def test_made_at_import_and_shared_by_a_fork(project: MakeProject) -> None:
    """What a module makes at import belongs to one run, where the kernel would share it."""
    bench = project(
        {
            "conftest.py": "import slow_to_import\n",
            **{f"{name}.py": made for name, (made, _, _) in SHARED.items()},
            "test_shared.py": f"import {', '.join(SHARED)}\n"
            + "def test_seen():\n"
            + "".join(f"    print({probe!r}, {probe})\n" for _, _, probe in SHARED.values())
            + "def test_spoil():\n"
            + "".join(f"    {code}\n" for _, code, _ in SHARED.values()),
        }
    )
    bench.warm_up("--collect-only", "test_shared.py")
    bench.pytest("test_shared.py::test_spoil")
    seen = bench.compare_warm("-s", "test_shared.py::test_seen")
    assert not seen.differences, seen.differences[-1]
    assert "position.FILE.read(5) FILE" in seen.cold.output
