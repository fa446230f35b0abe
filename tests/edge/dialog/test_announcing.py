"""A notice is said first, whole, at every beginning, and changes nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

from edge.dialog.announcing import Announcing
from edge.events import Act, HangUp, Heard, Say
from tests.edge.talk import ScriptedConductor

NOTICE = "This call is recorded."


async def acts(stream: AsyncIterator[Act]) -> list[Act]:
    return [act async for act in stream]


async def test_the_notice_comes_first_and_cannot_be_interrupted() -> None:
    conductor = Announcing(ScriptedConductor([Say("good morning")]), NOTICE)
    first, second, *_ = await acts(conductor.open(1))
    assert first == Say(NOTICE, interruptible=False)
    assert second == Say("good morning")


async def test_it_is_said_again_to_a_caller_who_comes_back() -> None:
    first, *_ = await acts(Announcing(ScriptedConductor([Say("as I said")]), NOTICE).resume(3))
    assert first == Say(NOTICE, interruptible=False)


async def test_no_other_answer_has_it() -> None:
    conductor = Announcing(ScriptedConductor([Say("yes")], [Say("still there")]), NOTICE)
    heard = Heard("hello", True, 1.0, 0.0, 0.0, 0.0, 0.0)
    for stream in (conductor.respond(heard, 2), conductor.quiet(2)):
        assert Say(NOTICE, interruptible=False) not in await acts(stream)


async def test_an_iterator_that_is_closed_closes_the_others() -> None:
    closed: list[bool] = []

    class Watched(ScriptedConductor):
        async def _acts(self, name: str) -> AsyncIterator[Act]:
            try:
                yield Say("good morning")
                yield HangUp("completed")
            finally:
                closed.append(True)

    stream = Announcing(Watched(), NOTICE).open(1)
    await anext(stream)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert closed == [True]
