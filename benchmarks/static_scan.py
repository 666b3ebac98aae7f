"""Static collection compared: time and wrong ids of this scanner, of others, and of pytest itself.

    FASTCOLLECT_SUITES=DIR python benchmarks/static_scan.py [--repeat N] [SUITE...]

Installs the others from PyPI into environments of their own below `.work/rivals`, measures all
tools in turn on the suites (CONTRIBUTING.md) and on a made project of 10,000 tests, and writes
`benchmarks/results/static_scan.md`. The figures are medians; only figures of one run compare.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent.resolve()
CHECKOUT = HERE.parent
WORK = CHECKOUT / ".work" / "rivals"
RESULTS = HERE / "results" / "static_scan.md"

KARVA, RTEST, PUBLISHED = "karva==0.0.1a13", "rtest==0.0.47", "pytest-fastcollect==0.5.2"
TIMEOUT = 900.0
"""Seconds after which a tool counts as failed."""

sys.path[:0] = [str(CHECKOUT)]
from benchmarks.made_project import make  # noqa: E402


@dataclass(frozen=True)
class Suite:
    """A project to collect."""

    name: str
    cwd: Path
    venv: Path
    args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ran:
    """One run of a tool."""

    output: str
    wall: float
    """Seconds."""
    cpu: float
    """Seconds of all its processes, user and system."""


@dataclass(frozen=True)
class Ids:
    """What a tool says there is."""

    cases: Sequence[str]
    dynamic: Callable[[str], bool] = lambda node: False
    """Whether the tool itself says that it does not know what is at this id."""
    count: int | None = None
    """Only a number, where a tool names no ids."""
    failed: Set[str] = frozenset()
    """Node ids of what pytest could not import, or skipped as a whole."""


@dataclass
class Measured:
    """A tool on a suite."""

    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    ids: Ids | None = None


@dataclass(frozen=True)
class Tool:
    """One way to collect."""

    name: str
    command: Callable[[Suite], list[str]]
    read: Callable[[str], Ids]
    env: Callable[[Suite], Mapping[str, str]] = lambda suite: {}
    before: Callable[[Suite], None] = lambda suite: None
    """Not measured."""
    dumps: bool = False
    """Whether it is pytest: a plugin writes down its ids. Options decide which it prints."""


def run(tool: Tool, suite: Suite, options: Sequence[str] = (), **more: str) -> Ran:
    """Run a tool once, in a clean environment and with `more` variables."""
    unwanted = ("PYTEST", "PYTHON", "FASTCOLLECT", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    env |= {"FASTCOLLECT": "0", "VIRTUAL_ENV": str(suite.venv), **tool.env(suite), **more}
    tool.before(suite)
    before, begin = os.times(), time.perf_counter()
    done = subprocess.run(
        [*tool.command(suite), *options],
        cwd=suite.cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
        check=False,
    )
    wall, after = time.perf_counter() - begin, os.times()
    cpu = after.children_user + after.children_system - before.children_user
    return Ran(done.stdout, wall, cpu - before.children_system)


# ---- what each tool says ----


def ids_of(tool: Tool, suite: Suite, ran: Ran) -> Ids:
    """The ids of a tool that has run: of pytest, from one more run."""
    if not tool.dumps:
        return tool.read(ran.output)
    plugin, written = WORK / "dump" / "written_down.py", WORK / "dump" / "written.json"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(CHECKOUT / "pytest_plugin" / "pytest_fastcollect" / "dump.py", plugin)
    written.unlink(missing_ok=True)
    names = {"PYTHONPATH": str(plugin.parent), "FASTCOLLECT_DUMP": str(written)}
    run(tool, suite, ["-p", plugin.stem], **names)
    content = json.loads(written.read_text()) if written.exists() else {"ids": [], "failures": {}}
    return Ids(content["ids"], failed=content["failures"].keys())


def pytest_ids(output: str) -> Ids:
    """`pytest --collect-only -q`: one id a line, up to an empty line."""
    lines = output.split("\n\n", 1)[0].splitlines()
    return Ids([line for line in lines if "::" in line])


def rtest_ids(output: str) -> Ids:
    """`rtest --collect-only`: ids, indented."""
    return Ids(
        [line.strip() for line in output.splitlines() if line.startswith("  ") and "::" in line]
    )


def karva_count(output: str) -> Ids:
    """`karva test` names no ids without running the tests: only how many it would."""
    found = re.search(r"Starting (\d+) tests?", output)
    return Ids([], count=int(found[1]) if found else 0)


def our_ids(output: str) -> Ids:
    """`fastcollect collect --static --json`."""
    items = json.loads(output[output.index("{") :])["items"]
    doubtful = {item["id"] for item in items if item["dynamic"]}
    parents = {item["parent"] for item in items}
    tests = [i["id"] for i in items if i["kind"] in ("function", "case") and i["id"] not in parents]

    def dynamic(node: str) -> bool:
        return any(above in doubtful for above in lineage(node))

    return Ids(tests, dynamic)


def lineage(node: str) -> list[str]:
    """A node id, and those of its function, classes and file."""
    names = function_of(node).split("::")
    return [node, *("::".join(names[:length]) for length in range(len(names), 0, -1))]


def function_of(node: str) -> str:
    """The node id without its case."""
    return node.partition("[")[0] if "::" in node else node


# ---- the tools ----


def program(requirement: str) -> Path:
    """The environment with one of the others, made if need be."""
    venv = WORK / requirement.replace("==", "-")
    if not (venv / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "pip"), "install", "--quiet", requirement], check=True)
        (venv / "made").touch()
    return venv / "bin"


def beside(suite: Suite) -> Path:
    """A Python that has the published plugin before all that the suite's environment has."""
    venv = WORK / "beside" / suite.name
    site = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    if not (venv / "made").exists():
        python = str(suite.venv / "bin" / "python")
        subprocess.run([python, "-m", "venv", "--without-pip", str(venv)], check=True)
        pip = [str(program(PUBLISHED) / "pip"), "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(site), PUBLISHED], check=True)
        inner = next(suite.venv.glob("lib/python*/site-packages"))
        (site / "suite.pth").write_text(f"import site; site.addsitedir({str(inner)!r})\n")
        (venv / "made").touch()
    return venv / "bin" / "python"


def tools() -> list[Tool]:
    """All of them; pytest, which the others are compared with, first."""
    collect = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    cache = WORK / "cache"
    elsewhere = ["-o", f"cache_dir={WORK / 'pytest_cache'}"]

    def python(suite: Suite) -> str:
        return str(suite.venv / "bin" / "python")

    def ours(suite: Suite) -> list[str]:
        return [
            python(suite),
            "-m",
            "fastcollect_lsp",
            "collect",
            "--static",
            "--json",
            *suite.args,
        ]

    def our_env(suite: Suite) -> Mapping[str, str]:
        return {"PYTHONPATH": str(CHECKOUT), "FASTCOLLECT_DIR": str(cache / suite.name)}

    def forget(suite: Suite) -> None:
        shutil.rmtree(cache / suite.name, ignore_errors=True)

    karva, rtest = program(KARVA), program(RTEST)
    return [
        Tool(
            "pytest --collect-only -q",
            lambda suite: [python(suite), *collect, "-p", "no:fastcollect", *suite.args],
            pytest_ids,
            dumps=True,
        ),
        Tool(
            f"{PUBLISHED} (PyPI), pytest --collect-only -q",
            # Without the cache plugin it fails: its cache goes elsewhere instead.
            lambda suite: [str(beside(suite)), *collect[:-2], *elsewhere, *suite.args],
            pytest_ids,
            lambda suite: {"FASTCOLLECT": ""},
            dumps=True,
        ),
        Tool(
            f"{RTEST}, rtest --collect-only",
            lambda suite: [str(rtest / "rtest"), "--collect-only", *suite.args],
            rtest_ids,
            lambda suite: {"PATH": f"{suite.venv}/bin:{os.environ['PATH']}"},
        ),
        Tool(
            f"{KARVA}, karva test -E 'test(=none)'",
            lambda suite: [
                *(str(karva / "karva"), "test", "--no-cache", "--no-tests=pass"),
                *("-E", "test(=none)", *(suite.args or ("."))),
            ],
            karva_count,
            lambda suite: {"PATH": f"{karva}:{os.environ['PATH']}"},
        ),
        Tool("fastcollect collect --static, first time", ours, our_ids, our_env, forget),
        Tool("fastcollect collect --static, again", ours, our_ids, our_env),
    ]


# ---- comparing ----


def counts(expected: Ids, found: Ids) -> list[str]:
    """Functions and cases: missing, invented, and those that the tool says it does not know."""
    if found.count is not None:
        functions = len({function_of(node) for node in expected.cases})
        return [f"says {found.count} of {functions}", "", "", "", ""]
    functions = {function_of(node) for node in expected.cases}
    # What pytest would find in a file that it cannot import here, nobody knows.
    here = [node for node in found.cases if not expected.failed & set(lineage(node))]
    named = {function_of(node) for node in here}
    missing, invented = functions - named, named - functions
    cases, listed = Counter(expected.cases), Counter(here)
    no_cases = Counter(n for n in here if n in functions and n not in cases)
    missing_cases, invented_cases = cases - listed, listed - cases - no_cases
    unknown = {n for n in (*missing, *invented) if found.dynamic(n)}
    unknown_cases = sum(
        number
        for difference in (missing_cases, invented_cases)
        for node, number in difference.items()
        if found.dynamic(node)
    )

    def wrong(difference: Counter[str]) -> str:
        return str(sum(n for node, n in difference.items() if not found.dynamic(node)))

    return [
        str(len(missing - unknown)),
        str(len(invented - unknown)),
        wrong(missing_cases),
        wrong(invented_cases),
        f"{len(unknown)} / {unknown_cases}",
    ]


def measure(suites: Sequence[Suite], repeat: int) -> dict[tuple[str, str], Measured]:
    """Every tool in turn, `repeat` times."""
    measured: dict[tuple[str, str], Measured] = {}
    for suite in suites:
        for turn in range(repeat):
            for tool in tools():
                print(f"{suite.name}, {turn}: {tool.name}", file=sys.stderr)
                ran = run(tool, suite)
                here = measured.setdefault((suite.name, tool.name), Measured())
                here.walls.append(ran.wall)
                here.cpus.append(ran.cpu)
                if turn == 0:
                    here.ids = ids_of(tool, suite, ran)
    return measured


def table(suites: Sequence[Suite], measured: Mapping[tuple[str, str], Measured]) -> str:
    """The results in Markdown."""
    heads = [
        *("suite", "tests", "tool", "wall s", "CPU s", "faster"),
        *("functions missing", "invented", "cases missing", "invented", "dynamic"),
    ]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    names = [tool.name for tool in tools()]
    for suite in suites:
        oracle = measured[suite.name, names[0]]
        assert oracle.ids is not None
        for name in names:
            here = measured[suite.name, name]
            assert here.ids is not None
            wall, cpu = statistics.median(here.walls), statistics.median(here.cpus)
            times = statistics.median(oracle.walls) / wall
            cells = [suite.name, str(len(oracle.ids.cases)), f"`{name}`", f"{wall:.2f}"]
            cells += [f"{cpu:.2f}", f"{times:.1f}", *counts(oracle.ids, here.ids)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def report(suites: Sequence[Suite], measured: Mapping[tuple[str, str], Measured], n: int) -> str:
    """The whole page."""
    load, cores = os.getloadavg()[0], os.cpu_count()
    python, linux = platform.python_version(), platform.release().split("-")[0]
    return f"""# Static collection compared

Made by `python benchmarks/static_scan.py`: medians of {n} runs in turn.
{cores} cores, Python {python}, Linux {linux}, load average {load:.1f} at the end. Where it is
above the number of cores, wall times say little, and CPU times more. *faster*: pytest's wall time
by the tool's. Whole processes, interpreter start included.

Ids are compared with those of pytest: *missing* it has and the tool has not, *invented* the other
way round; what lies in a file that pytest cannot import here does not count. A function that is
listed without its cases counts its cases as missing. *dynamic*: what the tool itself says it does
not know, counted apart (functions / cases). karva has no command that lists ids: it is asked to run
no test, and says how many functions it would have looked at. The published pytest-fastcollect is a
plugin: it imports as pytest does. *made* is a made project of 500 files
(`benchmarks/made_project.py`).

{table(suites, measured)}
"""


def available(names: Sequence[str]) -> list[Suite]:
    """The made project, and the suites that are set up."""
    made = WORK / "made"
    if not made.exists():
        make(made)
    python = WORK / "plain"
    if not (python / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", str(python)], check=True)
        needs = ["pytest", "pygls==2.1.1", "orjson", "rich"]
        subprocess.run([str(python / "bin" / "pip"), "install", "--quiet", *needs], check=True)
        (python / "made").touch()
    suites = [Suite("made", made, python)]
    if base := os.environ.get("FASTCOLLECT_SUITES"):
        directory = Path(base).absolute()
        for entry in json.loads((directory / "manifest.json").read_text())["suites"]:
            venv, args = directory / entry["venv"], tuple(entry["pytest_args"])
            suites.append(Suite(entry["name"], directory / entry["cwd"], venv, args))
    return [suite for suite in suites if not names or suite.name in names]


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("suites", nargs="*", help="names; default: all")
    options = parser.parse_args()
    suites = available(options.suites)
    page = report(suites, measure(suites, options.repeat), options.repeat)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
