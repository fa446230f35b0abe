"""A person with a browser books an appointment, and keeps it when the edge dies on them.

A real Chromium shows the demo's own page. The caller's voice is flite's, made for the test, and
where they lie beside the checkout three recordings of ``../shared/speech`` instead. It does not
come from Chromium's fake microphone, which plays one file from the start and loops it, and so
cannot wait for the agent: the page's ``getUserMedia`` gives it a WebAudio destination, into which
the test plays the next sentence when the agent is listening (``microphone.js``).
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from edge.media.frames import Samples
from inland.caller.utterances import levelled, load_sound, utterances
from tests.fakes.recordings import FOLDER
from tests.system.caller_page import CallerPage
from tests.system.world import HANG_SECONDS, World
from tests.web_demo.stage import FLAGS

pytestmark = [
    pytest.mark.system,
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]

CHROMIUM = Path("/usr/bin/chromium")
MISHEARD = 4
"""Utterances of a booking that may have to be repeated."""
RECORDED = {
    "i would like to book an appointment": "intent_0_fl-rms.wav",
    "half past nine": "time_1_fl-rms.wav",
    "yes": "yesno_0_fl-rms.wav",
}
RULES = {
    "shall i book it": "yes",
    "put you through": "no",
    "which one": "another day",
    "general practice, or dentist": "general practice",
    "another day. which day": "wednesday",
    "which day": "next tuesday",
    "at what time": "half past nine",
    "spell your last name": "sierra mike india tango hotel",
    "how can i help": "i would like to book an appointment",
}
OpenPage = Callable[..., Awaitable[CallerPage]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    if not await asyncio.to_thread(CHROMIUM.exists):
        pytest.skip("needs Debian's chromium at /usr/bin/chromium")
    async with async_playwright() as running:
        browser = await running.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, "--use-fake-ui-for-media-stream"]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def voice() -> Mapping[str, Samples]:
    """Everything the caller can say."""
    recorded = FOLDER / "synth_flite16k"
    found: dict[str, Samples] = {}
    async with utterances("rms") as synthesised:
        for text in {*RULES.values(), "no thank you"}:
            path = recorded / RECORDED.get(text, "")
            found[text] = (
                levelled(load_sound(path)) if path.is_file() else await synthesised.words(text)
            )
    return found


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(
    chromium: Browser, world: World, flite: str, voice: Mapping[str, Samples]
) -> AsyncIterator[OpenPage]:
    """Opens the demo's page; at the end it may have had no error of its own."""
    pages: list[CallerPage] = []
    async with AsyncExitStack() as stack:

        async def open_it(**options: object) -> CallerPage:
            context = await chromium.new_context(**options)  # type: ignore[arg-type]
            stack.push_async_callback(context.close)
            context.set_default_timeout(1000 * HANG_SECONDS)
            page = CallerPage(await context.new_page(), voice)
            pages.append(page)
            await page.open(world.page)
            return page

        yield open_it
    assert [fault for page in pages for fault in page.faults] == []


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where pictures go: INLAND_SHOTS keeps them."""
    folder = Path(os.environ.get("INLAND_SHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def shoot(page: CallerPage, shots: Path, name: str) -> None:
    # Colours that are on their way from light to dark would be neither.
    await page.page.screenshot(path=shots / f"{name}.png", animations="disabled")


async def test_caller_books_an_appointment_by_voice(
    open_page: OpenPage, world: World, shots: Path
) -> None:
    await world.empty_books()
    before = {region: await world.appointments(region) for region in world.clinics}
    caller = await open_page(viewport={"width": 1200, "height": 860})
    await shoot(caller, shots, "before-light")
    await caller.page.select_option("#country", "IN")
    await caller.page.click("#call")
    await caller.phase("live")
    await caller.until("document.getElementById('activity').dataset.state === 'speaking'")
    await caller.audible()
    question = await caller.converse(RULES, until="shall i book it")
    assert re.search("general practice.*nine thirty.*smith", question, re.IGNORECASE)
    await shoot(caller, shots, "in-call-light")
    await in_other_dress(caller, shots)
    before_yes = await caller.answers()
    await caller.say("yes")
    await expect(caller.page.locator(".tool .badge")).to_have_text("Done")
    booked_words = await caller.question(before_yes)
    assert "booked" in booked_words.lower()
    await shoot(caller, shots, "booked-light")
    await caller.say("no thank you")
    await caller.phase("ended")
    await shoot(caller, shots, "ended-light")
    await expect(caller.page.locator("#receipt-lead")).to_contain_text("Signed by the region")
    places = caller.page.locator("#receipt-places .badge")
    await expect(places).to_have_text(["your network", "Mumbai", "Mumbai", "Mumbai"])

    heard = await caller.heard()
    # A recogniser may mishear and ask again; it may not take what nobody said for understood. Of a
    # voice that a busy machine lets through in pieces, it may take a piece for an article.
    understood = {words.removeprefix("the ") for words, understood in heard if understood}
    assert understood == set(caller.said), "each thing said has its place on the page"
    assert len(caller.said) <= len(understood) + MISHEARD, heard
    agent = await caller.words("agent")
    assert agent[0].startswith("Clinic reception.")
    assert agent[-1].endswith("Goodbye.")
    assert await caller.page.locator(".timings .bar").count() >= 5
    booked = {
        region: [row for row in await world.appointments(region) if row not in before[region]]
        for region in world.clinics
    }
    (row,) = booked.pop("ap-south-1")
    assert (row["department"], row["time"], row["name"]) == ("general practice", "09:30", "Smith")
    assert row["reference"] in re.sub(r"\D", "", booked_words)
    assert list(booked.values()) == [[], []]


async def in_other_dress(caller: CallerPage, shots: Path) -> None:
    """Pictures of the same moment: dark, and on a telephone; the badge says who serves."""
    await expect(caller.page.locator("#served")).to_contain_text("Mumbai")
    first = caller.page.locator(".region").first
    await expect(first).to_have_attribute("data-region", "ap-south-1")
    await expect(first.locator(".badge")).to_have_text("Serves you")
    await caller.page.emulate_media(color_scheme="dark")
    await shoot(caller, shots, "in-call-dark")
    await caller.page.set_viewport_size({"width": 390, "height": 844})
    await shoot(caller, shots, "in-call-phone-dark")
    await caller.page.emulate_media(color_scheme="light")
    await shoot(caller, shots, "in-call-phone-light")
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert await caller.page.evaluate(f"() => {wide}"), "nothing hangs over a telephone's edge"
    await caller.page.set_viewport_size({"width": 1200, "height": 860})


async def test_booking_goes_on_where_it_was_when_the_edge_is_cut_off(
    open_page: OpenPage, world: World, shots: Path
) -> None:
    await world.empty_books()
    before = await world.appointments("eu-central-1")
    caller = await open_page(viewport={"width": 1200, "height": 1000})
    await caller.page.click("#call")
    await caller.phase("live")
    await caller.page.click(".hint >> nth=0")  # over the greeting, to be sooner at the point
    await caller.converse(RULES, until="at what time")
    await caller.page.click("#cut")
    await expect(caller.page.locator(".event.bad")).to_contain_text("cut off")
    await shoot(caller, shots, "cut-off-light")
    # Being back is a matter of a tenth of a second; what stays on the page is the note of it.
    back = caller.page.locator(".event.good")
    await expect(back).to_contain_text("Remembered", timeout=1000 * HANG_SECONDS)
    await caller.phase("live")
    question = await caller.converse(RULES, until="shall i book it")
    assert re.search("general practice.*tuesday.*nine thirty.*smith", question, re.IGNORECASE), (
        "the department and the day were said to the edge that died"
    )
    assert caller.said.count("general practice") == 1
    assert caller.said.count("next tuesday") == 1
    await shoot(caller, shots, "resumed-light")
    await caller.say("yes")
    await expect(caller.page.locator(".tool .badge")).to_have_text("Done")
    await caller.page.click("#hangup")
    await caller.phase("ended")
    await expect(caller.page.locator("#receipt-places")).to_contain_text(
        "Connection 1 left no receipt"
    )
    booked = [row for row in await world.appointments("eu-central-1") if row not in before]
    assert [(row["name"], row["time"]) for row in booked] == [("Smith", "09:30")]
