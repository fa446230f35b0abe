"""What a caller sees of a call, in a real browser."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.fakes.scripted_edge import HANG_SECONDS
from tests.web_demo.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


async def test_call_carries_the_choice_and_shows_who_serves(stage: Stage) -> None:
    await stage.page.select_option("#country", "FR")
    call = await stage.call()
    assert call.bearer == "route-token"
    assert stage.control.asked == [{"agent": "clinic-reception", "country": "FR"}]
    assert stage.control.keys == ["pk_demo_clinic"]
    served = stage.page.locator("#served")
    await expect(served).to_contain_text("Frankfurt")
    await expect(served).to_contain_text("Germany · European Economic Area")
    await expect(stage.page.locator("#session-id")).to_have_text("s_0123456789abcdefghijkl")


async def test_other_tenant_is_called_with_its_own_key_and_agent(stage: Stage) -> None:
    await stage.page.get_by_label("Lotus Bank").check()
    await stage.call()
    assert stage.control.asked == [{"agent": "bank-desk", "country": "DE"}]
    assert stage.control.keys == ["pk_demo_bank"]


async def test_caller_audio_reaches_the_edge_and_moves_the_meter(stage: Stage) -> None:
    call = await stage.call()
    await call.caller_audio()
    await stage.until("document.getElementById('mic-meter').value > 0.2")


async def test_agent_audio_is_played_and_moves_the_meter(stage: Stage) -> None:
    call = await stage.call()
    call.begin("r1")
    await stage.until("document.getElementById('agent-meter').value > 0.2")
    await stage.until("!document.getElementById('agent-audio').paused")


async def test_partial_words_become_the_final_transcript(stage: Stage) -> None:
    call = await stage.call()
    words = stage.page.locator(".message.caller .words")
    call.partial("i1", "i would")
    await expect(words).to_have_text("i would")
    await expect(stage.page.locator(".message.caller.partial")).to_have_count(1)
    call.partial("i1", "i would like a book")
    await expect(words).to_have_text("i would like a book")
    call.final("i1", "I would like to book")
    await expect(words).to_have_text("I would like to book")
    await expect(stage.page.locator(".message.caller.partial")).to_have_count(0)


async def test_words_that_were_not_understood_say_so(stage: Stage) -> None:
    call = await stage.call()
    call.final("i1", "purple", understood=False)
    await expect(stage.page.locator(".message.caller")).to_contain_text("not understood")


async def test_agent_words_appear_as_they_are_played(stage: Stage) -> None:
    call = await stage.call()
    words = stage.page.locator(".message.agent .words")
    call.begin("r1")
    call.words("r1", "Good")
    await expect(words).to_have_text("Good")
    call.words("r1", " morning,")
    await expect(words).to_have_text("Good morning,")
    call.finish("r1", "Good morning,")
    await expect(stage.page.locator(".message.agent.partial")).to_have_count(0)


async def test_words_cut_off_by_barge_in_are_struck(stage: Stage) -> None:
    call = await stage.call()
    call.begin("r1")
    call.words("r1", "We are open from nine to five")
    call.finish("r1", "We are open", status="cancelled")
    answer = stage.page.locator(".message.agent.cut")
    await expect(answer.locator("s")).to_have_text("from nine to five")
    await expect(answer).to_contain_text("you spoke over this")


async def test_screen_reader_is_told_final_words_only(stage: Stage) -> None:
    call = await stage.call()
    announced = stage.page.locator("#announce")
    call.partial("i1", "tues")
    await expect(stage.page.locator(".message.caller .words")).to_have_text("tues")
    await expect(announced).to_have_text("")
    call.final("i1", "Tuesday")
    await expect(announced).to_have_text("You: Tuesday")
    live = await stage.page.locator("[aria-live], [role=status], [role=alert], [role=log]").all()
    assert [await node.get_attribute("id") for node in live] == ["status", "notice", "announce"]


async def test_tool_call_is_a_card_with_its_result(stage: Stage) -> None:
    call = await stage.call()
    call.call_tool("t1", "book_appointment", {"day": "Tuesday", "time": "10:30"})
    card = stage.page.locator(".tool")
    await expect(card).to_contain_text("Book appointment")
    await expect(card).to_contain_text("10:30")
    await expect(card.locator(".badge")).to_have_text("Working")
    call.tool_result("t1", "book_appointment", True, {"reference": "A-17"})
    await expect(card.locator(".badge")).to_have_text("Done")
    await expect(card).to_contain_text("A-17")


async def test_timings_belong_to_the_answer_they_came_with(stage: Stage) -> None:
    call = await stage.call()
    call.say("r1", "Good morning.")
    call.begin("r2")
    call.timings(2, 120, 8, 14, 31, 19)
    call.words("r2", "Certainly.")
    call.finish("r2", "Certainly.")
    answers = stage.page.locator(".message.agent")
    await expect(answers.nth(1).locator(".total")).to_have_text("Answered in 192 ms")
    await expect(answers.nth(1).locator(".legend")).to_contain_text("Recognise8 ms")
    await expect(answers.nth(0).locator(".timings")).to_have_count(0)


async def test_typed_words_are_sent_and_shown_once(stage: Stage) -> None:
    call = await stage.call()
    await stage.page.fill("#text", "I need help")
    await stage.page.press("#text", "Enter")
    sent = await call.next_event("conversation.item.create")
    assert sent["item"]["content"] == [{"type": "input_text", "text": "I need help"}]
    call.final("i1", "i need help")
    call.say("r1", "Of course.")
    await expect(stage.page.locator(".message.agent")).to_have_count(1)
    await expect(stage.page.locator(".message.caller")).to_have_count(1)


async def test_markup_in_words_stays_text(stage: Stage) -> None:
    call = await stage.call()
    call.final("i1", "<img src=x onerror=alert(1)>")
    words = stage.page.locator(".message.caller .words")
    await expect(words).to_have_text("<img src=x onerror=alert(1)>")
    await expect(stage.page.locator(".message img")).to_have_count(0)


KEEP_ACCOUNT = """() => {
  window.peers = []; window.contexts = []; window.tracks = [];
  const kept = (list, Made) => class extends Made {
    constructor(...given) { super(...given); list.push(this); }
  };
  window.RTCPeerConnection = kept(window.peers, RTCPeerConnection);
  window.AudioContext = kept(window.contexts, AudioContext);
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (what) => {
    const stream = await ask(what);
    window.tracks.push(...stream.getTracks());
    return stream;
  };
}"""
ACCOUNT = """JSON.stringify([
  window.peers.map((peer) => peer.signalingState),
  window.contexts.map((context) => context.state),
  window.tracks.map((track) => track.readyState),
])"""


async def account(stage: Stage, *, peers: int, contexts: int, tracks: int) -> None:
    """Returns when the page has made so many of each, and closed every one."""
    over = [["closed"] * peers, ["closed"] * contexts, ["ended"] * tracks]
    await stage.until(f"{ACCOUNT} === JSON.stringify({over})")


async def test_hang_up_tells_the_edge_and_leaves_nothing_open(stage: Stage) -> None:
    await stage.page.evaluate(KEEP_ACCOUNT)
    call = await stage.call()
    await stage.page.click("#hangup")
    await asyncio.wait_for(call.deleted.wait(), HANG_SECONDS)
    await expect(stage.page.locator("#status")).to_have_text("You hung up.")
    await account(stage, peers=1, contexts=1, tracks=1)


async def test_call_by_typing_leaves_nothing_open(stage: Stage) -> None:
    await stage.page.evaluate(KEEP_ACCOUNT)
    await stage.page.click("#call-typing")
    call = await stage.connected(stage.edge)
    call.send("inland.call.ended", reason="completed")
    await expect(stage.page.locator("#call-label")).to_have_text("Call again")
    await account(stage, peers=1, contexts=2, tracks=0)


async def test_second_call_starts_with_a_clean_page(stage: Stage) -> None:
    call = await stage.call()
    call.say("r1", "Good morning.")
    await expect(stage.page.locator(".message")).to_have_count(1)
    await stage.page.click("#hangup")
    again = await stage.call()
    again.say("r1", "Good evening.")
    await expect(stage.page.locator(".message .words")).to_have_text("Good evening.")


async def test_page_that_is_closed_hangs_up(stage: Stage) -> None:
    call = await stage.call()
    await stage.page.goto("about:blank")
    await asyncio.wait_for(call.deleted.wait(), HANG_SECONDS)


async def test_mute_silences_the_track_and_says_so(stage: Stage) -> None:
    await stage.call()
    mute = stage.page.locator("#mute")
    await mute.click()
    await expect(mute).to_have_attribute("aria-pressed", "true")
    await expect(stage.page.locator("#mic-name")).to_have_text("You, muted")
    await stage.until("document.getElementById('mic-meter').value < 0.01")


async def test_agent_that_ends_the_call_is_told_with_its_reason(stage: Stage) -> None:
    call = await stage.call()
    call.send("inland.call.ended", reason="completed")
    await expect(stage.page.locator("#status")).to_have_text("The agent finished the call.")
    await expect(stage.page.locator("#call-label")).to_have_text("Call again")


async def test_a_caller_sees_when_they_are_recorded_and_when_no_more(stage: Stage) -> None:
    call = await stage.call()
    notes = stage.page.locator(".event")
    call.send("inland.recording", state="on")
    await expect(notes.last).to_contain_text("From here on you are recorded.")
    call.send("inland.recording", state="off")
    await expect(notes.last).to_contain_text("You are not recorded any more.")
