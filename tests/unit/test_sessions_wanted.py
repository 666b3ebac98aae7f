"""Which sessions are to be collected: the pure part of it."""

from __future__ import annotations

from fastcollect_lsp.sessions import Sessions


def test_nothing_is_wanted() -> None:
    """Also for the moment in which a command is put in its place, while another thread looks."""
    sessions = Sessions({}, lambda _: None, lambda _: None, lambda: None, lambda: False)
    assert sessions._missing() == ([], None)
