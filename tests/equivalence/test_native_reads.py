"""What C code reads at import is an input, too, though Python does not hear of it."""

from __future__ import annotations

from harness import DEEPEST

from tests.conftest import MakeProject
from tests.support import SLOW

READER = """
import ctypes, os
LIBRARY = ctypes.CDLL(None)
LIBRARY.fopen.restype = ctypes.c_void_p
LIBRARY.fgets.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
LIBRARY.fclose.argtypes = [ctypes.c_void_p]

def read(path):
    file = LIBRARY.fopen(os.fsencode(path), b"r")
    line = ctypes.create_string_buffer(100)
    LIBRARY.fgets(line, 100, file)
    LIBRARY.fclose(file)
    return line.value.decode()
"""


def test_file_read_by_c_code(project: MakeProject) -> None:
    bench = project(
        {
            "conftest.py": f"import {SLOW}\n",
            "reader.py": READER,
            "data/values.dat": "1",
            "data/other.dat": "1",
            "test_values.py": """
                import os, reader
                VALUE = reader.read(os.path.join(os.path.dirname(__file__), "data", "values.dat"))
                def test_value(): assert VALUE == "1"
            """,
        }
    )
    bench.warm_up()
    assert not bench.compare_warm().differences
    assert [point["left_out"] for point in bench.status()["checkpoints"]][-1] == []

    (bench.root / "data/other.dat").write_text("2")  # not read: nothing depends on it
    same = bench.compare_warm()
    assert not same.differences
    assert same.served["checkpoint"] in DEEPEST

    (bench.root / "data/values.dat").write_text("2")
    at_once = bench.compare()
    assert not at_once.differences, at_once.differences[-1]
    assert at_once.cold.exit == 1
    bench.wait_until_warm()
    warm = bench.compare_warm()
    assert not warm.differences, warm.differences[-1]
