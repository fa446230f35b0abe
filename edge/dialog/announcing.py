"""A conductor that says a notice before anything else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from edge.dialog.conductor import Conductor
from edge.events import Act, Heard, JsonValue, Say, TransferFailure, Turn


class Announcing:
    """A :class:`~edge.dialog.conductor.Conductor` whose first words, also after a reconnect, are a
    notice that nobody can interrupt; all else is the other conductor's."""

    def __init__(self, conductor: Conductor, notice: str) -> None:
        self._conductor = conductor
        self._notice = notice
        self.silence_seconds = conductor.silence_seconds

    def open(self, turn: int) -> AsyncIterator[Act]:
        return self._after_notice(self._conductor.open(turn))

    def resume(self, turn: int) -> AsyncIterator[Act]:
        return self._after_notice(self._conductor.resume(turn))

    def transfer_failed(self, turn: int, reason: TransferFailure) -> AsyncIterator[Act]:
        return self._conductor.transfer_failed(turn, reason)

    def respond(self, heard: Heard, turn: int) -> AsyncIterator[Act]:
        return self._conductor.respond(heard, turn)

    def quiet(self, turn: int) -> AsyncIterator[Act]:
        return self._conductor.quiet(turn)

    def played(self, text: str, complete: bool) -> None:
        self._conductor.played(text, complete)

    def state(self) -> JsonValue:
        return self._conductor.state()

    def restore(self, state: JsonValue, history: Sequence[Turn]) -> None:
        self._conductor.restore(state, history)

    async def _after_notice(self, acts: AsyncIterator[Act]) -> AsyncIterator[Act]:
        yield Say(self._notice, interruptible=False)
        async with aclosing(acts) as stream:  # type: ignore[type-var]
            async for act in stream:
                yield act
