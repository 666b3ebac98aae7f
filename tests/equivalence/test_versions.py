"""Other Pythons and pytests than the one that runs these tests: warm and equal there too."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from harness import bench

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
    """Both distributions, built from this checkout."""
    directory = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(directory)]
    subprocess.run([*command, str(ROOT), str(ROOT / "pytest_plugin")], check=True)
    return [str(path) for path in directory.glob("*.whl")]


@pytest.mark.parametrize(("python", "version"), sampled(VERSIONS, 1))
def test_warm_and_equal(python: str, version: str, wheels: list[str], tmp_path: Path) -> None:
    base = interpreter(python)
    if base is None:
        pytest.skip(f"no Python {python} here")
    venv = tmp_path / "venv"
    subprocess.run([base, "-m", "venv", venv], check=True)
    install: list[str | Path] = [venv / "bin" / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, f"pytest=={version}", *wheels], check=True)
    project = tmp_path / "project"
    shutil.copytree(Path(__file__).parent / "project", project)
    directory = Path(tempfile.mkdtemp(prefix="fc-"))
    with bench(Project(project, venv / "bin" / "python"), directory) as made:
        made.pytest()
        status = made.wait_until_warm()
        assert status["state"] == "warm", status["detail"]
        compared = made.compare(["-rA"])
        assert not compared.differences, "\n".join(compared.differences)
        assert compared.served["served"] == "warm", compared.served
        (project / "tests" / "test_package.py").write_text("def test_new(): assert 0\n")
        edited = made.compare(["-rA"])
        assert not edited.differences, "\n".join(edited.differences)
        assert "test_new" in edited.warm.output
    assert not directory.exists()
