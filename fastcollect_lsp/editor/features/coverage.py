"""What runs of kind `coverage` have measured: `fastcollect/coverage`."""

from __future__ import annotations

import asyncio

from fastcollect_lsp import coverage
from fastcollect_lsp.editor import wire
from fastcollect_lsp.editor.features.running import RunFailed
from fastcollect_lsp.editor.peer import EditorPeer
from fastcollect_lsp.editor.rpc import EditorServer, PlainParams, params_of
from fastcollect_lsp.run import Refused

COVERAGE = "fastcollect/coverage"


def register(server: EditorServer, peer: EditorPeer) -> None:
    """Add the methods of this module to a connection."""

    @server.feature(COVERAGE)
    async def coverage_of(params: PlainParams) -> wire.CoverageResult:
        asked = params_of(wire.CoverageParams, params)
        try:
            measured = await peer.host.runs.coverage_of(asked.runId)
        except Refused as refused:
            raise RunFailed(str(refused)) from None
        return await asyncio.to_thread(coverage.answer, measured, asked.uri, asked.testId)
