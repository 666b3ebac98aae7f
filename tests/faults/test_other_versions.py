"""What runs is not what is installed: other versions, another pytest, another or no environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import WARM_HEADERS

import fastcollect_lsp
from fastcollect_lsp import __version__
from fastcollect_lsp.verify import Project, Result
from tests.conftest import MakeProject
from tests.faults.killing import is_native
from tests.support import HANG, Shared, SmallBench, ended, eventually, header, small_bench

FILES = {
    "conftest.py": "import slow_to_import\n",
    "test_good.py": """\
        import os, time
        import pytest

        def test_version():
            assert pytest.__version__ == os.environ.get("EXPECTED", pytest.__version__)
        def test_waits():
            while os.path.exists("wait"):
                time.sleep(0.01)
        """,
}


def other_version(directory: Path, version: str) -> str:
    """A copy of our package that says it is another version; what PYTHONPATH begins with then."""
    source = Path(fastcollect_lsp.__file__).parent
    made = directory / "fastcollect_lsp"
    shutil.copytree(source, made, ignore=shutil.ignore_patterns("__pycache__"))
    init = made / "__init__.py"
    init.write_text(init.read_text().replace(f'"{__version__}"', f'"{version}"'))
    return f"{directory}{os.pathsep}"


@pytest.mark.long
@pytest.mark.parametrize("version", ["0.0.1", "99.0"])
@pytest.mark.parametrize("ours", ["server", "plugin"])
def test_another_version(version: str, ours: str, project: MakeProject, tmp_path: Path) -> None:
    """The server that is there steps aside; the run is cold, and the next one has a new server."""
    bench = project(FILES)
    usual = bench.extra_env["PYTHONPATH"]
    other = other_version(tmp_path, version) + usual
    bench.extra_env["PYTHONPATH"] = other if ours == "plugin" else usual
    bench.warm_up()
    first = bench.server_pid()
    bench.extra_env["PYTHONPATH"] = usual if ours == "plugin" else other
    running = __version__ if ours == "server" else version
    for command in _commands(bench):
        found = bench.pytest() if command == "plugin" else _native(bench)
        assert found.exit == 0, found.output
        assert header(found.output) in (
            f"cold: the server was v{running}", "Daemon: starting", *WARM_HEADERS,
            "cold: the server is still starting", "cold: warming",
        ), found.output  # fmt: skip
    assert ended(first)
    bench.pytest()
    eventually(lambda: bench.status()["state"] != "stopped", "a new server")
    bench.wait_until_warm()
    assert not bench.compare_warm().differences
    assert bench.status()["version"] == (version if ours == "server" else __version__)


def _commands(bench: SmallBench) -> list[str]:
    native = bench.project.python.parent / "fastcollect"
    return ["plugin", "native"] if is_native(native) else ["plugin"]


def _native(bench: SmallBench) -> Result:
    done = subprocess.run(
        [str(bench.project.python.parent / "fastcollect"), "run"], cwd=bench.root, text=True,
        env={**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=HANG,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, (), 0.0)


@pytest.mark.long
def test_a_run_goes_on_when_its_server_steps_aside(project: MakeProject, tmp_path: Path) -> None:
    bench = project(FILES)
    bench.warm_up()
    server = bench.server_pid()
    (bench.root / "wait").touch()
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    with subprocess.Popen(
        bench.command, cwd=bench.root, env=env, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            eventually(bench.served_warm, "a warm run")
            path = other_version(tmp_path, "0.0.1") + bench.extra_env["PYTHONPATH"]
            bench.extra_env["PYTHONPATH"] = path
            bench.fastcollect("status")
            assert ended(server)
            assert process.poll() is None
        finally:
            (bench.root / "wait").unlink()
        output, _ = process.communicate(timeout=HANG)
    assert process.returncode == 0, output
    assert output.count("2 passed") == 1


@pytest.fixture
def environment(shared: Shared, tmp_path: Path) -> Path:
    """An environment of its own, with a pytest of its own; the rest is that of these tests."""
    return make_environment(tmp_path / "venv")


def make_environment(directory: Path) -> Path:
    """Its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    site = next(directory.glob("lib/python*/site-packages"))
    ours = Path(sysconfig.get_path("purelib"))
    (site / "rest.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    for name in ("_pytest", "pytest"):
        shutil.copytree(ours / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    script = directory / "bin" / "pytest"
    python = directory / "bin" / "python"
    _, _, usual = (Path(sys.executable).parent / "pytest").read_text().partition("\n")
    script.write_text(f"#!{python}\n{usual}")
    script.chmod(0o755)
    return python


@pytest.fixture
def apart(shared: Shared, environment: Path) -> Iterator[SmallBench]:
    """A project with that environment."""
    with small_bench(shared, FILES) as bench:
        bench.project = Project(bench.root, environment)
        yield bench
        if environment.exists():
            bench.fastcollect("stop")


@pytest.mark.long
def test_pytest_upgraded_under_a_running_server(apart: SmallBench, environment: Path) -> None:
    apart.warm_up()
    assert not apart.compare_warm().differences
    version = next(environment.parent.parent.glob("lib/*/site-packages/_pytest/_version.py"))
    apart.extra_env["EXPECTED"] = "9.99.0"
    text = version.read_text()
    version.write_text(f"{text}\n__version__ = version = '9.99.0'\nversion_tuple = (9, 99, 0)\n")
    for _ in range(2):
        found = apart.compare()
        assert found.cold.exit == 0, found.cold.output
        assert not found.differences, found.differences[-1]
        assert "pytest-9.99.0" in found.warm.output
    apart.wait_until_warm()
    found = apart.compare_warm()
    assert not found.differences, found.differences[-1]
    assert "pytest-9.99.0" in found.warm.output


@pytest.mark.long
def test_environment_deleted_and_rebuilt(apart: SmallBench, environment: Path) -> None:
    apart.warm_up()
    server = apart.server_pid()
    shutil.rmtree(environment.parent.parent)
    assert ended(server, timeout=30), "a server without an interpreter"
    eventually(lambda: not apart.servers(), "the removal of its files")
    make_environment(environment.parent.parent)
    apart.warm_up()
    assert not apart.compare_warm().differences


@pytest.mark.long
def test_environment_rebuilt_at_once(apart: SmallBench, environment: Path) -> None:
    """Quicker than a server looks: it is asked for a run before it has seen anything."""
    apart.warm_up()
    server = apart.server_pid()
    shutil.rmtree(environment.parent.parent)
    make_environment(environment.parent.parent)
    for _ in range(2):
        found = apart.compare()
        assert not found.differences, found.differences[-1]
    assert ended(server, timeout=30)
    apart.warm_up()
    assert not apart.compare_warm().differences
    assert apart.server_pid() != server


@pytest.mark.long
def test_project_removed(project: MakeProject) -> None:
    """A server that nobody will find again does not wait for half an hour."""
    bench = project(FILES)
    bench.warm_up()
    server, warm = bench.server_pid(), bench.checkpoint_pids()
    shutil.rmtree(bench.root)
    for pid in (server, *warm.values()):
        assert ended(pid, timeout=30)
    eventually(lambda: not bench.servers(), "the removal of its files")
    bench.root.mkdir()


@pytest.mark.long
def test_project_moved_and_made_again(project: MakeProject) -> None:
    bench = project(FILES)
    bench.warm_up()
    server = bench.server_pid()
    moved = bench.root.with_name("moved")
    bench.root.rename(moved)
    bench.root.mkdir()
    bench.write({**FILES, "test_good.py": "def test_other(): assert 0\n"})
    found = bench.compare()
    assert not found.differences, found.differences[-1]
    assert found.cold.exit == 1
    assert ended(server, timeout=30)
    bench.project = Project(moved, bench.project.python)
    bench.warm_up()
    found = bench.compare_warm()
    assert not found.differences, found.differences[-1]
    assert found.cold.exit == 0


@pytest.mark.long
def test_directory_of_the_server_removed(project: MakeProject) -> None:
    """By somebody who cleans up: the next run has another server, and the old one takes nothing."""
    bench = project(FILES)
    bench.warm_up()
    server = bench.server_pid()
    shutil.rmtree(bench.directory)
    bench.warm_up()
    assert bench.server_pid() != server
    assert ended(server, timeout=30)
    assert not bench.compare_warm().differences
    (directory,) = bench.servers()
    assert {path.name for path in directory.iterdir()} >= {"socket", "lock", "log"}
