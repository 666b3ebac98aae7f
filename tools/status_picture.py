"""Draws `fastcollect status` of the project here as docs/images/status.svg, for the README."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path

from rich.console import Console

from fastcollect_lsp.cli import fetch_status, here
from fastcollect_lsp.report import print_status

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "status.svg"


def main() -> int:
    """0 where a server is warm, whose picture is drawn."""
    status = fetch_status(here())
    shown = dataclasses.replace(status, root="~/weather", interpreter="~/weather/.venv/bin/python")
    console = Console(
        record=True, width=76, file=io.StringIO(), force_terminal=True, highlight=False
    )
    print_status(shown, why=False, console=console)
    console.save_svg(str(PICTURE), title="fastcollect status")
    return 0 if status.state == "warm" else 1


if __name__ == "__main__":
    sys.exit(main())
