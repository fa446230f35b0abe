"""The book of ordered calls."""

from __future__ import annotations

import asyncio

from edge.phone.orders import KEEP_SECONDS, MAX_KEPT, Orders
from tests.fakes.clock import FakeClock


async def test_a_watcher_sees_every_stage_to_the_end() -> None:
    orders = Orders(FakeClock())
    call = orders.begin("sip_w0_a", "carrier")
    async with asyncio.timeout(60):
        first = await call.changed(None)
        call.change(stage="ringing")
        second = await call.changed(first)
        orders.end("sip_w0_a", "completed")
        third = await call.changed(second)
    assert [status.stage for status in (first, second, third)] == ["dialling", "ringing", "ended"]


async def test_a_watcher_that_waits_is_woken() -> None:
    orders = Orders(FakeClock())
    call = orders.begin("sip_w0_a", "carrier")
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        waiting = group.create_task(call.changed(call.status))
        await asyncio.sleep(0)
        orders.end("sip_w0_a", "busy", status=486, reason="Busy Here")
    status = waiting.result()
    assert (status.outcome, status.status, status.reason) == ("busy", 486, "Busy Here")


def test_nothing_follows_the_end() -> None:
    orders = Orders(FakeClock())
    call = orders.begin("sip_w0_a", "carrier")
    orders.end("sip_w0_a", "refused", status=603)
    call.change(stage="ringing")
    orders.end("sip_w0_a", "completed")
    assert call.status.stage == "ended"
    assert call.status.outcome == "refused"


def test_a_call_that_is_over_is_known_for_a_while() -> None:
    clock = FakeClock()
    orders = Orders(clock)
    orders.begin("sip_w0_a", "carrier")
    live = orders.begin("sip_w0_b", "carrier")
    orders.end("sip_w0_a", "completed")
    clock.advance(KEEP_SECONDS - 1)
    assert orders.get("sip_w0_a") is not None
    clock.advance(2)
    assert orders.get("sip_w0_a") is None
    assert orders.get("sip_w0_b") is live


def test_the_book_of_ended_calls_is_bounded() -> None:
    orders = Orders(FakeClock())
    for number in range(MAX_KEPT + 5):
        orders.begin(str(number), "carrier")
        orders.end(str(number), "completed")
    assert orders.get("0") is None
    assert orders.get("4") is None
    assert orders.get("5") is not None
