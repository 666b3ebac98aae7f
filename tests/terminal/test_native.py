"""The native `fastcollect` command: the same run as pytest's own, without starting Python."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastcollect_lsp import verify
from tests.conftest import MakeProject
from tests.sampling import sampled
from tests.support import HANG, SmallBench, ended, eventually

NATIVE = Path(sys.executable).parent / "fastcollect"
FILES = {
    "test_a.py": """
        import os, sys, signal, time
        import slow_to_import
        def test_environment():
            print(sorted(name for name in os.environ if name.startswith(("MY_", "FASTCOLLECT_L"))),
                  os.getcwd())
        def test_fails(): assert [1, 2] == [1, 3]
        def test_arguments(): print(sys.argv[1:], sys.executable, sys.flags, sys.stdout.encoding)
        def test_path(): print(sys.path)
    """
}
OPTIONS = ("-rA", "-p", "no:cacheprovider")


@pytest.fixture
def bench(project: MakeProject) -> Iterator[SmallBench]:
    made = project(FILES)
    made.warm_up(*OPTIONS)
    yield made


def command(bench: SmallBench, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    return subprocess.run(
        [str(NATIVE), "run", *args], cwd=bench.root, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=HANG,
    )  # fmt: skip


def oracle(bench: SmallBench, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**bench.env, "PYTHONPYCACHEPREFIX": str(bench.bytecode), "FASTCOLLECT": "0"}
    # By the same script, in the same way: what the shell would do.
    return subprocess.run(
        [str(bench.project.pytest), *args], cwd=bench.root, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=HANG,
    )  # fmt: skip


def same(warm: subprocess.CompletedProcess[str], cold: subprocess.CompletedProcess[str]) -> None:
    assert warm.returncode == cold.returncode
    assert verify.normalise(warm.stdout) == verify.normalise(cold.stdout)


def test_it_is_no_script() -> None:
    assert NATIVE.read_bytes()[:4] == b"\x7fELF"
    assert (
        "fastcollect"
        in subprocess.run([NATIVE, "--version"], capture_output=True, text=True).stdout
    )


def test_first_warm_then_collected(bench: SmallBench) -> None:
    cold = oracle(bench, *OPTIONS)
    for depth in ("warm", "collected"):
        same(command(bench, *OPTIONS), cold)
        last = bench.wait_until_warm()["last_run"]
        assert last["served"] == depth, bench.status()["why"]


def test_the_plugin_and_it_share_sessions(bench: SmallBench) -> None:
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    script = [str(bench.project.pytest), *OPTIONS]
    for _ in range(2):
        subprocess.run(script, cwd=bench.root, env=env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        bench.wait_until_warm()
    command(bench, *OPTIONS)
    assert bench.status()["last_run"]["served"] == "collected"


def test_an_edit_is_seen_at_once(bench: SmallBench) -> None:
    for _ in range(2):
        command(bench, *OPTIONS)
        bench.wait_until_warm()
    bench.write({"test_a.py": FILES["test_a.py"].replace("[1, 3]", "[1, 2]")})
    edited = command(bench, *OPTIONS)
    assert edited.returncode == 0, edited.stdout
    same(edited, oracle(bench, *OPTIONS))


def test_another_environment(bench: SmallBench) -> None:
    for value in ("one", "two"):
        bench.extra_env["MY_VALUE"] = value
        same(command(bench, *OPTIONS), oracle(bench, *OPTIONS))
        bench.wait_until_warm()


LEFT = {
    "version": ("--version",),
    "unknown option": ("--no-such-option",),
    "without the plugin": ("-p", "no:fastcollect", "-q"),
    "unknown file": ("nothing.py",),
    "switched off": ("--no-fastcollect-auto-daemon", "-q"),
    "markers": ("--markers",),
}


@pytest.mark.parametrize("name", sampled(list(LEFT), 2, always=("without the plugin",)))
def test_what_is_left_to_pytest(name: str, bench: SmallBench) -> None:
    same(command(bench, *LEFT[name]), oracle(bench, *LEFT[name]))


@pytest.mark.parametrize(
    ("args", "env"),
    [
        (("-p", "no:fastcollect"), {}),
        ((), {"PYTEST_ADDOPTS": "-p no:fastcollect"}),
        ((), {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),
    ],
    ids=("option", "variable", "no plugins"),
)
def test_nothing_is_run_to_find_out_what_would_be(
    args: tuple[str, ...], env: dict[str, str], project: MakeProject
) -> None:
    """Where the plugin is not there to stop it, a fork that is only to tell ends all the same."""
    bench = project({
        "conftest.py": """
            import os
            with open("loaded", "a") as file: file.write(f"{os.getpid()}\\n")
        """,
        "test_a.py": "import slow_to_import\ndef test_a(): open('executed', 'a').write('x')\n",
    })  # fmt: skip
    bench.warm_up()
    for name in ("executed", "loaded"):
        (bench.root / name).unlink()
    bench.extra_env.update(env)
    done = command(bench, *args)
    assert done.returncode == 0, done.stdout
    log = bench.fastcollect("logs").stdout
    assert "left to pytest" in log, log
    assert (bench.root / "executed").read_text() == "x"
    assert len((bench.root / "loaded").read_text().split()) == 1


def test_without_a_server(project: MakeProject) -> None:
    """Cold, and one is started: as the plugin does."""
    bench = project(FILES)
    first = command(bench, *OPTIONS)
    same(first, oracle(bench, *OPTIONS))
    assert "Daemon: starting" in first.stdout
    eventually(lambda: bench.status()["state"] != "stopped", "a server that listens")


@pytest.mark.parametrize(
    "number", sampled([signal.SIGINT, signal.SIGTERM, signal.SIGQUIT], 1, always=(signal.SIGINT,))
)
def test_signals(number: signal.Signals, project: MakeProject) -> None:
    bench = project({
        "test_a.py": """
            import pathlib, time
            import slow_to_import
            def test_sleeps(request):
                request.addfinalizer(lambda: pathlib.Path("torn").write_text("down"))
                pathlib.Path("begun").write_text("")
                time.sleep(60)
        """
    })  # fmt: skip
    bench.warm_up("--collect-only")
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    statuses = []
    for start in (
        [str(NATIVE), "run", "-q"],
        [str(bench.project.pytest), "-q", "-p", "no:fastcollect"],
    ):
        for name in ("begun", "torn"):
            (bench.root / name).unlink(missing_ok=True)
        with subprocess.Popen(
            start, cwd=bench.root, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        ) as process:  # fmt: skip
            eventually((bench.root / "begun").exists, "the test's beginning")
            os.kill(process.pid, number)
            output, _ = process.communicate(timeout=HANG)
        torn = (bench.root / "torn").exists()
        statuses.append((process.returncode, torn, "KeyboardInterrupt" in output))
    assert statuses[0] == statuses[1]
    assert bench.served_warm()


def test_killed_caller_takes_its_run_along(project: MakeProject) -> None:
    bench = project({
        "test_a.py": """
            import os, pathlib, time
            import slow_to_import
            def test_sleeps():
                pathlib.Path("pid").write_text(str(os.getpid()))
                time.sleep(60)
        """
    })  # fmt: skip
    bench.warm_up("--collect-only")
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    with subprocess.Popen(
        [str(NATIVE), "run"], cwd=bench.root, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        pid = int(eventually(lambda: _text(bench.root / "pid"), "the test's beginning"))
        process.kill()
    assert ended(pid)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@pytest.mark.long
def test_shim(tmp_path: Path) -> None:
    """In an environment of its own: the command of this one is everybody's."""
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    here = Path(pytest.__file__).parents[1]
    site = next((environment / "lib").glob("python*")) / "site-packages"
    (site / "here.pth").write_text(f"{here}\nimport site; site.addsitedir({str(here)!r})\n")
    directory = environment / "bin"
    shutil.copy2(NATIVE, directory / "fastcollect")
    body = "import sys\nfrom pytest import console_main\nsys.exit(console_main())\n"
    script = f"#!{directory}/python\n{body}"

    def install() -> None:
        """As pip does on an upgrade."""
        (directory / "pytest").unlink(missing_ok=True)
        (directory / "pytest").write_text(script)
        (directory / "pytest").chmod(0o755)

    project = tmp_path / "project"
    project.mkdir()
    (project / "test_a.py").write_text("import sys\ndef test_a(): print(sys.argv[0])\n")
    env = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "FASTCOLLECT"))},
        "FASTCOLLECT_DIR": str(tmp_path / "run"), "FASTCOLLECT": "1",
        "FASTCOLLECT_TOP_LEVEL": str(os.getpid()),
    }  # fmt: skip

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        name, *rest = args
        return subprocess.run([directory / name, *rest], cwd=project, env=env, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL)  # fmt: skip

    install()
    try:
        assert run("fastcollect", "shim").returncode == 0
        assert (directory / "pytest").resolve() == (directory / "fastcollect").resolve()
        assert "already" in run("fastcollect", "shim").stdout
        assert run("pytest", "-q").returncode == 0
        install()
        assert run("pytest", "-q").returncode == 0, "an upgraded pytest"
        assert (directory / "pytest").is_symlink(), "the run has put the shim back"
        assert run("fastcollect", "unshim").returncode == 0
        assert (directory / "pytest").read_text() == script
        assert not (directory / ".fastcollect").exists()
        assert run("pytest", "-q").returncode == 0
    finally:
        run("fastcollect", "stop")
        time.sleep(0)
