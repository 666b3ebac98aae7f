"""Projects whose imports are odd, beside cold pytest: before, at once after and after an edit."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fastcollect_lsp import verify
from fastcollect_lsp.verify import Project, Result
from tests.conftest import MakeProject
from tests.support import HANG, SmallBench, ended, eventually

LONG = pytest.mark.long
WARM_ONLY = "import os, sys\nWARM = any('fastcollect.zygote' in word for word in sys.orig_argv)\n"


@dataclass(frozen=True)
class Odd:
    """Files that can stand in one project with those of the other cases, and an edit."""

    files: Mapping[str, str]
    edit: Mapping[str, str | None] = field(default_factory=dict)


ODD = {
    "cycle": Odd(
        {
            "cycle_a.py": "import cycle_b\nA = 1\n",
            "cycle_b.py": "import cycle_a\nB = getattr(cycle_a, 'A', 'partial')\n",
            "test_cycle.py": "import cycle_a, cycle_b\n"
            "def test_cycle(): assert (cycle_a.A, cycle_b.B) == (1, 'partial')\n",
        },
        {"cycle_b.py": "B = 'none'\n"},
    ),
    "cycle of three": Odd(
        {
            "three_a.py": "X = 1\nfrom three_b import Y\n",
            "three_b.py": "Y = 2\nfrom three_c import Z\n",
            "three_c.py": "from three_a import X\nZ = X + 2\n",
            "test_three.py": "from three_b import Y, Z\ndef test_3(): assert (Y, Z) == (2, 3)\n",
        },
        {"three_c.py": "from three_a import Y\nZ = 4\n"},
    ),
    "conftest in a cycle": Odd(
        {
            "in_cycle.py": "import conftest\nSEEN = conftest.EARLY, hasattr(conftest, 'LATE')\n",
            "test_in_cycle.py": "import in_cycle, conftest\n"
            "def test_in_cycle(): assert in_cycle.SEEN == (1, False) and conftest.LATE\n",
        },
        {"in_cycle.py": "import conftest\nSEEN = conftest.LATE\n"},
    ),
    "deletes itself": Odd(
        {
            "vanishes.py": "import sys\ndel sys.modules[__name__]\n",
            "test_vanishes.py": "try:\n    import vanishes\nexcept Exception as error:\n"
            "    SAID = repr(error)\ndef test_vanishes(): assert SAID == ''\n",
        },
        {"vanishes.py": "import sys\nsys.modules.pop(__name__)\nraise RuntimeError('edited')\n"},
    ),
    "imported twice": Odd(
        {
            "numbers_given.py": "from itertools import count\nNEXT = count()\n",
            "twice.py": "import numbers_given\nNUMBER = next(numbers_given.NEXT)\n",
            "test_twice.py": "import sys, twice\nfirst = twice\ndel sys.modules['twice']\n"
            "import twice\n"
            "def test_twice():\n"
            "    assert (first.NUMBER, twice.NUMBER) == (0, 1)\n"
            "    assert sys.modules['twice'] is twice is not first\n",
        },
        {"twice.py": "NUMBER = 7\n"},
    ),
    "replaces itself": Odd(
        {
            "replaced.py": "import sys\nclass Proxy:\n"
            "    def __getattr__(self, name): return name.upper()\n"
            "sys.modules[__name__] = Proxy()\n",
            "test_replaced.py": "import replaced\nfrom replaced import word\n"
            "def test_replaced(): assert (replaced.thing, word) == ('THING', 'WORD')\n",
        },
        {"replaced.py": "thing = word = 1\n"},
    ),
    "two names": Odd(
        {
            "both/__init__.py": "",
            "both/named.py": "LIST = []\n",
            "test_both.py": "import sys, os\n"
            "sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'both'))\n"
            "import named, both.named\n"
            "def test_both():\n"
            "    named.LIST.append(1)\n"
            "    assert both.named.LIST == [] and named.__name__ == 'named'\n",
        },
        {"both/named.py": "LIST = both = [1]\n"},
    ),
    "reload": Odd(
        {
            "counted.py": "COUNT = globals().get('COUNT', 0) + 1\n",
            "test_reload.py": "import importlib, counted\nimportlib.reload(counted)\n"
            "def test_reload():\n"
            "    assert counted.COUNT == 2\n"
            "    assert importlib.reload(counted).COUNT == 3\n",
        },
        {"counted.py": "COUNT = 2\n"},
    ),
    "reload in a test": Odd(
        {
            "once.py": "COUNT = globals().get('COUNT', 0) + 1\n",
            "test_once.py": "import importlib, once\n"
            "def test_once():\n"
            "    assert once.COUNT == 1\n"
            "    assert importlib.reload(once) is once and once.COUNT == 2\n",
        },
        {"once.py": "COUNT = 1\n"},
    ),
    "import from the working directory": Odd(
        {
            "test_chdir.py": "import sys\n"
            "def test_chdir(tmp_path, monkeypatch):\n"
            "    (tmp_path / 'beside.py').write_text('WHERE = __file__')\n"
            "    monkeypatch.chdir(tmp_path)\n"
            "    monkeypatch.syspath_prepend('')\n"
            "    import beside\n"
            "    assert beside.WHERE == str(tmp_path / 'beside.py')\n",
        },
        {
            "beside.py": "WHERE = 'project'\n",
            "test_beside.py": "import beside\ndef test_b(): assert beside.WHERE == 'project'\n",
        },
    ),
    "path edited by a test": Odd(
        {
            "hidden/found.py": "VALUE = 1\n",
            "test_path.py": "import sys, os, pytest\n"
            "def test_before():\n"
            "    with pytest.raises(ImportError): import found\n"
            "def test_path():\n"
            "    sys.path.append(os.path.join(os.path.dirname(__file__), 'hidden'))\n"
            "    import found\n"
            "    assert found.VALUE == 1\n",
        },
        {"hidden/found.py": "VALUE = 2\n"},
    ),
    "namespace package": Odd(
        {
            "left/spread/a.py": "VALUE = 'a'\n",
            "right/spread/b.py": "VALUE = 'b'\n",
            "test_spread.py": "import sys, os\nfor name in ('left', 'right'):\n"
            "    sys.path.append(os.path.join(os.path.dirname(__file__), name))\n"
            "import spread.a, spread.b\n"
            "def test_spread(): assert len(spread.__path__) == 2 and spread.b.VALUE == 'b'\n",
        },
        {"left/spread/b.py": "VALUE = 'shadow'\n"},
    ),
    "same basename in packages": Odd(
        {
            "p1/__init__.py": "",
            "p1/test_same.py": "def test_1(): assert __name__ == 'p1.test_same'\n",
            "p2/__init__.py": "",
            "p2/test_same.py": "def test_2(): assert __name__ == 'p2.test_same'\n",
        },
        {"p2/test_same.py": "def test_2(): assert __name__ == 'p1.test_same'\n"},
    ),
    "same basename without packages": Odd(
        {
            "d1/test_base.py": "def test_1(): pass\n",
            "d2/test_base.py": "def test_2(): pass\n",
        },
        {"d2/__init__.py": ""},
    ),
    "forks at import": Odd(
        {
            "forks.py": "import os\npid = os.fork()\nif pid == 0: os._exit(0)\n"
            "STATUS = os.waitpid(pid, 0)[1]\n",
            "test_forks.py": "import forks\ndef test_forks(): assert forks.STATUS == 0\n",
        },
        {"forks.py": "STATUS = 1\n"},
    ),
    "ends the warm process": Odd(
        {
            "ends.py": WARM_ONLY + "if WARM: os._exit(0)\nVALUE = 1\n",
            "test_ends.py": "import ends\ndef test_ends(): assert ends.VALUE == 1\n",
        },
        {"ends.py": "VALUE = 2\n"},
    ),
    "raises in the warm process": Odd(
        {
            "raises.py": WARM_ONLY + "if WARM: raise SystemExit(3)\nVALUE = 1\n",
            "test_raises.py": "import raises\ndef test_raises(): assert raises.VALUE == 1\n",
        },
        {"raises.py": "VALUE = 2\n"},
    ),
    "lazy attributes": Odd(
        {
            "lazily/__init__.py": "import importlib\n"
            "def __getattr__(name): return importlib.import_module('lazily.' + name)\n",
            "lazily/part.py": "VALUE = 1\n",
            "test_lazily.py": "import sys, lazily\n"
            "def test_lazily():\n"
            "    assert 'lazily.part' not in sys.modules\n"
            "    assert lazily.part.VALUE == 1\n",
        },
        {"lazily/part.py": "VALUE = 2\n"},
    ),
}
CONFTEST = {"conftest.py": "import slow_to_import\nEARLY = 1\nimport in_cycle\nLATE = 1\n"}


def right(bench: SmallBench, *args: str) -> None:
    """Before, at once after and later after an edit that has just been made."""
    at_once = bench.compare(args)
    assert not at_once.differences, at_once.differences[-1]
    bench.wait_until_warm()
    after = bench.compare_warm(*args)
    assert not after.differences, after.differences[-1]


def edited(bench: SmallBench, edit: Mapping[str, str | None], *args: str) -> None:
    """Warm; the edit; at once after it; later."""
    bench.warm_up(*args)
    before = bench.compare_warm(*args)
    assert not before.differences, before.differences[-1]
    bench.write(edit)
    right(bench, *args)
    changed = verify.differences(before.cold, bench.cold(*args))
    assert changed or not edit, "the edit changes nothing: no test"


@pytest.mark.parametrize(
    "mode", ["prepend", pytest.param("append", marks=LONG), pytest.param("importlib", marks=LONG)]
)
def test_all_in_one_project(mode: str, project: MakeProject) -> None:
    files = {name: text for odd in ODD.values() for name, text in odd.files.items()}
    edits = {name: text for odd in ODD.values() for name, text in odd.edit.items()}
    options = ("-o", "pythonpath=.", f"--import-mode={mode}", "-rA")
    edited(project({**CONFTEST, **files}), edits, *options)


@LONG
@pytest.mark.parametrize("name", ODD)
def test_odd(name: str, project: MakeProject) -> None:
    files = {**CONFTEST, **ODD["conftest in a cycle"].files, **ODD[name].files}
    edited(project(files), ODD[name].edit, "-rA")


CONFTESTS = {
    "forks": "import os\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)\n",
    "ends the warm process": WARM_ONLY + "if WARM: os._exit(0)\n",
    "raises in the warm process": WARM_ONLY + "if WARM: raise RuntimeError\n",
    "sleeps in the warm process": WARM_ONLY + "import time\nif WARM: time.sleep(60)\n",
}


@LONG
@pytest.mark.parametrize("name", CONFTESTS)
def test_conftest(name: str, project: MakeProject) -> None:
    """One that misbehaves where it is imported ahead of time: a run does not wait for it."""
    conftest = f"import slow_to_import\n{CONFTESTS[name]}VALUE = 1\n"
    bench = project(
        {
            "conftest.py": conftest,
            "test_a.py": "import conftest\ndef test_a(): assert conftest.VALUE == 1\n",
        }
    )
    bench.pytest()
    eventually(lambda: bench.status()["state"] != "stopped", "a server that listens")
    if not name.startswith("sleeps"):
        bench.wait_until_warm()
    for text in (conftest, conftest.replace("VALUE = 1", "VALUE = 2")):
        bench.write({"conftest.py": text})
        compared = bench.compare()
        assert not compared.differences, compared.differences[-1]
        assert len(compared.cold.outcomes) == 1
    server = bench.server_pid()
    assert bench.fastcollect("stop").returncode == 0
    assert ended(server)


PLAIN = {
    "conftest.py": "import slow_to_import\n",
    "product.py": "VALUE = 1\n",
    "test_a.py": "import product\ndef test_a(): assert product.VALUE == 1\n"
    "def test_where(): print(__file__, product.__file__)\n",
}
EDIT = {"product.py": "VALUE = 2\n"}


@LONG
def test_symbolic_link_to_the_project(project: MakeProject) -> None:
    bench = project(PLAIN)
    link = bench.root.parent / "link"
    link.symlink_to(bench.root)
    bench.project = Project(link, bench.project.python)
    edited(bench, EDIT, "-rA")


@LONG
def test_renamed_project(project: MakeProject) -> None:
    """Another project has taken its name; and it has taken the name of none."""
    bench = project(PLAIN)
    bench.warm_up("-rA")
    moved = bench.root.parent / "moved"
    bench.root.rename(moved)
    bench.write({**PLAIN, **EDIT})
    right(bench, "-rA")
    bench.project = Project(moved, bench.project.python)
    edited(bench, EDIT, "-rA")
    bench.fastcollect("stop")
    bench.project = Project(moved.parent / "project", bench.project.python)


@LONG
def test_names_that_are_not_utf_8(project: MakeProject) -> None:
    """A test file, a directory of modules, and a file that is read at import."""
    bench = project(
        {
            **PLAIN,
            "test_data.py": "import os, sys\nHERE = os.path.dirname(os.fsencode(__file__))\n"
            "sys.path.append(os.fsdecode(HERE + b'/m\\xff'))\n"
            "import inside\nDATA = open(HERE + b'/d\\xff').read()\n"
            "def test_data(): assert (inside.VALUE, DATA) == (1, '1')\n",
        }
    )

    def write(name: bytes, text: str) -> None:
        path = Path(os.fsdecode(os.fsencode(bench.root) + name))
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    write(b"/d\xff", "1")
    write(b"/m\xff/inside.py", "VALUE = 1\n")
    bench.warm_up()
    before = bench.compare_warm()
    assert not before.differences, before.differences[-1]
    for name, text in ((b"/d\xff", "2"), (b"/m\xff/inside.py", "VALUE = 3\n")):
        write(name, text)
        right(bench)
    # pytest cannot write such a name into a report.
    write(b"/test_\xff.py", "def test_odd(): assert 0\n")
    for _ in range(2):
        options = ("-p", "no:fastcollect"), ()
        cold, warm = (_without_report(bench, *option) for option in options)
        assert not verify.differences(cold, warm), verify.differences(cold, warm)[-1]
        assert "UnicodeEncodeError" in cold.output
        bench.wait_until_warm()


def _without_report(bench: SmallBench, *args: str) -> Result:
    env = {**bench.env, "FASTCOLLECT_TOP_LEVEL": str(os.getpid())}
    done = subprocess.run(
        [*bench.command, *args], cwd=bench.root, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=HANG,
    )  # fmt: skip
    return Result(done.returncode, done.stdout.decode("utf-8", "backslashreplace"), (), 0.0)


@LONG
def test_permissions(project: MakeProject) -> None:
    bench = project(PLAIN)
    bench.warm_up()
    for mode in (0o000, 0o644, 0o755):
        (bench.root / "product.py").chmod(mode)
        at_once = bench.compare()
        assert not at_once.differences, at_once.differences[-1]
    bench.wait_until_warm()
    right(bench)


@LONG
def test_path_file_added_to_the_environment(project: MakeProject, tmp_path: Path) -> None:
    """A package that is installed in editable mode between two runs, and one that shadows."""
    bench = project(
        {
            "conftest.py": "import slow_to_import\n",
            "test_a.py": "try:\n    import added\nexcept ImportError:\n    added = None\n"
            "def test_a(): assert added and added.VALUE == 1\n",
        }
    )
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    outer = sysconfig.get_path("purelib")
    (site / "outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n")
    script = environment / "bin" / "pytest"
    _, body = bench.project.pytest.read_text().split("\n", 1)
    script.write_text(f"#!{environment}/bin/python\n{body}")
    script.chmod(0o755)
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "added.py").write_text("VALUE = 1\n")
    bench.project = Project(bench.root, environment / "bin" / "python")
    try:
        bench.warm_up()
        (site / "added.pth").write_text(f"{sources}\n")
        right(bench)
        (site / "added.py").write_text("VALUE = 2\n")
        right(bench)
        (site / "added.py").unlink()
        (site / "added.pth").unlink()
        right(bench)
    finally:
        bench.fastcollect("stop")


@LONG
def test_a_thousand_files(project: MakeProject) -> None:
    files = {
        f"d{number % 10}/test_{number}.py": f"def test_{number}(): assert {number} % 7\n"
        for number in range(1000)
    }
    bench = project({**PLAIN, **files})
    edited(bench, {"d3/test_3.py": "def test_new(): pass\n"}, "-q", "--tb=no")


@LONG
def test_import_that_writes_a_counter(project: MakeProject) -> None:
    """A conftest that fails whenever it is imported the second time."""
    bench = project(
        {
            "counter": "0",
            "conftest.py": "import pathlib, slow_to_import\n"
            "path = pathlib.Path(__file__).with_name('counter')\n"
            "count = int(path.read_text()) + 1\n"
            "path.write_text(str(count))\n"
            "if count % 2 == 0: raise RuntimeError('the second time')\n",
            "test_a.py": "def test_a(): pass\n",
        }
    )
    counter = bench.root / "counter"
    bench.pytest()
    eventually(lambda: bench.status()["state"] != "stopped", "a server that listens")
    bench.wait_until_warm()
    for count in ("0", "1", "2"):
        counter.write_text(count)
        warm = bench.pytest()
        bench.wait_until_warm()
        counter.write_text(count)
        cold = bench.cold()
        found = verify.differences(cold, warm)
        assert not found, found[-1]
