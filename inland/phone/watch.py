"""Tells what happens on one line of a telephone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge.transport.sip.core.events import (
    Agreed,
    Answered,
    Confirmed,
    Offered,
    Progress,
    SessionEvent,
)
from inland.phone.described import Described
from inland.phone.records import EarlyMedia, Held, PhoneAnswered, PhoneRecord, Ringing
from inland.phone.talk import PhoneTalk
from inland.phone.telephone import PhoneLine


class LineWatch:
    """Turns the session's events into records. The line was dialled when this is made."""

    def __init__(
        self, line: PhoneLine, talk: PhoneTalk, emit: Callable[[PhoneRecord], None]
    ) -> None:
        self._line = line
        self._talk = talk
        self._emit = emit
        self._dialled_at = talk.now
        self._described: Described | None = None
        self._rang: set[int] = set()
        self._early = False

    def happened(self, event: SessionEvent) -> None:
        """An event, after the line has acted on it."""
        if self._line.fault:
            return
        match event:
            case Progress():
                self._progressed(event)
            case Answered(sdp=sdp):
                self._answered(sdp)
            case Offered(sdp=sdp) | Confirmed(sdp=sdp) | Agreed(sdp=sdp):
                self._redescribed(Described.of(sdp))

    def _progressed(self, event: Progress) -> None:
        now, described = self._talk.now, Described.of(event.sdp)
        if described is not None and not self._early:
            self._early = True
            self._described = described
            self._emit(EarlyMedia(now, event.status, self._codec, self._suite))
        elif event.status not in self._rang:
            self._rang.add(event.status)
            self._emit(Ringing(now, event.status, event.reason))

    def _answered(self, sdp: bytes | None) -> None:
        now = self._talk.now
        described = self._described = Described.of(sdp) or self._described
        after = round((now - self._dialled_at) * 1000, 1)
        media = "" if described is None else described.address
        self._emit(PhoneAnswered(now, after, self._codec, self._suite, media))

    def _redescribed(self, new: Described | None) -> None:
        before = self._described
        if new is None or before is None:
            return
        if new.held != before.held:
            self._hold(new.held)
        if new.held:  # a hold of old has no address: the one before it counts
            new = replace(new, address=before.address)
        elif new.address != before.address:
            self._talk.moved(before.address, new.address)
        self._described = new

    def _hold(self, on: bool) -> None:
        self._emit(Held(self._talk.now, "agent", on))
        if on:
            self._talk.pause()
        else:
            self._talk.go_on()

    @property
    def _suite(self) -> str:
        """An answer names one suite; without a profile of its own (RTP/AVP) it may be plain."""
        described = self._described
        return described.suite if described is not None and self._line.leg.encrypted else ""

    @property
    def _codec(self) -> str:
        return self._line.leg.media.receiver.codec.name
