"""Random generators that libraries make at import."""

from __future__ import annotations

from pathlib import Path

from harness import WARM

from tests.conftest import MakeProject


def test_a_librarys_own_generator_draws_anew_in_each_run(
    project: MakeProject, tmp_path: Path
) -> None:
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "dice.py").write_text(
        "import random, slow_to_import\n"
        "RANDOM = random.Random()\nSEEDED = random.Random(7)\n"
        "def throw(): return RANDOM.random(), SEEDED.random()\n"
    )
    out = tmp_path / "drawn"
    bench = project(
        {
            "conftest.py": f"import sys\nsys.path.insert(0, {str(library)!r})\nimport dice\n",
            "test_a.py": f"""\
                import dice
                def test_a():
                    with open({str(out)!r}, "a") as file:
                        print(*dice.throw(), file=file)
            """,
        }
    )
    bench.warm_up()
    for _ in range(2):
        bench.pytest()
        status = bench.status()
        assert status["last_run"]["served"] in WARM
        assert not any(point["left_out"] for point in status["checkpoints"]), status
    drawn = [line.split() for line in out.read_text().splitlines()]
    assert len(drawn) == 3
    assert len({own for own, _ in drawn}) == 3
    assert len({seeded for _, seeded in drawn}) == 1


def test_what_is_drawn_beside_the_import_of_a_library_is_drawn_in_each_run(
    project: MakeProject, tmp_path: Path
) -> None:
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "dice.py").write_text("SIDES = 6\n")
    bench = project(
        {
            "conftest.py": f"import slow_to_import, sys\nsys.path.insert(0, {str(library)!r})\n",
            "test_a.py": """\
                import random
                BEFORE = random.random()
                import dice
                def test_a(): print(f"<{BEFORE}>")
            """,
        }
    )
    bench.warm_up()
    drawn = set()
    for _ in range(3):
        drawn.add(bench.pytest("-rP").output.partition("<")[2].partition(">")[0])
        assert bench.status()["last_run"]["served"] in WARM
        bench.wait_until_warm()
    assert len(drawn) == 3
