"""Other Pythons and pytests than the one that runs these tests: warm and equal there too."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import suites
from harness import WARM, bench

from fastcollect_lsp import verify
from fastcollect_lsp.verify import Project
from tests.sampling import sampled

ROOT = Path(__file__).parent.parent.parent
VERSIONS = [("3.10", "8.0.2"), ("3.12", "8.2.2"), ("3.13", "8.4.2"), ("3.13", "9.0.1")]


def interpreter(version: str) -> Path | None:
    """An interpreter of this version, from PATH or pyenv."""
    candidates = [found] if (found := shutil.which(f"python{version}")) else []
    if pyenv := shutil.which("pyenv"):
        done = subprocess.run([pyenv, "root"], stdout=subprocess.PIPE, text=True)
        versions = Path(done.stdout.strip(), "versions")
        candidates += [str(path) for path in versions.glob(f"{version}.*/bin/python")]
    check = f"import sys, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    for candidate in candidates:
        if subprocess.run([candidate, "-c", check], capture_output=True).returncode == 0:
            return Path(candidate)
    return None


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Both distributions, built from this checkout: as they are in the real suites, or anew."""
    if (there := suites.directory()) is not None and (there / "wheels").is_dir():
        return [str(path) for path in (there / "wheels").glob("*.whl")]
    directory = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(directory)]
    subprocess.run([*command, str(ROOT), str(ROOT / "pytest_plugin")], check=True)
    return [str(path) for path in directory.glob("*.whl")]


def environment(path: Path, python: str, version: str, wheels: list[str]) -> Path:
    """An environment of this Python and this pytest with both distributions; its interpreter."""
    base = interpreter(python)
    if base is None:
        pytest.skip(f"no Python {python} here")
    subprocess.run([base, "-m", "venv", path], check=True)
    install: list[str | Path] = [path / "bin" / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, f"pytest=={version}", *wheels], check=True)
    return path / "bin" / "python"


@pytest.mark.parametrize(("python", "version"), sampled(VERSIONS, 1))
def test_warm_and_equal(python: str, version: str, wheels: list[str], tmp_path: Path) -> None:
    there = environment(tmp_path / "venv", python, version, wheels)
    project = tmp_path / "project"
    shutil.copytree(Path(__file__).parent / "project", project)
    directory = Path(tempfile.mkdtemp(prefix="fc-"))
    with bench(Project(project, there), directory) as made:
        made.pytest()
        status = made.wait_until_warm()
        assert status["state"] == "warm", status["detail"]
        compared = made.compare(["-rA"])
        assert not compared.differences, "\n".join(compared.differences)
        assert compared.served["served"] in WARM, compared.served
        (project / "tests" / "test_package.py").write_text("def test_new(): assert 0\n")
        edited = made.compare(["-rA"])
        assert not edited.differences, "\n".join(edited.differences)
        assert "test_new" in edited.warm.output
    assert not directory.exists()


TOGETHER = {"3.10": "8.0.2", "3.11": "9.0.1", "3.12": "8.2.2", "3.13": "8.4.2"}
"""And one more environment of the last."""

MEETING = {
    "pytest.ini": "[pytest]\n",
    "conftest.py": "import time\ntime.sleep(0.2)\n",
    "test_it.py": """\
import os, pathlib, sys, time

def test_it():
    print("prefix", sys.prefix, "version", sys.version_info[:2])
    if place := os.environ.get("MEET"):
        here, number = pathlib.Path(place), int(os.environ["NUMBER"])
        (here / str(os.getpid())).touch()
        deadline = time.monotonic() + 60
        while len(list(here.iterdir())) < number:
            assert time.monotonic() < deadline, "the others do not run"
            time.sleep(0.01)
""",
}


@pytest.mark.long
def test_several_at_the_same_time(wheels: list[str], tmp_path: Path) -> None:
    """Environments of different Pythons, and two of the same, share a root: each has a server."""
    pythons = [
        environment(tmp_path / name, name.split(" ")[0], version, wheels)
        for name, version in {**TOGETHER, "3.13 again": TOGETHER["3.13"]}.items()
    ]
    root, meeting = tmp_path / "project", tmp_path / "meeting"
    meeting.mkdir()
    root.mkdir()
    for name, text in MEETING.items():
        (root / name).write_text(text)
    directory = Path(tempfile.mkdtemp(prefix="fc-"))
    with ExitStack() as stack, ThreadPoolExecutor(len(pythons)) as threads:
        benches = [
            stack.enter_context(bench(Project(root, python), directory)) for python in pythons
        ]
        for made in benches:
            made.pytest()
        status = [made.wait_until_warm() for made in benches]
        assert len({each["pid"] for each in status}) == len(pythons)

        for made in benches:
            made.extra_env.update(MEET=str(meeting), NUMBER=str(len(pythons)))
        results = list(threads.map(lambda made: made.pytest("-rP"), benches))
        for made in benches:
            made.extra_env.clear()
        for made, python, warm in zip(benches, pythons, results, strict=True):
            assert made.status()["last_run"]["served"] == "warm", warm.output
            assert f"prefix {python.parent.parent} version" in warm.output
            differences = verify.compare(made.cold("-rP"), warm, made.cold("-rP"))
            assert not differences, "\n".join(differences)
