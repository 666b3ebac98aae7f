"""The `fastcollect` command."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import __version__, client, protocol, quiet, rendezvous
from .client import Unavailable
from .rendezvous import Place
from .status import Status, from_json, to_json

START_TIMEOUT = 60.0
WARM_TIMEOUT = 600.0
APPEAR_TIMEOUT = 10.0
"""Seconds until a server that has been started listens, at the latest."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; the exit status."""
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command not in {"run", "verify", "collect"}:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    command: Callable[[argparse.Namespace, list[str]], int] = options.handler
    try:
        return command(options, rest)
    except (Unavailable, rendezvous.Unsafe, OSError) as error:
        print(f"fastcollect: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastcollect",
        description="The test server of this project: warm pytest runs, a test tree for editors.",
    )
    parser.add_argument("--version", action="version", version=f"fastcollect {__version__}")
    parser.set_defaults(handler=_no_command(parser))
    commands = parser.add_subparsers(dest="command", metavar="command")

    def add(
        name: str,
        handler: Callable[[argparse.Namespace, list[str]], int],
        text: str,
        **more: bool | str,
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, **more)  # type: ignore[arg-type]
        command.set_defaults(handler=handler)
        return command

    add(
        "run",
        _run,
        "Run pytest with these arguments, warm where possible.",
        add_help=False,
    )
    collect = add(
        "collect",
        _collect,
        "Print the project's node ids. Other arguments are pytest's.",
        usage="fastcollect collect [--static | --diff] [--json] [pytest args...]",
    )
    collect.add_argument("--static", action="store_true", help="without importing anything")
    collect.add_argument(
        "--diff",
        action="store_true",
        help="compare the static scan with pytest; exit 1 on a difference that it did not declare",
    )
    collect.add_argument("--json", action="store_true", help="as JSON")
    start = add("start", _start, "Start the project's server and wait until it is warm.")
    start.add_argument("args", nargs="*", help="paths, as for pytest: what is to be warm")
    add("stop", _stop, "Stop the project's server.")
    restart = add("restart", _restart, "Stop the project's server and start it again.")
    restart.add_argument("args", nargs="*", help="paths, as for pytest: what is to be warm")
    status = add("status", _status, "Show the state of the project's server.")
    status.add_argument("--json", action="store_true", help="as JSON")
    status.add_argument(
        "--why", action="store_true", help="why runs were not served all that was warm"
    )
    status.add_argument(
        "--wait",
        type=float,
        metavar="SECONDS",
        default=0.0,
        help="first wait until nothing is being warmed, this long at most",
    )
    health = add("health", _health, "Look for what is wrong; exit non-zero if anything is.")
    health.add_argument("--json", action="store_true", help="as JSON")
    add(
        "verify",
        _verify,
        "Run pytest with these arguments cold and warm and compare; exit 1 on a difference.",
        add_help=False,
    )
    add("shim", _shim, "Make `pytest` of this environment the native command; see `unshim`.")
    add("unshim", _unshim, "Make `pytest` of this environment pytest's own again.")
    logs = add("logs", _logs, "Print the server's log.")
    logs.add_argument("--path", action="store_true", help="print where it is instead")
    lsp = add("lsp", _lsp, "Speak LSP on stdin and stdout, for editors.")
    lsp.add_argument(
        "--static-only", action="store_true", help="import nothing of the project for this editor"
    )
    lsp.add_argument("--stdio", action="store_true", help="accepted; it is the only way")
    return parser


def _no_command(
    parser: argparse.ArgumentParser,
) -> Callable[[argparse.Namespace, list[str]], int]:
    def show_help(_options: argparse.Namespace, _rest: list[str]) -> int:
        parser.print_help()
        return 2

    return show_help


# --------------------------------------------------------------------------- where


def here(args: Sequence[str] = ()) -> Place:
    """The rendezvous of the project that these pytest arguments belong to, seen from here."""
    from ._core import project_config

    return rendezvous.place(project_config(os.getcwd(), list(args)).root)


