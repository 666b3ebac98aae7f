"""Files that an interpreter has followed at its start, and that are others by the time it looks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_fastcollect.startup import startup_state

LOOK = """\
import os, sys
from pathlib import Path
from pytest_fastcollect.startup import changed_since_start
place = Path(sys.argv[1])
assert str(place) in sys.path
exec(sys.argv[2])
print(changed_since_start())
"""
CHANGES = {
    "nothing": ("pass", None),
    "edited": ("(place / 'a.pth').write_text('/b')", "a.pth"),
    "touched": ("os.utime(place / 'a.pth', (0, 0))", "a.pth"),
    "replaced": ("(place / 'n').write_text(''); os.replace(place / 'n', place / 'a.pth')", "a.pth"),
    "new": ("(place / 'b.pth').write_text('/b')", "b.pth"),
    "gone": ("(place / 'a.pth').unlink()", ""),
    "customized": ("(place / 'sitecustomize.py').write_text('A = 2')", "sitecustomize.py"),
    "imported from": ("(place / '__pycache__').mkdir()", None),
    "a library, edited": ("(place / 'library.py').write_text('A = 2')", None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_has_changed(name: str, tmp_path: Path) -> None:
    place = tmp_path / "site-packages"
    place.mkdir()
    for file, text in {"a.pth": "/a", "sitecustomize.py": "A = 1", "library.py": "A = 1"}.items():
        (place / file).write_text(text)
    age = tmp_path / "age"
    age.touch()
    while age.stat().st_ctime_ns - place.stat().st_ctime_ns < 100_000_000:  # ticks of 10 ms
        age.touch()
    change, expected = CHANGES[name]
    search_path = os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = subprocess.run(
        [sys.executable, "-B", "-c", LOOK, place, change],
        env={**os.environ, "PYTHONPATH": search_path}, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert found.strip() == (str(expected) if expected is None else str(place / expected))


def test_directory_that_a_path_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that started before it was made has another `sys.path` than one that starts now."""
    place, late = tmp_path / "site-packages", tmp_path / "late"
    place.mkdir()
    (place / "a.pth").write_text(f"{late}\n")
    monkeypatch.syspath_prepend(place)
    absent = startup_state({})
    late.mkdir()
    present = startup_state({})
    assert absent != present
    late.rmdir()
    assert startup_state({}) == absent
