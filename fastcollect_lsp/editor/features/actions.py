"""Code actions for the tests at the cursor: what every client has that shows no lenses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lsprotocol import types

from fastcollect_lsp.editor import command_names as commands
from fastcollect_lsp.editor.features.lenses import entry_of
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer
from fastcollect_lsp.editor.snapshot import Entry, PlainItem

KIND = "source.test"
"""Below `source`: actions of a file, which editors do not offer as repairs of what is marked."""

Command = tuple[str, str, list[str]]
"""Title, name, arguments."""


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""

    options = types.CodeActionOptions(code_action_kinds=[KIND])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    async def code_action(params: types.CodeActionParams) -> list[PlainItem]:
        if not wanted(params.context.only):
            return []
        entry = await entry_of(peer, params.text_document.uri)
        if entry is None:
            return []
        offered = offers(peer, entry, params.range)
        return [action(command, literal=peer.can.action_literals) for command in offered]


def wanted(only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Whether the client asks for actions of our kind (LSP 3.17: kinds are hierarchical)."""
    kinds = [one.value if isinstance(one, types.CodeActionKind) else one for one in only or ()]
    return not kinds or any(not kind or f"{KIND}.".startswith(f"{kind}.") for kind in kinds)


def offers(peer: EditorPeer, entry: Entry, where: types.Range) -> Iterator[Command]:
    """What can be done at this place, likeliest first."""
    items = entry.plain()
    file = items[0]
    tests, classes = at(items, where)
    labels = {item["id"]: item["label"] for item in items}
    can_debug = commands.DEBUG in peer.can.commands or peer.announced
    for ids in [tests, *([nodeid] for nodeid in classes)]:
        if ids:
            name = labels[ids[0]] if len(ids) == 1 else f"{len(ids)} tests"
            yield f"Run {name}", commands.RUN, ids
            if can_debug:
                yield f"Debug {name}", commands.DEBUG, ids
    yield f"Run {file['label']}", commands.RUN_FILE, [file["id"]]
    yield "Run again what was run last", commands.RUN_LAST, []
    if failed := len(peer.results.failed()):
        yield f"Run what failed ({failed})", commands.RUN_FAILED, []
    if any(run.process is not None and not run.hidden for run in peer.host.runs.going.values()):
        yield "Cancel runs", commands.CANCEL, []
    shown = tests or [file["id"]]
    if any(True for nodeid in shown for _ in peer.results.below(nodeid)):
        yield f"Show output of {labels[shown[0]]}", commands.SHOW_OUTPUT, shown
    if peer.host.runs.last is not None:
        yield "Show output of the last run", commands.SHOW_OUTPUT, []


def at(items: Sequence[PlainItem], where: types.Range) -> tuple[list[str], list[str]]:
    """The functions that a range touches, and the classes around it, innermost first."""
    tests: list[str] = []
    classes: list[str] = []
    for item in items:
        if item["kind"] not in ("class", "function") or item.get("uri") != items[0]["uri"]:
            continue
        if "range" not in item or not touches(item["range"], where):
            continue
        (classes if item["kind"] == "class" else tests).append(item["id"])
    return tests, classes[::-1]


def touches(defined: PlainItem, where: types.Range) -> bool:
    """Whether a definition and a range have a line in common."""
    first, last = defined["start"]["line"], defined["end"]["line"]
    return bool(first <= where.end.line and where.start.line <= last)


def action(command: Command, *, literal: bool) -> PlainItem:
    """An LSP `CodeAction`, or the bare `Command` for simple clients."""
    title, name, arguments = command
    bare = {"title": title, "command": name, "arguments": arguments}
    return {"title": title, "kind": KIND, "command": bare} if literal else bare
