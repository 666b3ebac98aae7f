"""What the scanner's tests share: projects made of texts, real pytest, and a comparison of both."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from fastcollect_lsp._core import Scan, project_config

Item = dict[str, Any]

DUMP_PLUGIN = """
import json, os

failed = []

def pytest_collectreport(report):
    if not report.passed:
        failed.append(report.nodeid)

def pytest_collection_finish(session):
    ids = [item.nodeid for item in session.items]
    with open(os.environ["SCANNER_TEST_DUMP"], "w") as file:
        json.dump({"ids": ids, "failed": failed}, file)
"""


@dataclass(frozen=True)
class Collected:
    """What pytest collected."""

    ids: Sequence[str]
    failed: Sequence[str]
    """Collectors that failed or were skipped."""


def collect(
    python: Path, cwd: Path, scratch: Path, args: Sequence[str] = (), *, autoload: bool = False
) -> Collected:
    """Have real pytest collect; `scratch` is a directory outside the project."""
    (scratch / "scanner_test_dump.py").write_text(DUMP_PLUGIN)
    dump = scratch / "dump.json"
    dump.unlink(missing_ok=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    env |= {"PYTHONPATH": str(scratch), "SCANNER_TEST_DUMP": str(dump), "FASTCOLLECT": "0"}
    if not autoload:
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["--collect-only", "-q", "-p", "no:cacheprovider", "-p", "scanner_test_dump"]
    command = [str(python), "-B", "-m", "pytest", *options, *args]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert dump.exists(), done.stdout + done.stderr
    return Collected(**orjson.loads(dump.read_bytes()))


class Oracle:
    """Real pytest in a process that collects one project after another.

    No plugin is loaded but pytest's own.
    """

    def __init__(self, python: Path) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "FASTCOLLECT": "0"}
        script = Path(__file__).with_name("oracle_process.py")
        self._process = subprocess.Popen(
            [python, "-B", script], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def collect(self, cwd: Path, args: Sequence[str] = (), *, apart: bool = False) -> Collected:
        """Have pytest collect: `apart` as a new process would, else by importlib.

        By importlib, each project needs a directory of its own.
        """
        assert self._process.stdin and self._process.stdout
        mode = [] if apart else ["--import-mode=importlib"]
        request = {"cwd": str(cwd), "args": [*mode, *args], "apart": apart}
        self._process.stdin.write(orjson.dumps(request) + b"\n")
        self._process.stdin.flush()
        answer = orjson.loads(self._process.stdout.readline())
        assert "output" not in answer, answer["output"]
        return Collected(**answer)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def write_files(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write a project."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8")


def parse_archive(text: str) -> tuple[str, dict[str, str]]:
    """A project in one text: what comes before the first `-- path --` line, and the files."""
    head, *parts = re.split(r"^-- (.+) --\n", text, flags=re.MULTILINE)
    return head, dict(zip(parts[::2], parts[1::2], strict=True))


@dataclass
class Tree:
    """A scanned project."""

    items: Sequence[Item]
    by_id: dict[str, Item] = field(init=False)

    def __post_init__(self) -> None:
        self.by_id = {item["id"]: item for item in self.items}

    @classmethod
    def of(cls, scan: Scan) -> Tree:
        """The tree of a scan."""
        return cls(orjson.loads(scan.tree_json()))

    @property
    def leaves(self) -> list[Item]:
        """Tests: cases, and functions without known cases."""
        kinds = ("function", "case")
        return [i for i in self.items if i["kind"] in kinds and not i["canResolveChildren"]]

    @property
    def functions(self) -> list[str]:
        """The ids of functions and methods."""
        return [item["id"] for item in self.items if item["kind"] == "function"]

    def is_dynamic(self, node_id: str) -> bool:
        """Whether the nearest known item at or above `node_id` is dynamic, or any above it."""
        return any(
            self.by_id[above]["dynamic"] for above in ancestors(node_id) if above in self.by_id
        )


def scan_tree(
    cwd: Path, args: Sequence[str] = (), search_path: Sequence[str] | None = None
) -> Tree:
    """Scan a project as a run in `cwd` would find it, by the interpreter with this `sys.path`."""
    scan = Scan(project_config(str(cwd), args, search_path=search_path), args)
    scan.refresh()
    return Tree.of(scan)


def ancestors(node_id: str) -> list[str]:
    """A node id and those of its function, classes and file."""
    names, bracket, _ = node_id.partition("[")
    parts = names.split("::") if "::" in names else [node_id]
    above = ["::".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return [node_id, *above] if bracket else above


def function_of(node_id: str) -> str:
    """The node id without its case."""
    names, _, _ = node_id.partition("[")
    return names if "::" in names else node_id


def unique(ids: Sequence[str]) -> list[str]:
    """Without repetitions, the order kept."""
    return list(dict.fromkeys(ids))


@dataclass(frozen=True)
class Differences:
    """Where a scan and pytest disagree; only `wrong` and `undeclared` break a promise."""

    missing: Sequence[str]
    """Functions that the scan does not have."""
    undeclared: Sequence[str]
    """Cases and functions that it does not have although nothing there is dynamic.

    Of files that it has: others are known to plugins only.
    """
    invented: Sequence[str]
    """Functions that pytest does not have."""
    wrong: Sequence[str]
    """Tests that are not dynamic and that pytest does not have."""


def compare(tree: Tree, collected: Collected) -> Differences:
    """Compare a scan with what pytest collected; files that failed to import are left out."""
    ids = collected.ids

    def counts(node_id: str) -> bool:
        return not any(above in collected.failed for above in ancestors(node_id))

    exact = {item["id"] for item in tree.leaves if not item["dynamic"]}
    functions, expected = unique(tree.functions), unique([function_of(node) for node in ids])
    known, real = set(functions), set(expected)
    return Differences(
        missing=[node for node in expected if node not in known],
        undeclared=[
            node
            for node in ids
            if node not in exact and ancestors(node)[-1] in tree.by_id and not tree.is_dynamic(node)
        ],
        invented=[node for node in functions if node not in real and counts(node)],
        wrong=[node for node in exact - set(ids) if counts(node)],
    )
