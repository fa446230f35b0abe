"""What a caller reads when a call cannot be made."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from control_plane.contract import Problem, RegionVerdict
from tests.web_demo.conftest import MakeStage
from tests.web_demo.stage import FROM_GERMANY, NOWHERE, REGIONS, WORLD, Stage, verdicts_of

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


async def test_refused_caller_reads_why(stage: Stage) -> None:
    stage.control.refuse(NOWHERE)
    await stage.page.select_option("#country", "US")
    await stage.page.click("#call")
    notice = stage.page.get_by_role("alert")
    await expect(notice).to_contain_text("No region may take this call")
    rows = stage.page.locator(".region")
    await expect(rows).to_have_count(4)
    for index in range(4):
        await expect(rows.nth(index)).to_be_visible()
        await expect(rows.nth(index).locator(".badge")).to_have_text("Refused")
    await expect(rows.first).to_contain_text("only callers from the EEA")
    await expect(stage.page.locator("#call")).to_be_enabled()


async def test_verdicts_belong_to_the_country_they_were_given_for(stage: Stage) -> None:
    await stage.call()
    await stage.page.click("#hangup")
    mumbai = stage.page.locator('.region[data-region="ap-south-1"]')
    await expect(mumbai).to_have_attribute("data-verdict", "refused")
    await stage.page.select_option("#country", "IN")
    await expect(mumbai).to_have_attribute("data-verdict", "open")
    await stage.page.select_option("#country", "DE")
    await expect(mumbai).to_have_attribute("data-verdict", "refused")
    await expect(mumbai).to_contain_text("calls from the EEA stay in the EEA")


async def test_two_dozen_regions_stay_readable(stage: Stage) -> None:
    await stage.show_the_world()
    shown = stage.page.locator("#regions > .region")
    others = stage.page.locator("#others summary")
    await expect(shown).to_have_count(3)
    await expect(others).to_have_text("and 21 others: not decided")
    refused = verdicts_of(country="the EEA", regions=WORLD)
    stage.control.offer(stage.edge, verdicts=(*FROM_GERMANY, *refused))
    await stage.call()
    names = await shown.locator(".region-name").all_inner_texts()
    assert names == ["Frankfurt", "Dublin", "Mumbai"]
    await expect(others).to_have_text("and 21 others: refused")
    far = stage.page.locator("#other-regions > .region")
    await expect(far.last).to_be_hidden()
    await others.click()
    await expect(far.last).to_be_visible()
    await expect(far.last).to_contain_text("United States")


async def test_a_reason_that_regions_share_is_said_once(stage: Stage) -> None:
    await stage.show_the_world()
    stage.control.refuse(
        NOWHERE.model_copy(update={"regions": verdicts_of(country="Elsewhere", regions=WORLD)})
    )
    await stage.page.click("#call")
    await expect(stage.page.get_by_role("alert")).to_be_visible()
    await stage.page.click("#others summary")
    reasons = stage.page.locator("#other-regions .region-why")
    await expect(reasons).to_have_text(["calls from Elsewhere stay there (Article 1)"])


async def test_a_region_that_may_serve_is_never_folded_away(stage: Stage) -> None:
    await stage.show_the_world()
    home = RegionVerdict(region="us-west-20", allowed=True, reason="at home; no node is known")
    refused = verdicts_of(country="Elsewhere", regions=[*REGIONS, *WORLD[:-1]])
    stage.control.refuse(
        NOWHERE.model_copy(
            update={"code": "no_region_available", "status": 503, "regions": (*refused, home)}
        )
    )
    await stage.page.click("#call")
    first = stage.page.locator("#regions > .region").first
    await expect(first).to_have_attribute("data-region", "us-west-20")
    await expect(first.locator(".badge")).to_have_text("Allowed")
    await expect(stage.page.locator("#others summary")).to_have_text("and 20 others: refused")


async def test_serving_region_stands_first_and_is_marked(stage: Stage) -> None:
    stage.control.offer(stage.other, stage.edge, verdicts=FROM_GERMANY)
    await stage.page.click("#call")
    await stage.connected(stage.other)
    first = stage.page.locator(".region").first
    await expect(first).to_have_attribute("data-region", "eu-west-1")
    await expect(first.locator(".badge")).to_have_text("Serves you")


async def test_unavailable_regions_are_never_replaced_by_others(stage: Stage) -> None:
    stage.control.refuse(
        Problem(
            code="no_region_available",
            title="No allowed region serves right now",
            status=503,
            detail="eu-central-1 and eu-west-1 are down.",
            regions=FROM_GERMANY,
        )
    )
    await stage.page.click("#call")
    notice = stage.page.get_by_role("alert")
    await expect(notice).to_contain_text("We do not send your call anywhere else instead")
    stage.control.offer(stage.edge, verdicts=FROM_GERMANY)
    await notice.get_by_role("button", name="Try again").click()
    await stage.connected(stage.edge)
    await expect(notice).to_be_hidden()


async def test_full_node_is_passed_over_for_the_next_candidate(stage: Stage) -> None:
    stage.edge.refuse_with = Problem(code="full", title="Full", status=503, detail="No room.")
    await stage.page.click("#call")
    call = await stage.connected(stage.other)
    assert call.bearer == "route-token"
    await expect(stage.page.locator("#served")).to_contain_text("Dublin")


async def test_token_refusal_is_not_tried_elsewhere(stage: Stage) -> None:
    stage.edge.refuse_with = Problem(
        code="token_expired", title="Expired", status=401, detail="The token is too old."
    )
    await stage.page.click("#call")
    await expect(stage.page.get_by_role("alert")).to_contain_text("The token is too old.")
    assert stage.other.offers == 0


async def test_unreachable_edges_are_told_in_words(stage: Stage) -> None:
    await stage.edge.stop()
    await stage.other.stop()
    await stage.page.click("#call")
    await expect(stage.page.get_by_role("alert")).to_contain_text("did not answer")
    await expect(stage.page.locator("#call")).to_be_enabled()


async def test_denied_microphone_offers_typing(
    strict_chromium: Browser, make_stage: MakeStage
) -> None:
    stage = await make_stage(strict_chromium)
    await stage.page.click("#call")
    notice = stage.page.get_by_role("alert")
    await expect(notice).to_contain_text("The microphone is not allowed")
    assert stage.control.asked == []
    await notice.get_by_role("button", name="Go on by typing").click()
    call = await stage.connected(stage.edge)
    await expect(stage.page.locator("#mute")).to_be_hidden()
    await stage.page.fill("#text", "Tuesday")
    await stage.page.press("#text", "Enter")
    await call.next_event("conversation.item.create")
    call.begin("r1")
    await stage.until("document.getElementById('agent-meter').value > 0.2")


async def test_caller_without_microphone_keeps_the_line_alive_with_silence(
    strict_chromium: Browser, make_stage: MakeStage
) -> None:
    stage = await make_stage(strict_chromium)
    await stage.page.click("#call-typing")
    call = await stage.connected(stage.edge)
    assert "a=sendrecv" in call.offer
    await call.caller_audio()


@pytest.mark.parametrize(
    ("name", "words"),
    [("NotFoundError", "No microphone was found"), ("NotReadableError", "Another program")],
)
async def test_missing_or_busy_microphone_is_told_apart(
    stage: Stage, name: str, words: str
) -> None:
    await stage.page.evaluate(
        """(name) => {
          navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", name); };
        }""",
        name,
    )
    await stage.page.click("#call")
    await expect(stage.page.get_by_role("alert")).to_contain_text(words)


async def test_garbled_answer_of_the_control_plane_is_no_crash(stage: Stage) -> None:
    await stage.page.route(
        "**/v1/route", lambda route: route.fulfill(status=200, body="<html>hello</html>")
    )
    await stage.page.click("#call")
    await expect(stage.page.get_by_role("alert")).to_contain_text("names no edge")


async def test_edge_error_event_is_shown_and_the_call_goes_on(stage: Stage) -> None:
    call = await stage.call()
    error = {"type": "invalid_request_error", "code": "too_many_events", "message": "Slow down."}
    call.send("error", error=error)
    await expect(stage.page.get_by_role("alert")).to_contain_text("Slow down.")
    await expect(stage.page.locator('body[data-phase="live"]')).to_have_count(1)
