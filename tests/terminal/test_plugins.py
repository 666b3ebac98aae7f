"""Plugins that people use, each with a small suite of its own: warm and equal, or cold by a rule.

`FASTCOLLECT_PLUGINS` names an interpreter where the group `plugins` is installed beside this
checkout (see CONTRIBUTING.md); without it, this interpreter serves, and what it lacks is skipped.
"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support import Shared, SmallBench, eventually, small_bench
from tests.terminal import screens
from tests.terminal.plugins import PLUGINS, Plugin
from tests.terminal.screens import Screen, show

PYTHON = Path(os.environ.get("FASTCOLLECT_PLUGINS", sys.executable))

_ENTRY_POINTS = """
from importlib.metadata import entry_points
print(*{point.name for point in entry_points(group="pytest11")})
"""


@cache
def installed() -> frozenset[str]:
    """Names of the plugins that pytest would load there."""
    done = subprocess.run([PYTHON, "-c", _ENTRY_POINTS], capture_output=True, text=True, check=True)
    return frozenset(done.stdout.split())


@pytest.fixture
def bench(shared: Shared, plugin: Plugin) -> Iterator[SmallBench]:
    """The plugin's project; no other plugins are loaded."""
    missing = set(plugin.entry_points) - installed()
    if missing:
        pytest.skip(f"not installed: {', '.join(sorted(missing))}")
    others = sorted(installed() - {"fastcollect", *plugin.entry_points})
    options = " ".join(f"-p no:{name}" for name in others)
    there = dataclasses.replace(shared, python=PYTHON)
    with small_bench(there, plugin.files, PYTEST_ADDOPTS=options, **plugin.env) as made:
        made.extra_env.update(screens.same_for_both(made))
        yield made


def tidied(screen: Screen, plugin: Plugin) -> Screen:
    output = screen.output
    for pattern in plugin.varies:
        output = re.sub(pattern, "<varies>", output)
    files = {
        name: "<varies>" if name.startswith(plugin.leaves or "\0") else text
        for name, text in screen.files.items()
    }
    if any("/" in name for name in plugin.leaves):  # names of files vary as well
        files = {name: text for name, text in files.items() if text != "<varies>"}
    return dataclasses.replace(screen, output=output, files=files)


@pytest.mark.long
@pytest.mark.parametrize("plugin", PLUGINS.values(), ids=PLUGINS)
def test_plugin(bench: SmallBench, plugin: Plugin) -> None:
    script = f"pytest {plugin.args}" + ("" if plugin.terminal else " 2>&1 < /dev/null | cat")
    # A run that is cold by a rule starts no server: another one does, so that the rule is seen.
    show(bench, script if plugin.served == "warm" else "pytest", cold=False)
    eventually(lambda: screens.status_of(bench), "a server that listens")
    bench.wait_until_warm()
    warm, cold = show(bench, script, cold=False), show(bench, script, cold=True)
    assert plugin.shows in cold.output, cold.output
    if plugin.served == "warm":
        assert warm.warm == 1, (warm.reason, warm.output)
    else:
        assert plugin.served in warm.reason, warm.output
    screens.assert_equal(tidied(warm, plugin), tidied(cold, plugin))
