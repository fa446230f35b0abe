"""The page for every eye, hand and screen. Pictures go to the test's folder, or to
``$INLAND_SHOTS`` to be kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.web_demo.conftest import MakeStage
from tests.web_demo.stage import NOWHERE, Stage, verdicts_of

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}

CONTRAST = """() => {
  const parse = (colour) => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0.99) return colour;
    }
    return [255, 255, 255, 1];
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.checkVisibility()) continue;
    if (node.closest(":disabled, .hidden, option")) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${node.className || node.tagName} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
OVERFLOW = """["scroll", "turns", "regions", "other-regions", null]
  .map((id) => (id ? document.getElementById(id) : document.documentElement))
  .map((node) => node.scrollWidth - node.clientWidth)"""
NONE = [0, 0, 0, 0, 0]


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    kept = Path(os.environ.get("INLAND_SHOTS", tmp_path))
    kept.mkdir(parents=True, exist_ok=True)
    return kept


async def converse(stage: Stage) -> None:
    """A few turns of a call, with everything a page can show in one."""
    call = await stage.call()
    call.state("speaking")
    call.say("r1", "Riverside Clinic, good morning. How can I help you?")
    call.final("i1", "I would like to book an appointment")
    call.begin("r2")
    call.timings(2, 182, 9, 12, 24, 19)
    for words in ["Certainly. With which doctor,", " and for which day", " would suit you best"]:
        call.words("r2", words)
    call.finish("r2", "Certainly. With which doctor, and for which day", status="cancelled")
    call.final("i2", "Doctor Meyer on Tuesday at half past ten")
    arguments = {"doctor": "Meyer", "day": "Tuesday 24 November", "time": "10:30"}
    call.call_tool("t1", "book_appointment", arguments)
    call.tool_result("t1", "book_appointment", True, {"reference": "RC-1734"})
    call.begin("r3")
    call.timings(3, 160, 8, 61, 31, 19)
    call.words("r3", "You are booked for Tuesday at half past ten.")
    call.finish("r3", "You are booked for Tuesday at half past ten.")
    call.state("hearing")
    call.partial("i3", "thank you and")
    await expect(stage.page.locator(".caller.partial .words")).to_have_text("thank you and")


