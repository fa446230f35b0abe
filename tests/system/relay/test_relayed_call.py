"""A caller whose network lets no UDP out speaks with the agent, through a real coturn.

Chromium, the page, the node and coturn are the real ones; each is on a machine of its own as far as
the network goes, and the barrier between them is nftables.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, async_playwright, expect

from inland.caller.utterances import utterances
from tests.system.caller_page import CallerPage
from tests.system.relay.network import CALLER
from tests.system.relay.region import Region, region
from tests.system.world import HANG_SECONDS
from tests.web_demo.stage import FLAGS

QUESTION = "what are your opening hours"
TURN_PACKETS = 100
"""Of each side while a question and its answer are spoken: fifty a second from a browser."""
NEEDED = ("turnserver", "ip", "nft", "sysctl", "flite", "chromium")

pytestmark = [
    pytest.mark.system,
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root"),
    *(
        pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")
        for tool in NEEDED
    ),
]
OpenPage = Callable[..., Awaitable[CallerPage]]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with region(tmp_path_factory.mktemp("relay")) as found:
        yield found
        assert CALLER not in found.relay_log.read_text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(here: Region) -> AsyncIterator[Browser]:
    async with async_playwright() as running:
        browser = await running.chromium.launch(
            executable_path=here.chromium,
            args=[*FLAGS, here.flag, "--use-fake-ui-for-media-stream"],
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(here: Region, chromium: Browser) -> AsyncIterator[OpenPage]:
    """Opens the demo's page, with settings of its own; at the end it may have had no error."""
    pages: list[CallerPage] = []
    async with utterances("rms") as synthesised:
        voice = {QUESTION: await synthesised.words(QUESTION)}
    async with AsyncExitStack() as stack:

        async def open_it(**settings: object) -> CallerPage:
            context = await chromium.new_context()
            stack.push_async_callback(context.close)
            context.set_default_timeout(1000 * HANG_SECONDS)
            page = CallerPage(await context.new_page(), voice)

            async def configure(route: Route) -> None:
                await route.fulfill(json={**here.config, **settings})

            await page.page.route("**/config.json", configure)
            pages.append(page)
            await page.open(here.page)
            return page

        yield open_it
    assert [fault for page in pages for fault in page.faults] == []
    await gone(here)


async def gone(here: Region) -> None:
    """Returns when coturn holds nothing any more: nobody tells when, so this looks."""
    until = time.monotonic() + HANG_SECONDS
    while here.relays:
        assert time.monotonic() < until, "a call is over, and its relay is still open"
        await asyncio.sleep(0.1)


async def ask(caller: CallerPage) -> str:
    """Ask the question by voice when the agent listens; its answer."""
    await caller.question()
    before = await caller.answers()
    await caller.say(QUESTION)
    return await caller.question(before)


def direct(here: Region) -> int:
    return here.network.packets("direct")


def relayed(here: Region) -> tuple[int, int]:
    return here.network.packets("to_edge"), here.network.packets("from_edge")


async def test_a_caller_without_udp_is_understood_and_answered_through_the_relay(
    here: Region, open_page: OpenPage
) -> None:
    blocked, (there, back) = direct(here), relayed(here)
    caller = await open_page()
    await caller.page.click("#call")
    await caller.phase("live")
    assert direct(here) > blocked, "the direct way is tried first"
    await expect(caller.page.locator("#served")).to_contain_text("through a relay")
    await expect(caller.page.locator("#status")).to_contain_text("no sound through directly")
    await caller.until("document.getElementById('activity').dataset.state === 'speaking'")
    await caller.audible()
    assert "eight" in (await ask(caller)).lower()
    assert await caller.heard() == [(QUESTION, True)]
    assert here.relays >= 1
    there, back = (now - then for now, then in zip(relayed(here), (there, back), strict=True))
    assert min(there, back) > TURN_PACKETS
    await caller.page.click("#hangup")
    await caller.phase("ended")


async def test_a_relayed_call_outlives_its_worker(here: Region, open_page: OpenPage) -> None:
    caller = await open_page(iceTransportPolicy="relay")
    await caller.page.click("#call")
    await caller.phase("live")
    assert "eight" in (await ask(caller)).lower()
    await caller.page.click("#cut")
    back = caller.page.locator(".event.good")
    await expect(back).to_contain_text("Remembered", timeout=1000 * HANG_SECONDS)
    await caller.phase("live")
    await expect(caller.page.locator("#served")).to_contain_text("through a relay")
    assert "eight" in (await ask(caller)).lower()
    await caller.page.click("#hangup")
    await caller.phase("ended")


async def test_a_caller_who_asks_for_relays_sends_nothing_directly(
    here: Region, open_page: OpenPage
) -> None:
    blocked = direct(here)
    caller = await open_page(iceTransportPolicy="relay")
    await caller.page.click("#call")
    await caller.phase("live")
    await expect(caller.page.locator("#served")).to_contain_text("through a relay")
    await caller.question()
    assert direct(here) == blocked
    await caller.page.click("#hangup")
    await caller.phase("ended")


async def test_where_udp_passes_no_relay_is_used(here: Region, open_page: OpenPage) -> None:
    before = relayed(here)
    with here.network.udp_allowed():
        caller = await open_page()
        await caller.page.click("#call")
        await caller.phase("live")
        await caller.question()
        await expect(caller.page.locator("#served")).not_to_contain_text("relay")
        assert (here.relays, relayed(here)) == (0, before)
        await caller.page.click("#hangup")
        await caller.phase("ended")
