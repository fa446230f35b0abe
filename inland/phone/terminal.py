"""A phone call as people read it: one line for each thing that happened."""

from __future__ import annotations

from inland.caller.figures import figures
from inland.caller.records import Record, Said
from inland.caller.terminal import Terminal
from inland.phone.records import (
    Dialled,
    EarlyMedia,
    Held,
    KeyHeard,
    Moved,
    Ordered,
    OrderEnded,
    OrderRecord,
    PhoneAnswered,
    PhoneEnded,
    PhoneRecord,
    Redirected,
    Ringing,
    Stage,
    Transferred,
)

_CODECS = {"opus": "Opus", "g722": "G.722", "pcmu": "PCMU", "pcma": "PCMA"}
_STAGES = {
    "dialling": "the trunk is asked",
    "ringing": "somebody's telephone rings",
    "early_media": "something is heard before the answer",
    "answered": "the agent talks",
}
_HOW = {"barge": "interrupts: ", "keyed": "presses ", "file": "plays "}


class PhoneTerminal(Terminal):
    """Prints the records of a phone call as well as those of any other."""

    def show(self, record: Record | PhoneRecord | OrderRecord) -> None:
        """Print one record."""
        match record:
            case Dialled(t=t, target=target, via=via):
                self._line(t, "dialled", f"{target} by {via.upper()}")
            case Ringing():
                self._line(record.t, "ringing", f"{record.status} {record.reason}")
            case EarlyMedia():
                how = _media(record.codec, record.encryption)
                self._line(record.t, "early", f"media before the answer: {record.status}, {how}")
            case PhoneAnswered():
                how = _media(record.codec, record.encryption)
                self._line(record.t, "answered", f"after {record.after_ms:.0f} ms, {how}")
            case Said():
                self._line(record.t, "caller", _HOW.get(record.how, "") + record.text)
            case KeyHeard():
                self._line(record.t, "agent", f"presses {record.key}")
            case Moved():
                self._moved(record)
            case Held():
                self._line(record.t, "hold" if record.on else "resumed", f"by the {record.by}")
            case Redirected():
                text = f"{record.status} {record.reason}: try {record.target}"
                self._line(record.t, "redirected", text)
            case Transferred():
                self._transferred(record)
            case PhoneEnded():
                self._over(record)
            case Ordered():
                self._line(record.t, "ordered", f"{record.node} by trunk {record.trunk}")
                self._line(None, "", f"call {record.call_id}", dim=True)
            case Stage():
                label = record.stage.removesuffix("_media")
                self._line(record.t, label, _STAGES.get(record.stage, ""))
            case OrderEnded():
                talked = "" if record.talk_seconds is None else f" after {record.talk_seconds:g} s"
                self._line(record.t, "ended", f"{record.reason}{talked}: {record.why}")
            case _:
                super().show(record)

    def _moved(self, record: Moved) -> None:
        text = (
            f"the media comes from {record.to_media}, no longer from {record.from_media}; "
            f"{record.silent_ms:.0f} ms without a packet"
        )
        self._line(record.t, "moved", text)

    def _transferred(self, record: Transferred) -> None:
        if record.status is None:
            text = f"to {record.target}"
        elif record.status < 300:
            text = f"{record.target} has answered"
        else:
            text = f"{record.target} did not take the call: {record.status} {record.reason}"
        self._line(record.t, "transfer", text)

    def _over(self, record: PhoneEnded) -> None:
        self._line(record.t, "ended", f"{record.reason}: {record.why}")
        if not record.packets:
            return
        for line in figures(record):
            self._line(None, "", line, dim=True)


def _media(codec: str, encryption: str) -> str:
    encrypted = f"SRTP {encryption}" if encryption else "not encrypted"
    return f"{_CODECS.get(codec, codec)}, {encrypted}"
