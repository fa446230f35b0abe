"""Phone calls to a running demo: the law first, then a conversation that outlives its worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.phone.dispatcher_line import origin_of
from edge.transport.rtp.codec import CodecName
from edge.transport.sip.core.events import Ended
from inland.phone.telephone import Telephone
from tests.system.kept import is_over, kept, sessions
from tests.system.phone import Caller, desk_phone, spoken
from tests.system.world import HANG_SECONDS, World, breakable_demo, until

pytestmark = pytest.mark.system

EU, INDIA = "eu-central-1", "ap-south-1"
AMERICAN = "+12125550100"
PUERTO_RICAN = "+17875550100"


@pytest.fixture
async def desk() -> AsyncIterator[Telephone]:
    async with desk_phone() as found:
        yield found


def dialled(world: World, user: str, region: str = EU) -> str:
    """The address at which ``user`` is dialled in ``region``."""
    return world.phones[region].replace("sip:clinic@", f"sip:{user}@")


async def refused(desk: Telephone, target: str, user: str = "caller") -> Ended:
    """Call, and return the refusal."""
    line = desk.dial(target, user=user)
    async with asyncio.timeout(HANG_SECONDS):
        return await line.over()


@pytest.mark.parametrize("codec", ["pcmu", "pcma", "g722", "opus"])
async def test_a_phone_call_is_answered_by_the_agent_in_every_codec(
    world: World, codec: CodecName
) -> None:
    async with desk_phone(codec) as desk:
        caller = Caller(desk.dial(dialled(world, "clinic")))
        await caller.answered()
        await caller.agent_finished()
        assert caller.line.leg.media.receiver.codec.name == codec
        assert (await caller.hangs_up()).cause == "local_bye"


async def test_a_number_of_another_regions_law_is_sent_there(world: World, desk: Telephone) -> None:
    end = await refused(desk, dialled(world, "clinic-in"))
    assert end.status == 302
    assert end.headers is not None
    there = dialled(world, "clinic-in", INDIA)
    assert end.headers.all("contact") == (f"<{there}>;q=1.0",)
    caller = Caller(desk.dial(there))
    await caller.answered()
    await caller.hears()
    await caller.hangs_up()


@pytest.mark.parametrize(
    ("caller", "cause", "code"),
    [(PUERTO_RICAN, 403, "no_region_allowed"), (AMERICAN, 503, "no_region_available")],
)
async def test_a_caller_whom_no_region_may_or_can_serve_is_declined_with_the_reason(
    world: World, desk: Telephone, caller: str, cause: int, code: str
) -> None:
    end = await refused(desk, dialled(world, "clinic-caller"), user=caller)
    assert end.status == 603
    assert end.headers is not None
    assert f'X-Inland;cause={cause};text="{code}"' in end.headers.all("reason")


async def test_a_number_nobody_has_is_not_found(world: World, desk: Telephone) -> None:
    assert (await refused(desk, dialled(world, "nobody"))).status == 404


async def test_what_was_said_on_the_telephone_is_understood_and_kept(
    world: World, tmp_path: Path, flite: str, desk: Telephone
) -> None:
    before = set(sessions(world.log(EU)))
    caller = Caller(desk.dial(dialled(world, "clinic")))
    await caller.answered()
    await caller.agent_finished()
    await caller.says(spoken("what are your opening hours", tmp_path, flite))
    await caller.hangs_up()
    (session,) = set(sessions(world.log(EU))) - before

    async def over() -> bool:
        return await is_over(world.data, EU, session)

    await until(over)
    history = await kept(world.data, EU, session)
    heard = [turn.caller for turn in history.turns if turn.caller]
    assert heard == ["what are your opening hours"]


async def test_hold_silences_the_agent_and_resume_brings_it_back(
    world: World, tmp_path: Path, flite: str, desk: Telephone
) -> None:
    caller = Caller(desk.dial(dialled(world, "clinic")))
    await caller.answered()
    await caller.hears()
    assert await caller.line.reoffer("sendonly")
    loud = caller.loud
    assert await caller.line.reoffer("sendrecv")
    await caller.until(lambda: caller.loud > loud)
    await caller.agent_finished()
    await caller.says(spoken("what are your opening hours", tmp_path, flite))
    await caller.hangs_up()


async def test_a_call_outlives_the_worker_that_had_it(tmp_path: Path, flite: str) -> None:
    async with (
        breakable_demo(tmp_path / "data", workers=1, regions=(EU,)) as world,
        desk_phone() as desk,
    ):
        caller = Caller(desk.dial(dialled(world, "clinic")))
        await caller.answered()
        await caller.agent_finished()
        await caller.says(spoken("i would like to book an appointment", tmp_path, flite))
        first = _origin(caller)
        (worker,) = world.workers(EU)
        async with asyncio.TaskGroup() as group:
            group.create_task(caller.moved())
            worker.kill()
        await caller.agent_finished()
        second = _origin(caller)
        assert (second[0], second[1] > first[1]) == (first[0], True)
        await caller.hangs_up()
        (session,) = sessions(world.log(EU))

        async def over() -> bool:
            return await is_over(world.data, EU, session)

        await until(over)
        history = await kept(world.data, EU, session)
        assert [turn.caller for turn in history.turns if turn.caller] == [
            "i would like to book an appointment"
        ]


def _origin(caller: Caller) -> tuple[int, int]:
    """Session id and version of the agent's newest description."""
    assert caller.line.session.sdp is not None
    return origin_of(caller.line.session.sdp)


async def test_a_node_that_drains_hangs_up_at_last_and_asks_others_to_try_again_later(
    tmp_path: Path, desk: Telephone
) -> None:
    async with breakable_demo(tmp_path / "data", workers=1, regions=(EU,)) as world:
        caller = Caller(desk.dial(dialled(world, "clinic")))
        await caller.answered()
        await caller.hears()
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(world.terminated(EU))

            async def busy() -> bool:
                line = desk.dial(dialled(world, "clinic"))
                await line.answered()
                if line.stands:  # the node has not heard yet that it is to drain
                    line.hang_up()
                end = await line.over()
                if end.status == 503:
                    assert end.headers is not None
                    assert int(end.headers.get("retry-after") or "0") > 0
                return end.status == 503

            await until(busy)
        assert draining.result() == 0
        async with asyncio.timeout(HANG_SECONDS):
            assert (await caller.line.over()).cause == "remote_bye"


async def test_the_metrics_tell_of_phone_calls_and_the_log_of_no_caller(
    world: World, desk: Telephone
) -> None:
    before = await world.metric(EU, "inland_phone_calls_established_total")
    caller = Caller(desk.dial(dialled(world, "clinic"), user="+4917012345678"))
    await caller.answered()
    await caller.hears()
    await caller.hangs_up()

    async def counted() -> bool:  # a node gathers its metrics at most once a second
        return await world.metric(EU, "inland_phone_calls_established_total") == before + 1

    await until(counted)
    assert "4917012345678" not in world.logs
    assert caller.line.session.call_id not in world.logs
