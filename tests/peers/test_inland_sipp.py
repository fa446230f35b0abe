"""sipp calls Inland: how it signals, with every fault that a network or a far end brings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from inland.bench.private_node import REGION
from tests.peers import callers
from tests.peers.audio import silence, write_capture, write_ulaw
from tests.peers.node import PhoneNode, phone_node, trunk
from tests.peers.program import until
from tests.peers.scenarios import Scenario
from tests.peers.sipp import Counts, Sipp

pytestmark = pytest.mark.asyncio(loop_scope="package")

KEYS = "459201"


@dataclass(frozen=True, slots=True)
class SlowCalls:
    """Calls that take up to a minute, because the RFC's timers do: they run beside the others."""

    unacknowledged: Sipp
    refreshed: Sipp
    forgotten: Sipp


@pytest_asyncio.fixture(scope="module", loop_scope="package", autouse=True)
async def slow_calls(
    node: PhoneNode, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SlowCalls]:
    folder = tmp_path_factory.mktemp("slow")
    quiet = write_ulaw(folder / "quiet.ul", silence(1.0, 8_000))
    scenarios = (
        callers.never_acknowledges(),
        callers.is_kept_fresh(quiet),
        callers.stops_refreshing(quiet),
    )
    async with AsyncExitStack() as running:
        found = []
        for number, scenario in enumerate(scenarios):
            caller = Sipp(folder / str(number), scenario, node.at, service="clinic", within=90)
            found.append(await running.enter_async_context(caller))
            await until(lambda: "SIP/2.0 200" in caller.messages, "an answer")  # noqa: B023
        yield SlowCalls(*found)


async def finished(
    node: PhoneNode, folder: Path, scenario: Scenario, service: str = "clinic"
) -> tuple[Counts, str]:
    """What sipp counted of one call that went as its scenario says, and every message of it."""
    async with Sipp(folder, scenario, node.at, service=service) as caller:
        counts = await caller.finished()
    assert counts.retransmissions == 0
    return counts, caller.messages


async def keyed(node: PhoneNode, folder: Path, scenario: Scenario) -> list[str]:
    """What the caller of one call said, as it was kept."""
    before = node.sessions()
    await finished(node, folder, scenario)
    history = await node.journal(await node.session(before))
    return [turn.caller for turn in history.turns if turn.caller]


async def test_a_hundred_calls_at_twenty_a_second_need_nothing_twice(
    node: PhoneNode, tmp_path: Path
) -> None:
    before = await node.metric("inland_phone_calls_established_total")
    talks = callers.talks(1.0)
    # Where each takes longer, fewer come: who is slow is not drowned.
    caller = Sipp(tmp_path, talks, node.at, service="clinic", calls=100, rate=20, at_once=30)
    async with caller:
        counts = await caller.finished()
    assert (counts.calls, counts.successes, counts.failures) == (100, 100, 0)
    assert (counts.retransmissions, counts.unexpected) == (0, 0)
    await node.counts("inland_phone_calls_established_total", before + 100)


async def test_keys_of_a_capture_are_heard_as_sent(node: PhoneNode, tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "keys.pcap", silence(0.2, 8_000), f"{KEYS}#")
    talks = callers.talks(callers.LISTENS, capture=capture)
    assert await keyed(node, tmp_path / "caller", talks) == [KEYS]


async def test_keys_in_info_are_heard_as_sent(node: PhoneNode, tmp_path: Path) -> None:
    assert await keyed(node, tmp_path, callers.informs(f"{KEYS}#")) == [KEYS]


async def test_a_late_offer_is_answered_and_its_media_heard(
    node: PhoneNode, tmp_path: Path
) -> None:
    capture = write_capture(tmp_path / "keys.pcap", silence(0.2, 8_000), f"{KEYS}#")
    talks = callers.offers_late(callers.LISTENS, capture=capture)
    assert await keyed(node, tmp_path / "caller", talks) == [KEYS]


async def test_a_call_over_tcp_is_answered(node: PhoneNode, tmp_path: Path) -> None:
    talks = callers.talks(0.3)
    async with Sipp(tmp_path, talks, node.at, service="clinic", transport="tcp") as caller:
        assert (await caller.finished()).successes == 1


async def test_a_cancel_right_behind_the_invite_ends_the_call_before_it_stands(
    node: PhoneNode, tmp_path: Path
) -> None:
    before = await node.metric("inland_phone_calls_established_total")
    await finished(node, tmp_path, callers.cancels_at_once())
    assert await node.metric("inland_phone_calls_established_total") == before


