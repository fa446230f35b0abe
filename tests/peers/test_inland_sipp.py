"""sipp calls Inland."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers import callers
from tests.peers.node import PhoneNode
from tests.peers.sipp import Sipp

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_call_is_answered_and_kept(node: PhoneNode, tmp_path: Path) -> None:
    before = node.sessions()
    async with Sipp(tmp_path, callers.talks(1.0), node.at, service="clinic") as caller:
        assert (await caller.finished()).retransmissions == 0
    history = await node.journal(await node.session(before))
    assert [turn.caller for turn in history.turns] == [""]
    assert history.turns[0].interrupted
