"""Draws what `commands.py` and `growth.py` have measured, for the README.

usage: python benchmarks/plot.py

Reads `benchmarks/results/commands.json` and `growth.json`, those that are there, and writes
`docs/images/commands.svg` and `growth.svg`. Needs the group `benchmarks`.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent.resolve()
RESULTS, IMAGES = HERE / "results", HERE.parent / "docs" / "images"
OURS = "#1a7f37"
WRONG = "#cf222e"
OTHERS = "#8c959f"


def draw_commands(data: dict[str, Any], workload: str, row: str) -> None:
    """Bars: who takes how long for one command; red where an answer was wrong."""
    cells = [c for c in data["cells"] if c["workload"] == workload and c["row"] == row]
    cells.sort(key=lambda cell: -statistics.median(cell["ms"]))
    names = [
        c["who"] + (f" ({c['wrong']}/{c['answers']} wrong)" if c["wrong"] else "") for c in cells
    ]
    times = [statistics.median(cell["ms"]) for cell in cells]
    colours = [
        WRONG if c["wrong"] else OURS if c["who"].startswith("ours") else OTHERS for c in cells
    ]
    figure, axes = plt.subplots(figsize=(8, 0.38 * len(cells) + 1.0), layout="constrained")
    bars = axes.barh(names, times, color=colours)
    axes.bar_label(bars, labels=[f"{ms:,.0f} ms" for ms in times], padding=3)
    axes.margins(x=0.12)
    axes.set_title(f"{row} ({workload})", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_visible(False)
    figure.savefig(IMAGES / "commands.svg", metadata={"Date": None})


def draw_growth(data: dict[str, Any]) -> None:
    """Lines: what each thing takes, by the number of tests; both axes logarithmic."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for what in dict.fromkeys(point["what"] for point in data["points"]):
        if what.startswith("server"):
            continue
        points = [point for point in data["points"] if point["what"] == what]
        axes.plot(
            [point["tests"] for point in points], [point["ms"] for point in points],
            marker="o", linestyle="--" if "cold" in what else "-", label=what,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="tests", ylabel="ms")
    axes.legend(fontsize="small")
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(IMAGES / "growth.svg", metadata={"Date": None})


def main() -> None:
    """Draw what there is."""
    matplotlib.rcParams["svg.hashsalt"] = "fastcollect"  # the same picture for the same figures
    commands, growth = RESULTS / "commands.json", RESULTS / "growth.json"
    if commands.exists():
        draw_commands(json.loads(commands.read_text()), "numpy+pandas", "one test, repeated")
    if growth.exists():
        draw_growth(json.loads(growth.read_text()))


if __name__ == "__main__":
    main()