def fetch_status(place: Place, wait: float = 0.0) -> Status:
    """The status of the server there, or of its absence. Raises Unavailable."""
    if wait > 0:
        if place.directory.exists():  # somebody has started a server: it may not listen yet
            with contextlib.suppress(Unavailable):
                client.wait_for_server(place, min(wait, APPEAR_TIMEOUT))
        answer = client.ask(place, "warm", timeout=wait + 10.0, patience_s=wait)
    else:
        answer = client.ask(place, "status", timeout=client.DECISION_TIMEOUT)
    if answer is None:
        return Status("stopped", place.root, place.interpreter, __version__)
    try:
        return from_json(answer)
    except (KeyError, TypeError):
        raise Unavailable("a server of another version answers; run: fastcollect restart") from None


def act(action: str, place: Place, args: Sequence[str]) -> int:
    """What `pytest --daemon-ACTION` does. Raises nothing; the exit status."""
    try:
        if action == "start":
            return start(place, args)
        if action == "stop":
            return stop(place)
        if action == "status":
            return show(fetch_status(place), as_json=False, why=False)
        return check(place, as_json=False)
    except (Unavailable, rendezvous.Unsafe, OSError) as error:
        print(f"fastcollect: {error}", file=sys.stderr)
        return 2


# --------------------------------------------------------------------------- commands


def pytest_command() -> list[str]:
    """How pytest is started: the console script of this environment, else `-m pytest`."""
    script = Path(sys.executable).parent / ".fastcollect" / "pytest"  # `fastcollect shim`
    if not script.exists():
        script = Path(sys.executable).parent / "pytest"
    return [sys.executable, str(script)] if script.exists() else [sys.executable, "-m", "pytest"]


def run_command() -> list[str]:
    """How an editor's run is started: by the native command, where that is installed."""
    from . import shim

    native = Path(sys.executable).parent / "fastcollect"
    return [str(native), "run"] if shim.is_native(native) else pytest_command()


def environment() -> dict[str, str]:
    """This process' environment, for an editor's runs; empty where it is too large to travel."""
    environ = dict(os.environ)
    size = sum(len(name) + len(value) for name, value in environ.items())
    return environ if size < protocol.MAX_FRAME // 8 else {}


def _run(_options: argparse.Namespace, rest: list[str]) -> int:
    command = pytest_command()
    if os.environ.get("CI"):
        os.environ.setdefault("FASTCOLLECT", "1")  # who types `fastcollect run` has asked for it
    os.execv(command[0], [*command, *rest])


def _collect(options: argparse.Namespace, rest: list[str]) -> int:
    from .collect import collect_difference, collect_exact, collect_static

    if options.diff:
        return collect_difference(pytest_command(), rest, as_json=options.json)
    if options.static:
        return collect_static(rest, as_json=options.json)
    return collect_exact(pytest_command(), rest, as_json=options.json)


def _start(options: argparse.Namespace, _rest: list[str]) -> int:
    return start(here(options.args), options.args)


def start(place: Place, args: Sequence[str]) -> int:
    """Start the server, let it learn the project's import path, wait until it is warm."""
    from .report import progress

    if client.ask(place, "status", client.DECISION_TIMEOUT) is None:
        client.spawn_server(place)
        client.wait_for_server(place, START_TIMEOUT)
    with progress("collecting") as step:
        learned = _learn(args)
        if learned.returncode not in (0, 1, 5):
            sys.stderr.write(learned.stdout)
        status = _await_warm(place, step)
    show(status, as_json=False, why=False)
    return 0 if status.state == "warm" else 1


def _await_warm(place: Place, step: Callable[[str], None]) -> Status:
    """Wait until everything is warm, saying meanwhile how far that is."""
    from .report import warming_text

    warm = threading.Event()
    began = time.monotonic()

    def look() -> None:
        while not warm.wait(0.2):
            with contextlib.suppress(Unavailable, OSError):
                step(warming_text(fetch_status(place), time.monotonic() - began))

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    try:
        return fetch_status(place, wait=WARM_TIMEOUT)
    finally:
        warm.set()
        looker.join()


