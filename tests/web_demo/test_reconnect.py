"""The conversation survives its edge."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.fakes.scripted_edge import BEAT
from tests.web_demo.stage import FROM_GERMANY, NOWHERE, SILENCE_MS, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

TURNS = [
    {"number": 1, "caller": "", "agent": "Good morning."},
    {"number": 2, "caller": "I would like to book", "agent": "For which day?"},
]


async def test_dead_edge_leads_to_reconnect_with_resume_token(stage: Stage) -> None:
    call = await stage.call()
    call.say("r1", "Good morning.")
    call.begin("r2")
    call.words("r2", "For which")
    await expect(stage.page.locator(".message.agent")).to_have_count(2)
    stage.other.turns = list(TURNS)
    await stage.edge.die()
    resumed = await stage.connected(stage.other)
    assert resumed.bearer == call.resume_token
    await expect(stage.page.locator(".event.good")).to_contain_text("Remembered: 2 turns")
    await expect(stage.page.locator("#served")).to_contain_text("Dublin")
    await expect(stage.page.locator(".message.agent")).to_have_count(2)
    await expect(stage.page.locator(".message.agent.cut")).to_contain_text("line was cut here")
    resumed.say("r3", "For which day?")
    await expect(stage.page.locator(".message.agent")).to_have_count(3)
    resumed.voice.speaking.set()
    await stage.until("document.getElementById('agent-meter').value > 0.2")
    await resumed.caller_audio()


async def test_same_node_is_tried_first(stage: Stage) -> None:
    call = await stage.call()
    await call.die()
    again = await stage.connected(stage.edge)
    assert again.bearer == call.resume_token
    assert stage.other.offers == 0


async def test_heartbeat_keeps_a_silent_call_where_it_is(stage: Stage) -> None:
    call = await stage.call()
    for _ in range(1 + int(1.5 * SILENCE_MS / 1000 / BEAT)):
        await call.beats.get()
    assert (stage.edge.offers, stage.other.offers) == (1, 0)
    await expect(stage.page.locator(".event")).to_have_count(0)


async def test_new_placement_is_asked_when_no_candidate_answers(stage: Stage) -> None:
    stage.control.offer(stage.edge, verdicts=FROM_GERMANY)
    call = await stage.call()
    stage.control.offer(stage.other, verdicts=FROM_GERMANY)
    await stage.edge.die()
    resumed = await stage.connected(stage.other)
    assert resumed.bearer == call.resume_token
    assert len(stage.control.asked) == 2
    assert stage.control.asked[0] == stage.control.asked[1]


async def test_drill_button_cuts_the_edge_and_the_call_comes_back(stage: Stage) -> None:
    call = await stage.call()
    cut = stage.page.get_by_role("button", name="Cut this edge off")
    await cut.click()
    await call.drilled.wait()
    await stage.connected(stage.edge)
    await expect(stage.page.locator(".event.good")).to_contain_text("The edge went silent. Back")
    await expect(cut).to_be_enabled()


async def test_edge_that_refuses_a_drill_is_not_said_to_be_cut_off(stage: Stage) -> None:
    await stage.call()
    await stage.page.route("**/drill", lambda route: route.fulfill(status=403, body="{}"))
    cut = stage.page.get_by_role("button", name="Cut this edge off")
    await cut.click()
    await expect(stage.page.locator(".event")).to_contain_text("allows no drill")
    await expect(cut).to_be_enabled()


async def test_draining_edge_is_left_for_another_node(stage: Stage) -> None:
    call = await stage.call()
    call.send("inland.call.ended", reason="draining")
    resumed = await stage.connected(stage.other)
    assert resumed.bearer == call.resume_token


async def test_taken_over_call_ends_and_does_not_fight_back(stage: Stage) -> None:
    call = await stage.call()
    call.send("inland.call.ended", reason="taken_over")
    await expect(stage.page.locator("#status")).to_contain_text("another window")
    assert (stage.edge.offers, stage.other.offers) == (1, 0)


async def test_session_that_nobody_knows_ends_the_search(stage: Stage) -> None:
    await stage.call()
    stage.control.refuse(NOWHERE)
    stage.other.refuse_with = NOWHERE.model_copy(
        update={"code": "unknown_session", "status": 404, "regions": ()}
    )
    stage.edge.refuse_with = stage.other.refuse_with
    await stage.edge.silence()
    await expect(stage.page.get_by_role("alert")).to_contain_text("The connection was lost")
    await expect(stage.page.locator("#call-label")).to_have_text("Call again")


async def test_hang_up_while_reconnecting_ends_at_once(stage: Stage) -> None:
    await stage.call()
    await stage.other.stop()
    await stage.edge.die()
    await stage.page.wait_for_selector('body[data-phase="reconnecting"]')
    await stage.page.click("#hangup")
    await expect(stage.page.locator("#status")).to_have_text("You hung up.")
    await expect(stage.page.locator(".event.busy")).to_have_count(0)