async def picture(stage: Stage, path: Path, *, full: bool = False) -> None:
    await stage.page.screenshot(path=path, full_page=full, animations="disabled")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_aa_contrast(
    chromium: Browser, make_stage: MakeStage, shots: Path, scheme: str
) -> None:
    stage = await make_stage(chromium, **DESK, color_scheme=scheme, reduced_motion="reduce")
    await picture(stage, shots / f"desk-{scheme}-idle.png")
    assert await stage.page.evaluate(CONTRAST) == []
    await converse(stage)
    await picture(stage, shots / f"desk-{scheme}-call.png")
    assert await stage.page.evaluate(CONTRAST) == []
    await stage.edge.stop()
    await stage.other.stop()
    await stage.edge.silence()
    await stage.page.wait_for_selector('body[data-phase="reconnecting"]')
    await picture(stage, shots / f"desk-{scheme}-reconnecting.png")
    assert await stage.page.evaluate(CONTRAST) == []
    await stage.page.click("#hangup")
    stage.control.refuse(NOWHERE)
    await stage.page.select_option("#country", "US")
    await stage.page.click("#call")
    await expect(stage.page.get_by_role("alert")).to_be_visible()
    await picture(stage, shots / f"desk-{scheme}-refused.png")
    assert await stage.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_has_no_horizontal_scroll_at_360px(
    chromium: Browser, make_stage: MakeStage, shots: Path, scheme: str
) -> None:
    stage = await make_stage(chromium, **PHONE, color_scheme=scheme)
    assert await stage.page.evaluate(OVERFLOW) == NONE
    await picture(stage, shots / f"phone-{scheme}-idle.png", full=True)
    await converse(stage)
    assert await stage.page.evaluate(OVERFLOW) == NONE
    await picture(stage, shots / f"phone-{scheme}-call.png")
    await picture(stage, shots / f"phone-{scheme}-call-full.png", full=True)
    await stage.page.click("#hangup")
    stage.control.refuse(NOWHERE)
    await stage.page.click("#call")
    await expect(stage.page.get_by_role("alert")).to_be_visible()
    assert await stage.page.evaluate(OVERFLOW) == NONE
    await picture(stage, shots / f"phone-{scheme}-refused.png", full=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desk", "phone"])
async def test_two_dozen_regions_unfold_within_the_page_and_in_contrast(
    chromium: Browser, make_stage: MakeStage, shots: Path, screen: str, scheme: str
) -> None:
    size = {"desk": DESK, "phone": PHONE}[screen]
    stage = await make_stage(chromium, **size, color_scheme=scheme, reduced_motion="reduce")
    await stage.show_the_world()
    regions = verdicts_of(country="Elsewhere", regions=stage.regions)
    stage.control.refuse(NOWHERE.model_copy(update={"regions": regions}))
    await stage.page.click("#call")
    await expect(stage.page.get_by_role("alert")).to_be_visible()
    await stage.page.focus("#others summary")
    await stage.page.keyboard.press("Enter")
    await expect(stage.page.locator("#other-regions .region").last).to_be_visible()
    assert await stage.page.evaluate(OVERFLOW) == NONE
    assert await stage.page.evaluate(CONTRAST) == []
    await picture(stage, shots / f"{screen}-{scheme}-world.png", full=True)


async def test_call_is_made_and_ended_by_keyboard_alone(stage: Stage) -> None:
    keyboard = stage.page.keyboard
    focused = "() => document.activeElement.id || document.activeElement.value"
    order = []
    for _ in range(5):
        await keyboard.press("Tab")
        order.append(await stage.page.evaluate(focused))
    assert order[1:] == ["clinic-eu", "country", "call", "call-typing"]
    await keyboard.press("Shift+Tab")
    await keyboard.press("Enter")
    call = await stage.connected(stage.edge)
    await stage.until("document.activeElement.id === 'conversation'")
    await keyboard.press("Alt+t")
    await keyboard.type("good morning")
    await keyboard.press("Enter")
    await call.next_event("conversation.item.create")
    await keyboard.press("Tab")
    assert await stage.page.evaluate(focused) == "send"
    await keyboard.press("Tab")
    assert await stage.page.evaluate(focused) == "mute"
    await keyboard.press("Space")
    await expect(stage.page.locator("#mute")).to_have_attribute("aria-pressed", "true")
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await call.deleted.wait()
    await expect(stage.page.locator('body[data-phase="ended"]')).to_have_count(1)


async def test_shortcuts_take_no_key_that_a_person_types(stage: Stage) -> None:
    await stage.call()
    await stage.page.focus("#text")
    await stage.page.keyboard.type("m h c t")
    await stage.page.keyboard.press("Escape")
    await expect(stage.page.locator("#text")).to_have_value("m h c t")
    await expect(stage.page.locator('body[data-phase="live"]')).to_have_count(1)
    await stage.page.keyboard.press("Alt+h")
    await expect(stage.page.locator('body[data-phase="ended"]')).to_have_count(1)


async def test_every_control_has_a_name(stage: Stage) -> None:
    await converse(stage)
    nameless = """() => [...document.querySelectorAll("button, input, select, meter")]
      .filter((node) => node.checkVisibility())
      .filter((node) => !(node.textContent.trim() || node.labels?.length || node.ariaLabel))
      .map((node) => node.id)"""
    assert await stage.page.evaluate(nameless) == []


async def test_reader_who_scrolled_back_is_left_there(stage: Stage) -> None:
    call = await stage.call()
    for number in range(30):
        call.final(f"i{number}", f"sentence {number}")
    await expect(stage.page.locator(".message")).to_have_count(30)
    await stage.page.evaluate("document.getElementById('scroll').scrollTop = 0")
    call.final("i30", "one more")
    await expect(stage.page.locator(".message")).to_have_count(31)
    assert await stage.page.evaluate("document.getElementById('scroll').scrollTop") == 0
