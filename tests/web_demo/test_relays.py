"""Callers whose network lets no media through: what the page asks for, and in which order.

No relay is behind these addresses; tests/system/relay makes calls through a real one.
"""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from playwright.async_api import Route, expect

from control_plane.contract import RouteResponse
from tests.fakes.scripted_edge import HANG_SECONDS
from tests.web_demo.stage import FROM_GERMANY, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

LINK = (
    '<turn:127.0.0.1:9?transport=tcp>; rel="ice-server"; username="1790000000:a"; '
    'credential="b"; credential-type="password"'
)


def number_tokens(stage: Stage) -> None:
    """Every placement has a token of its own: ``token-1``, ``token-2``."""
    stage.control.offer(stage.edge, verdicts=FROM_GERMANY)
    placed, numbers = stage.control.answer(), count(1)
    assert isinstance(placed, RouteResponse)
    stage.control.answer = lambda: placed.model_copy(update={"token": f"token-{next(numbers)}"})


async def test_a_call_that_finds_its_way_asks_for_no_relay(stage: Stage) -> None:
    stage.edge.links = (LINK,)
    await stage.call()
    await expect(stage.page.locator("#status")).to_have_text("Connected in Frankfurt.")
    await expect(stage.page.locator("#served")).not_to_contain_text("relay")
    assert (stage.edge.asked.empty(), stage.edge.offers) == (True, 1)


async def test_blocked_media_leads_to_a_new_place_and_its_relays(stage: Stage) -> None:
    number_tokens(stage)
    stage.edge.links, stage.edge.blocked = (LINK,), True
    await stage.page.click("#call")
    await expect(stage.page.get_by_role("alert")).to_contain_text("could not get through")
    assert await stage.edge.hung_up.get() == "token-1", "the call that no media reached is ended"
    assert await stage.edge.asked.get() == "token-2", "the first token opened a call already"
    assert stage.edge.asked.empty()
    assert stage.edge.offers == 1, "no relay took the call, so that there was nothing to offer"


async def test_blocked_media_of_an_edge_without_relays_leads_to_the_next(stage: Stage) -> None:
    stage.edge.blocked = True
    await stage.page.click("#call")
    await stage.connected(stage.other)
    assert stage.edge.asked.empty() and stage.other.asked.empty()
    assert len(stage.control.asked) == 1


async def test_a_caller_may_insist_on_relays(stage: Stage) -> None:
    stage.control.offer(stage.edge, verdicts=FROM_GERMANY)

    async def insist(route: Route) -> None:
        told = await (await route.fetch()).json()
        await route.fulfill(json={**told, "iceTransportPolicy": "relay"})

    await stage.page.route("**/config.json", insist)
    await stage.page.reload()
    await stage.page.click("#call")
    await expect(stage.page.get_by_role("alert")).to_contain_text("could not get through")
    assert await stage.edge.asked.get() == "route-token"
    assert stage.edge.offers == 0


async def test_a_lost_call_comes_back_through_a_relay_where_media_is_blocked(stage: Stage) -> None:
    call = await stage.call()
    stage.edge.links, stage.edge.blocked = (LINK,), True
    stage.other.links = (LINK,)
    await call.die()
    async with asyncio.timeout(HANG_SECONDS):
        assert await stage.other.asked.get() == call.resume_token
    assert stage.edge.asked.empty(), "the direct way was tried first"
    assert stage.edge.hung_up.empty(), "the session goes on"
