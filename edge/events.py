"""The hallway: the few frozen types that several rooms of the edge speak.

The listener produces :data:`CallerEvent`, the dialog consumes :class:`Heard` and produces
:data:`Act`, the call commits :class:`Turn`. All times are seconds of ``Clock.monotonic()`` unless
a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from edge.grammar import Grammar

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | Mapping[str, JsonValue] | None"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the dialog expects to hear next.

    ``grammar`` lists the sentences that make sense now; a grammar recogniser hears nothing else.
    A free-speech recogniser takes ``phrases`` as bias and the dialog spots the meaning in the text.
    So many ``keys`` of a telephone are a whole answer; 0 when their number is not known.
    """

    name: str
    grammar: Grammar
    phrases: tuple[str, ...] = ()
    keys: int = 0


# --- the caller ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The voice activity detector decided that the caller speaks."""

    at: float


@dataclass(frozen=True, slots=True)
class Partial:
    """The words so far; later partials of the utterance may revise them."""

    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """One finished utterance of the caller.

    ``understood`` is False when speech was there but matched nothing that was expected; ``text``
    is then the closest guess or empty. ``ended_at`` is the time of the last audible frame,
    ``decided_at`` when the end of turn was decided, ``recognised_at`` when the words were final.
    """

    text: str
    understood: bool
    confidence: float
    began_at: float
    ended_at: float
    decided_at: float
    recognised_at: float
    keyed: bool = False
    """``text`` is what was keyed in: figures, possibly a secret."""


CallerEvent: TypeAlias = SpeechStarted | Partial | Heard


# --- the agent -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    """Words to speak, in order. ``interruptible`` is False for notices the law requires."""

    text: str
    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class Expect:
    """Listen for this from now on."""

    expectation: Expectation


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A tool is about to run; its intent is already in the journal."""

    call_id: str
    name: str
    arguments: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool came back, or failed: ``output`` then says how."""

    call_id: str
    name: str
    ok: bool
    output: JsonValue


TransferKind: TypeAlias = Literal["blind", "attended"]
"""The caller is sent on at once, or only after the other side has answered."""


@dataclass(frozen=True, slots=True)
class HandoverTarget:
    """Where a person is: an E.164 number or a SIP URI. ``announce`` is said before the caller is
    given away, nothing when empty."""

    to: str
    kind: TransferKind
    announce: str


@dataclass(frozen=True, slots=True)
class Handover:
    """The caller is to be given to a person. ``summary`` is for that person's eyes.

    With a ``target`` a call whose leg can transfer does so; if nobody takes the caller, the dialog
    goes on (``Conductor.transfer_failed``). Else the call ends here.
    """

    reason: str
    summary: str
    target: HandoverTarget | None = None


TransferFailure: TypeAlias = Literal["busy", "no_answer", "refused", "unreachable", "unknown"]
"""Why nobody took the caller. ``unknown``: the edge that asked died before it was told."""

TRANSFER_TOOL = "transfer_to_person"
"""The name of a transfer where tools have names: in the journal, and for a language model."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The conversation is over once everything said so far has been played."""

    reason: str


Act: TypeAlias = Say | Expect | ToolCalled | ToolReturned | Handover | HangUp


# --- what is kept ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolRecord:
    """One tool call of a turn, as the journal keeps it."""

    call_id: str
    name: str
    arguments: Mapping[str, JsonValue]
    ok: bool
    output: JsonValue


@dataclass(frozen=True, slots=True)
class Turn:
    """One committed exchange: what the caller said, what they heard of the answer.

    ``number`` counts from 1; the greeting is turn 1 with an empty ``caller``. ``at`` is wall time.
    """

    number: int
    caller: str
    agent: str
    interrupted: bool
    at: float
    tools: tuple[ToolRecord, ...] = field(default=())


Stage: TypeAlias = Literal["endpoint", "recognise", "think", "voice", "playout"]


@dataclass(frozen=True, slots=True)
class TurnTimings:
    """Where the time of one answer went, from the caller's last audible frame; milliseconds.

    ``endpoint`` deciding that the turn was over, ``recognise`` making the words final, ``think``
    until the first words of the answer, ``voice`` until their first audio, ``playout`` until that
    audio was handed to the network. ``total`` is their sum.
    """

    turn: int
    endpoint: float
    recognise: float
    think: float
    voice: float
    playout: float

    @property
    def total(self) -> float:
        return self.endpoint + self.recognise + self.think + self.voice + self.playout
