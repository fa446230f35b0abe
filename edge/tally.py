"""What passes over a call's leg, counted for its receipt."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from edge.events import JsonValue
from edge.ledger import Ledger, Place, carrier
from edge.leg import Leg, TransferRequest, TransferResult
from edge.media.frames import Samples
from regions.models import DataClass, Operation

_WORDS: Mapping[str, str] = {
    "conversation.item.input_audio_transcription.completed": "transcript",
    "inland.transcript.partial": "text",
    "response.output_audio_transcript.delta": "delta",
    "response.output_audio_transcript.done": "transcript",
}
"""Events that tell the far end what was said, and in which field."""
_VARIABLES: Mapping[str, str] = {
    "inland.tool.result": "output",
    "response.function_call_arguments.done": "arguments",
}
"""Events that tell it what a tool was given and gave."""
_SAMPLE_BYTES = 2


class LegTally:
    """The leg's part of a ledger: the audio of both ways, and what the far end is told.

    Audio counts as the 16-bit PCM it is on the host, words as UTF-8: what the packets around them
    add is not of the call. It is counted in integers as it happens and entered by :meth:`settle`.
    """

    def __init__(self, ledger: Ledger, host: Place, leg: Leg) -> None:
        self._ledger = ledger
        self._host = host
        self._leg = leg
        phone = leg.kind == "sip"
        self._far = carrier("sip", leg.trunk) if phone else Place("caller", leg.kind, "")
        self._told_of = not phone  # a telephone has no event channel
        self._began = self._hushed = False
        self._heard = self._heard_entered = self._spoken_entered = 0
        self._told: dict[DataClass, int] = {}

    def begin(self) -> None:
        """Media can flow: the far end and the host have audio from here on, the host words."""
        self._began = True
        for place in (self._far, self._host):
            self._ledger.touch(place, DataClass.AUDIO, Operation.PROCESS)
        self._ledger.touch(self._host, DataClass.TRANSCRIPT, Operation.PROCESS)

    def counted(self, hear: Callable[[Samples], None]) -> Callable[[Samples], None]:
        """``hear``, counting what it is given."""

        def heard(samples: Samples) -> None:
            self._heard += samples.nbytes
            hear(samples)

        return heard

    def send(self, event: Mapping[str, JsonValue]) -> None:
        """Send an event to the far end; see ``Leg``. Nothing is sent after :meth:`hush`."""
        if self._hushed:
            return
        self._leg.send(event)
        if self._told_of:
            self._count(event)

    def typed(self, words: str) -> None:
        """The far end wrote something."""
        self._ledger.touch(
            self._far, DataClass.TRANSCRIPT, Operation.PROCESS, received=_size(words)
        )

    @property
    def can_transfer(self) -> bool:
        """See ``Leg``."""
        return self._leg.can_transfer and not self._hushed

    async def transfer(self, request: TransferRequest) -> TransferResult:
        """Ask for the caller to be taken over; see ``Leg``.

        The leg's own carrier is told whom to call and under which reference; where it takes the
        caller's audio then is outside of what we see. Nobody is asked after :meth:`hush`.
        """
        if self._hushed:
            return TransferResult(False, 0, "leaving")
        taker = carrier("transfer", self._leg.trunk)
        asked = len(f"{request.to}{request.reference}".encode())
        self._ledger.touch(taker, DataClass.ROUTING, Operation.EXPORT, sent=asked)
        result = await self._leg.transfer(request)
        if result.ok:
            self._ledger.touch(taker, DataClass.AUDIO, Operation.EXPORT)
        return result

    def hush(self) -> None:
        """Nothing of the call passes here from now on: what was counted is entered, and what the
        far end hears yet are fixed words that are not the call's."""
        self.settle()
        self._hushed = True

    def settle(self) -> None:
        """Enter what was counted since the last time."""
        if not self._began or self._hushed:
            return
        heard, self._heard_entered = self._heard - self._heard_entered, self._heard
        played = self._leg.playout.played * _SAMPLE_BYTES
        spoken, self._spoken_entered = played - self._spoken_entered, played
        audio = DataClass.AUDIO, Operation.PROCESS
        self._ledger.touch(self._far, *audio, sent=spoken, received=heard)
        self._ledger.touch(self._host, *audio, sent=heard, received=spoken)
        for data_class, told in self._told.items():
            if told:
                self._ledger.touch(self._far, data_class, Operation.PROCESS, sent=told)
                self._told[data_class] = 0

    def _count(self, event: Mapping[str, JsonValue]) -> None:
        kind = str(event["type"])
        if kind in _WORDS:
            self._tell(DataClass.TRANSCRIPT, event[_WORDS[kind]])
        elif kind in _VARIABLES:
            self._tell(DataClass.VARIABLES, event[_VARIABLES[kind]])
        elif kind == "session.created":
            match event.get("inland"):
                case {"turns": [_, *_] as turns}:
                    self._tell(DataClass.TRANSCRIPT, turns)

    def _tell(self, data_class: DataClass, value: JsonValue) -> None:
        if data_class not in self._told:
            self._told[data_class] = 0
            self._ledger.touch(self._far, data_class, Operation.PROCESS)
        self._told[data_class] += _size(value)


def _size(value: JsonValue) -> int:
    text = value if isinstance(value, str) else json.dumps(value, default=dict, ensure_ascii=False)
    return len(text.encode(errors="surrogatepass"))
