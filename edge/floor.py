"""Who has the floor: what the caller does, as utterances for the dialog and events for a client."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import assert_never

from edge.clock import Clock
from edge.events import CallerEvent, Heard, Partial, SpeechStarted
from edge.keypad import Keypad
from edge.realtime import Event, event

WAITING = 16
"""Utterances that may wait for the dialog; more are lost."""


class Floor:
    """Called from the media path, so nothing blocks but :meth:`next`, :meth:`free` and
    :meth:`watch_keys`.

    ``on_interrupt`` is called as soon as the caller does anything, ``on_hearing`` when the agent
    is to be seen listening to it.
    """

    def __init__(
        self,
        publish: Callable[[Event], None],
        clock: Clock,
        *,
        on_interrupt: Callable[[], None],
        on_hearing: Callable[[], None],
    ) -> None:
        self._publish = publish
        self._clock = clock
        self._on_interrupt = on_interrupt
        self._on_hearing = on_hearing
        self._began_at = clock.monotonic()
        self._inbox: asyncio.Queue[Heard] = asyncio.Queue(maxsize=WAITING)
        self._free = asyncio.Event()
        self._free.set()
        self._item = ""
        self._away = False
        self._back_at = -math.inf
        self._entries = 0
        """Keyed utterances in the inbox."""
        self._keypad = Keypad()
        self._pressed = asyncio.Event()
        self._keys_began_at: float | None = None
        self.keys_wanted = 0
        """Keys that are a whole entry where the dialog stands; 0 when it does not know."""

    # --- what the dialog asks ------------------------------------------------------------------

    async def free(self) -> None:
        """Returns when the caller is not in the middle of something."""
        await self._free.wait()

    @property
    def typed_ahead(self) -> bool:
        """Whether keys wait for the dialog: who knows the menu does not want to hear it (what is
        spoken so early is mostly "hello?"). VoiceXML 2.0, section 4.1.8, has it so."""
        return self._entries > 0

    async def next(self, seconds: float) -> Heard | None:
        """The next utterance, or None after a silence of ``seconds`` in which nobody spoke."""
        while True:
            try:
                async with asyncio.timeout(seconds):
                    heard = self._taken(await self._inbox.get())
                if heard.began_at >= self._back_at:
                    return heard
            except TimeoutError:
                if self._free.is_set():
                    return None

    @contextmanager
    def away(self) -> Iterator[None]:
        """The caller is on the way to somebody else: what is heard meanwhile is not for us."""
        self._away = True
        try:
            yield
        finally:
            self._away = False
            self._back_at = self._clock.monotonic()
            while not self._inbox.empty():
                self._taken(self._inbox.get_nowait())

    # --- what the caller does ------------------------------------------------------------------

    def on_caller(self, happened: CallerEvent) -> None:
        """The listener heard something."""
        match happened:
            case SpeechStarted():
                self._begin()
                self._publish(
                    event(
                        "input_audio_buffer.speech_started",
                        audio_start_ms=self._now_ms(happened.at),
                        item_id=self._item,
                    )
                )
                self._on_interrupt()
                if not self._away:
                    self._on_hearing()
            case Partial():
                self._publish(
                    event("inland.transcript.partial", item_id=self._item, text=happened.text)
                )
            case Heard():
                self._finished(happened)
            case _:
                assert_never(happened)

    def typed(self, text: str) -> None:
        """The caller typed instead of speaking."""
        now = self._clock.monotonic()
        self._begin()
        self._on_interrupt()
        self._finished(Heard(text, True, 1.0, now, now, now, now))

    def pressed(self, key: str) -> None:
        """The caller pressed a key of their telephone: it interrupts as speech does."""
        now = self._clock.monotonic()
        if self._keys_began_at is None:
            self._keys_began_at = now
            self._begin()
            self._on_interrupt()
            if not self._away:
                self._on_hearing()
        self._entered(self._keypad.press(key, now, self.keys_wanted))
        self._pressed.set()

    async def watch_keys(self) -> None:
        """End entries that no key ends. Never returns; belongs in the call's task group."""
        while True:
            due = self._keypad.due
            left = None if due is None else max(0.0, due - self._clock.monotonic())
            try:
                async with asyncio.timeout(left):
                    await self._pressed.wait()
                self._pressed.clear()
            except TimeoutError:
                self._entered(self._keypad.poll(self._clock.monotonic()))

    def _entered(self, keys: str | None) -> None:
        """An entry is over. A client is told how long it is and no more: it may be a secret."""
        began_at = self._keys_began_at
        if keys is None or began_at is None:
            return
        self._keys_began_at = None
        if not keys:
            self._free.set()
            return
        now = self._clock.monotonic()
        self._publish(event("inland.dtmf.received", item_id=self._item, count=len(keys)))
        self._deliver(Heard(keys, True, 1.0, began_at, now, now, now, keyed=True))

    def _begin(self) -> None:
        self._item = f"item_{secrets.token_hex(8)}"
        self._free.clear()

    def _finished(self, heard: Heard) -> None:
        self._publish(
            event(
                "input_audio_buffer.speech_stopped",
                audio_end_ms=self._now_ms(heard.ended_at),
                item_id=self._item,
            )
        )
        self._publish(
            event(
                "conversation.item.input_audio_transcription.completed",
                item_id=self._item,
                transcript=heard.text,
                understood=heard.understood,
            )
        )
        self._deliver(heard)

    def _deliver(self, heard: Heard) -> None:
        self._free.set()
        if not self._inbox.full():
            self._inbox.put_nowait(heard)
            self._entries += heard.keyed

    def _taken(self, heard: Heard) -> Heard:
        self._entries -= heard.keyed
        return heard

    def _now_ms(self, at: float) -> int:
        return max(0, int((at - self._began_at) * 1000))