async def test_a_cancel_that_crosses_the_answer_changes_nothing(
    node: PhoneNode, tmp_path: Path
) -> None:
    before = await node.metric("inland_phone_calls_established_total")
    await finished(node, tmp_path, callers.cancels_too_late())
    await node.counts("inland_phone_calls_established_total", before + 1)


async def test_what_comes_twice_is_done_once(node: PhoneNode, tmp_path: Path) -> None:
    before = node.sessions()
    _, messages = await finished(node, tmp_path, callers.repeats_itself())
    assert messages.count("\nINVITE ") == messages.count("\nBYE ") == 2
    await node.journal(await node.session(before))


async def test_an_answer_is_sent_again_until_its_ack_comes(node: PhoneNode, tmp_path: Path) -> None:
    async with Sipp(tmp_path, callers.loses_its_ack(), node.at, service="clinic") as caller:
        await caller.finished()
    received = [text for text in caller.messages.split("UDP message ") if "CSeq: 1 INVITE" in text]
    answers = [text for text in received if "SIP/2.0 200 OK" in text]
    assert len(answers) >= 2


async def test_a_call_is_held_and_resumed_by_reinvite(node: PhoneNode, tmp_path: Path) -> None:
    _, messages = await finished(node, tmp_path, callers.holds(0.2))
    assert directions(messages) == ["sendrecv", "recvonly", "sendrecv"]


async def test_a_call_is_held_and_resumed_by_update(node: PhoneNode, tmp_path: Path) -> None:
    _, messages = await finished(node, tmp_path, callers.updates())
    assert directions(messages) == ["sendrecv", "recvonly", "sendrecv"]


def directions(messages: str) -> list[str]:
    """Of the descriptions that came, in order; once where an answer is sent again."""
    came = (
        text.split("a=ptime:20")[1].split("a=")[1].split()[0]
        for text in messages.split("UDP message ")
        if text.startswith("received") and "a=ptime:20" in text
    )
    return [direction for direction, _ in groupby(came)]


async def test_a_session_is_refreshed_by_update_and_by_reinvite(
    node: PhoneNode, tmp_path: Path
) -> None:
    _, messages = await finished(node, tmp_path, callers.refreshes())
    received = [text for text in messages.split("UDP message ") if text.startswith("received")]
    timed = [text for text in received if "Session-Expires: 120;refresher=uac" in text]
    answered = {line for text in timed for line in text.splitlines() if line.startswith("CSeq")}
    assert answered == {"CSeq: 1 INVITE", "CSeq: 2 UPDATE", "CSeq: 3 INVITE"}


async def test_a_session_interval_that_is_too_short_is_refused_with_the_least(
    node: PhoneNode, tmp_path: Path
) -> None:
    _, messages = await finished(node, tmp_path, callers.asks_for_a_short_interval())
    assert "SIP/2.0 422" in messages
    assert "Min-SE: 90" in messages


async def test_options_are_answered_with_what_we_can(node: PhoneNode, tmp_path: Path) -> None:
    _, messages = await finished(node, tmp_path, callers.asks_options())
    assert "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS" in messages
    assert "Accept: application/sdp" in messages


@pytest.mark.parametrize(("method", "status"), [("DANCE", 501), ("SUBSCRIBE", 405)])
async def test_a_method_that_is_not_ours_is_refused_with_those_that_are(
    node: PhoneNode, tmp_path: Path, method: str, status: int
) -> None:
    _, messages = await finished(node, tmp_path, callers.asks(method, status))
    assert "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS" in messages


async def test_an_extension_that_we_do_not_have_is_named(node: PhoneNode, tmp_path: Path) -> None:
    wants = ("Require: nothingWeHave", "Supported: timer")
    _, messages = await finished(node, tmp_path, callers.asks("INVITE", 420, headers=wants))
    assert "Unsupported: nothingwehave" in messages.replace("nothingWeHave", "nothingwehave")


async def test_a_number_nobody_has_is_not_found(node: PhoneNode, tmp_path: Path) -> None:
    await finished(node, tmp_path, callers.is_refused(404), service="nobody")


# --- who may call, and whether there is room ------------------------------------------------------

