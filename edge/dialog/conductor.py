"""What a call needs of whatever conducts its conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from edge.events import Act, Heard, JsonValue, TransferFailure, Turn


class Conductor(Protocol):
    """The agent's side of one conversation. One iterator is open at a time.

    Every iterator ends with an ``Expect``, a ``HangUp`` or a ``Handover``. It may be closed, or the
    task that awaits it cancelled, at any act: what was understood by then stays understood, and a
    tool that was running is settled by the next ``respond`` or ``resume``. Iterators raise no error
    of a tool or a model: those are spoken.

    A ``ToolCalled`` is yielded after the ledger has the call as pending and *before* it runs. A
    caller that stores ``state()`` when it sees one can be killed at any point without a doubled or
    lost tool call.
    """

    silence_seconds: float
    """After this much silence of the caller, ``quiet`` is due."""

    def open(self, turn: int) -> AsyncIterator[Act]:
        """The greeting."""
        ...

    def resume(self, turn: int) -> AsyncIterator[Act]:
        """After a reconnect: a short re-orientation and the pending question.

        A tool left pending is run again with its own key if it honours one, else reported as
        unknown.
        """
        ...

    def transfer_failed(self, turn: int, reason: TransferFailure) -> AsyncIterator[Act]:
        """After a ``Handover`` nobody took the caller: that, and the question that was pending.

        ``resume`` does the same when the conversation was cut off between a ``Handover`` and its
        end: the caller may then ask for a person once more, and nobody is called twice unasked.
        """
        ...

    def respond(self, heard: Heard, turn: int) -> AsyncIterator[Act]:
        """The answer to what the caller said."""
        ...

    def quiet(self, turn: int) -> AsyncIterator[Act]:
        """The caller said nothing: the question again, in the end goodbye and ``HangUp``."""
        ...

    def played(self, text: str, complete: bool) -> None:
        """What of the last answer was heard; the memory keeps that and no more."""
        ...

    def state(self) -> JsonValue:
        """Everything a resume needs, as JSON."""
        ...

    def restore(self, state: JsonValue, history: Sequence[Turn]) -> None:
        """Take over where another conductor of the same agent stood.

        A state that does not fit the agent (a newer version of its file) is dropped: the
        conversation then starts from "how can I help".
        """
        ...
