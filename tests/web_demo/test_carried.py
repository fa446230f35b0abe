"""The page takes the conversation to another region when its own is gone or may not have it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from control_plane.contract import Problem
from tests.fakes.scripted_edge import ScriptedCall
from tests.web_demo.stage import FROM_GERMANY, Stage
from tests.web_demo.test_reconnect import TURNS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


async def carrying(stage: Stage, *regions: str) -> ScriptedCall:
    """A call whose page was given a replica for ``regions``."""
    stage.edge.carry = stage.other.carry = True
    stage.other.turns = list(TURNS)
    call = await stage.call()
    await call.next_event("inland.carry")
    call.say("r1", "Good morning.")
    call.replicate(1, *regions)
    call.replicate(2, *regions)
    await expect(stage.page.locator(".message.agent")).to_have_count(1)
    return call


async def test_a_lost_region_is_left_for_another_with_all_that_was_said(stage: Stage) -> None:
    await carrying(stage, "eu-west-1")
    await stage.edge.die()
    moved = await stage.connected(stage.other)
    assert (moved.bearer, moved.replica) == ("route-token", "sealed 2.1;sealed 2.2;")
    await moved.next_event("inland.carry")
    told = stage.page.locator(".event.good")
    await expect(told).to_contain_text("moved from Frankfurt to Dublin")
    await expect(told).to_contain_text("Remembered: 2 turns")
    await expect(stage.page.locator("#served")).to_contain_text("Dublin")
    assert len(stage.control.asked) == 2, "another region wants a token that is fresh"


async def test_a_region_that_may_not_have_the_call_sends_it_on(stage: Stage) -> None:
    call = await carrying(stage, "eu-west-1")
    stage.control.offer(stage.other, verdicts=FROM_GERMANY)
    call.send("inland.call.move", number=2, reason="policy")
    assert (await call.next_event("inland.call.moving"))["number"] == 2
    moved = await stage.connected(stage.other)
    assert moved.replica == "sealed 2.1;sealed 2.2;"
    await expect(stage.page.locator(".event.good")).to_contain_text("The rules changed")
    assert stage.edge.offers == 1, "the old region is not asked again"


async def test_nothing_is_brought_where_it_is_not_sealed_for(stage: Stage) -> None:
    await carrying(stage, "ap-south-1")
    gone = Problem(code="unknown_session", title="Gone", status=404, detail="Call anew.")
    stage.edge.refuse_with = gone
    await stage.edge.silence()
    await expect(stage.page.get_by_role("alert")).to_contain_text("The connection was lost")
    assert stage.other.offers == 0


async def test_a_move_that_leads_nowhere_says_that_the_rules_changed(stage: Stage) -> None:
    call = await carrying(stage, "eu-west-1")
    used = Problem(code="replica_used", title="Used", status=409, detail="Call anew.")
    stage.other.refuse_with = used
    call.send("inland.call.move", number=2, reason="policy")
    await call.next_event("inland.call.moving")
    await expect(stage.page.locator("#status")).to_contain_text("The rules on where")
    assert stage.other.offers == 1