LAWFUL, WANDERING, GUARDED, STRANGER = (f"127.0.0.{number}" for number in (2, 3, 4, 5))
"""Whence a trunk calls that only knows this region, one that also tries a region outside the law of
the caller, one that has to prove a password, and nobody's."""


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def walled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PhoneNode]:
    """A node with room for two calls."""
    folder = tmp_path_factory.mktemp("walled")
    password = {"username": "pbx", "password_env": "PBX_PASSWORD"}
    trunks = [
        trunk(name="lawful", networks=[LAWFUL]),
        trunk(name="wandering", networks=[WANDERING], routes=[REGION, "ap-south-1"]),
        trunk(name="guarded", networks=[GUARDED], inbound_auth=password),
    ]
    passwords = {"PBX_PASSWORD": "secret"}
    # sipp and baresip give up at a challenge that is not MD5, even when one that is follows.
    digest = ["MD5"]
    async with phone_node(
        folder, capacity=2, passwords=passwords, trunks=trunks, digest=digest
    ) as found:
        yield found
    assert found.faults() == []


def calling(node: PhoneNode, folder: Path, scenario: Scenario, host: str, **options: Any) -> Sipp:
    """A caller at ``host``."""
    return Sipp(folder, scenario, node.at, service="clinic", host=host, **options)


async def test_a_stranger_is_forbidden_and_soon_hears_nothing_while_trunks_are_served(
    walled: PhoneNode, tmp_path: Path
) -> None:
    asks = callers.asks("OPTIONS", 403, repeats=False)
    flood = calling(walled, tmp_path / "flood", asks, STRANGER, calls=60, rate=60)
    async with flood:
        talks = callers.talks(0.3)
        async with calling(walled, tmp_path / "trunk", talks, LAWFUL) as caller:
            assert (await caller.finished()).retransmissions == 0
        await until(lambda: flood.messages.count("OPTIONS sip:") == 60, "the flood")
        await until(lambda: flood.messages.count("SIP/2.0 403 ") >= 10, "what a stranger is told")
    # One more for each second that the flood takes.
    assert flood.messages.count("SIP/2.0 403 Forbidden") < 30
    assert "SIP/2.0 200" not in flood.messages


async def test_a_stranger_cannot_call(walled: PhoneNode, tmp_path: Path) -> None:
    refused = callers.is_refused(403)
    async with calling(walled, tmp_path, refused, "127.0.0.6") as caller:
        await caller.finished()
    assert caller.messages.count("SIP/2.0 ") == caller.messages.count("SIP/2.0 403 Forbidden")


async def test_a_trunk_proves_its_password(walled: PhoneNode, tmp_path: Path) -> None:
    scenario = callers.proves("pbx", "secret")
    async with calling(walled, tmp_path, scenario, GUARDED) as caller:
        await caller.finished()
    assert "SIP/2.0 401 Unauthorized" in caller.messages


async def test_a_wrong_password_is_forbidden(walled: PhoneNode, tmp_path: Path) -> None:
    scenario = callers.proves("pbx", "guess", 403)
    async with calling(walled, tmp_path, scenario, GUARDED) as caller:
        await caller.finished()


async def test_a_full_node_sends_a_lawful_trunk_elsewhere_and_declines_for_another(
    walled: PhoneNode, tmp_path: Path
) -> None:
    await walled.counts("inland_calls_active", 0)
    waits = callers.talks(12.0)
    async with calling(walled, tmp_path / "a", waits, LAWFUL, calls=2, rate=10) as holder:
        await walled.counts("inland_calls_active", 2)
        refused = callers.is_refused(503)
        async with calling(walled, tmp_path / "b", refused, LAWFUL) as caller:
            await caller.finished()
        assert "Retry-After: 5" in caller.messages
        declined = callers.is_refused(603)
        async with calling(walled, tmp_path / "c", declined, WANDERING) as caller:
            await caller.finished()
        assert 'X-Inland;cause=503;text="full"' in caller.messages
        assert "Retry-After" not in caller.messages
        await holder.finished()


# --- what takes its time --------------------------------------------------------------------------


async def test_an_answer_nobody_acknowledges_ends_the_call(slow_calls: SlowCalls) -> None:
    caller = slow_calls.unacknowledged
    await caller.finished()
    assert caller.messages.count("SIP/2.0 200 OK") > 8
    assert "\nBYE " in caller.messages


async def test_a_session_is_refreshed_by_us_when_that_is_agreed(slow_calls: SlowCalls) -> None:
    caller = slow_calls.refreshed
    await caller.finished()
    assert "Session-Expires: 90;refresher=uas" in caller.messages


async def test_a_session_that_its_caller_stops_refreshing_is_ended(slow_calls: SlowCalls) -> None:
    await slow_calls.forgotten.finished()


async def test_nothing_is_left_of_all_these_calls(node: PhoneNode) -> None:
    await node.nothing_left()
