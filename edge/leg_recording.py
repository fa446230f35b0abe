"""The recording of one leg while its call goes on: when it begins, and who is told."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge.conversation import Conversation
from edge.leg import Leg
from edge.logs import short
from edge.media.frames import Samples
from edge.realtime import Event, event
from edge.recorded import RecordingOrder
from edge.recording.recorder import Recorder
from edge.session.records import EndReason

log = logging.getLogger(__name__)


class LegRecording:
    """Taps the leg from :meth:`begin` on; the caller's side once the notice was heard.

    ``end`` ends the call: where a required recording cannot be made, or may not go on. A call that
    may not stay at all is not ended from here: it has a farewell, or is moved.
    """

    def __init__(
        self,
        order: RecordingOrder,
        leg: Leg,
        send: Callable[[Event], None],
        end: Callable[[EndReason], None],
        call_id: str,
    ) -> None:
        self._order = order
        self._leg = leg
        self._send = send
        self._end = end
        self._call_id = call_id
        self._recorder: Recorder | None = None
        self._leaves = False

    def begin(self, conversation: Conversation) -> Recorder:
        """Media flows. Whoever is given the recorder runs it."""
        recorder = self._recorder = self._order.begin()
        hear, tap = self._leg.on_audio, recorder.tap

        def heard(samples: Samples) -> None:
            tap.heard(samples)
            hear(samples)

        self._leg.on_audio = heard
        self._leg.playout.on_frame = tap.played
        recorder.on_stopped = self._stopped
        recorder.on_lost = self._lost
        if self._order.notice is None:
            self._told()
        else:
            conversation.on_notice = self._noticed
        return recorder

    def judge(self, reason: str | None = None) -> None:
        """The law may say otherwise by now; with a ``reason`` it keeps the whole call from here."""
        self._leaves = self._leaves or reason is not None
        if self._recorder is not None:
            self._recorder.judge(reason)

    async def close(self) -> None:
        """Keep what is left. Whoever awaits it bounds it."""
        if self._recorder is not None:
            await self._recorder.close()

    def _noticed(self, words: str, complete: bool) -> None:
        if words != self._order.notice:
            return
        if complete:
            self._told()
            return
        log.error("notice not heard", extra={"call": short(self._call_id)})
        if self._order.required:
            self._end("error")

    def _told(self) -> None:
        if self._recorder is not None and not self._recorder.ended:
            self._recorder.begin()
            self._send(event("inland.recording", state="on"))

    def _stopped(self) -> None:
        self._send(event("inland.recording", state="off"))
        self._lost()

    def _lost(self) -> None:
        if self._order.required and not self._leaves:
            self._end("error")