def _learn(args: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A real collection in a process of its own: it leaves a record for the server."""
    env = {**os.environ, "FASTCOLLECT": "1", "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    env.pop("PYTEST_VERSION", None)
    return quiet.run([*pytest_command(), "--collect-only", "-q", *args], env)


def _stop(_options: argparse.Namespace, _rest: list[str]) -> int:
    return stop(here())


def stop(place: Place) -> int:
    """Stop the server; 0 also where none runs."""
    stopped = client.stop_server(place, timeout=30.0)
    print("stopped" if stopped else "no server is running here")
    return 0


def _restart(options: argparse.Namespace, _rest: list[str]) -> int:
    place = here(options.args)
    client.stop_server(place, timeout=30.0)
    return start(place, options.args)


def _status(options: argparse.Namespace, _rest: list[str]) -> int:
    return show(fetch_status(here(), options.wait), as_json=options.json, why=options.why)


def show(status: Status, as_json: bool, why: bool) -> int:
    """Print a status."""
    if as_json:
        print(json.dumps(to_json(status)))
    else:
        from .report import print_status

        print_status(status, why)
    return 0


def _health(options: argparse.Namespace, _rest: list[str]) -> int:
    return check(here(), as_json=options.json)


def check(place: Place, as_json: bool) -> int:
    """Print what is wrong and what to do about it; 1 if anything is."""
    from .health import examine
    from .report import print_health

    health = examine(place)
    if as_json:
        print(json.dumps(health.to_json()))
    else:
        print_health(health)
    return 1 if health.findings else 0


def _verify(_options: argparse.Namespace, rest: list[str]) -> int:
    from . import verify
    from .report import print_verification

    project = verify.Project(Path.cwd(), Path(sys.executable))
    env = {**os.environ, "FASTCOLLECT": "1"}
    place = here([arg for arg in rest if not arg.startswith("-")])
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        for _ in range(2):  # the server learns this command line, then that it is repeated
            verify.run(project, rest, env, scratch=scratch)
            fetch_status(place, wait=WARM_TIMEOUT)
        warm = verify.run(project, rest, env, scratch=scratch)
    served = fetch_status(place).last_run
    cold = verify.run_cold(project, rest, env)
    found = verify.differences(cold, warm)
    if found:
        found = verify.compare(cold, warm, verify.run_cold(project, rest, env))
    print_verification(cold, warm, served, found)
    return 1 if found else 0


def _shim(_options: argparse.Namespace, _rest: list[str]) -> int:
    from . import shim

    try:
        print(shim.shim())
    except shim.NotShimmed as error:
        print(f"fastcollect: {error}", file=sys.stderr)
        return 1
    return 0


def _unshim(_options: argparse.Namespace, _rest: list[str]) -> int:
    from . import shim

    print(shim.unshim())
    return 0


def _logs(options: argparse.Namespace, _rest: list[str]) -> int:
    path = here().log
    if options.path:
        print(path)
        return 0
    try:
        sys.stdout.write(path.read_text(errors="replace"))
    except FileNotFoundError:
        print("no server is running here, so there is no log", file=sys.stderr)
        return 1
    return 0


def _lsp(options: argparse.Namespace, _rest: list[str]) -> int:
    from .editor.relay import relay
    from .protocol import Hello

    place = here()
    hello = Hello("editor", __version__, os.getpid(), environ=environment())
    hello = dataclasses.replace(hello, static_only=options.static_only)
    sock = client.open_connection(place, hello, client.DECISION_TIMEOUT)
    if sock is None:
        client.spawn_server(place)
        client.wait_for_server(place, START_TIMEOUT)
        sock = client.open_connection(place, hello, client.DECISION_TIMEOUT)
    if sock is None:
        raise Unavailable("the server ended as soon as it had started; see: fastcollect logs")
    sock.settimeout(None)
    return relay(sock, 0, 1)
