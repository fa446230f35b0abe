"""Fixed words of the operator, spoken and shown to a caller outside of any conversation."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from edge.exchange import Mouth
from edge.realtime import Event, event
from edge.speech.voice import VoiceError

log = logging.getLogger(__name__)


class Announcer:
    """An :class:`edge.leaving.Announce`. Cancelling it cuts it off; the playout is its alone."""

    def __init__(self, speaker: Mouth, send: Callable[[Event], None]) -> None:
        self._speaker = speaker
        self._send = send

    async def __call__(self, kind: str, words: str) -> None:
        """Returns when the words were heard. A voice that fails leaves them to be read."""
        response = f"resp_{secrets.token_hex(8)}"
        about = {"response_id": response, "item_id": response}
        self._send(event("inland.notice", notice=kind, text=words))
        self._send(event("response.created", response={"id": response, "status": "in_progress"}))
        self._send(event("response.output_audio_transcript.delta", delta=words, **about))
        self._send(event("response.output_audio_transcript.done", transcript=words, **about))
        answer = self._speaker.begin()
        answer.say(words)
        answer.finish()
        try:
            await answer.run()
        except VoiceError as error:
            log.error("voice failed", extra={"reason": type(error).__name__})
        self._send(event("response.done", response={"id": response, "status": "completed"}))
