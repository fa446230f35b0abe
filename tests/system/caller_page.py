"""The demo page in a browser tab, with a caller at its microphone whom the test controls."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import wave
from collections.abc import Mapping
from pathlib import Path

from playwright.async_api import ConsoleMessage, Page

from edge.media.frames import Samples
from inland.caller.recording import CALLER_RATE
from tests.system.world import HANG_SECONDS

SCRIPT = Path(__file__).with_name("microphone.js")
PAUSE_SECONDS = 0.3
"""What a person waits before answering."""
AUDIBLE = 0.01
"""Root mean square of sound that nobody calls silence; speech is about 0.1."""
ANSWER_SECONDS = 90.0
"""Longest from one word of the caller to the agent's next question."""


class CallerPage:
    """The page as its user has it. ``voice`` holds what the caller can say, as audio."""

    def __init__(self, page: Page, voice: Mapping[str, Samples]) -> None:
        self.page = page
        self.faults: list[str] = []
        self.said: list[str] = []
        self._answered = 0
        self._voice = voice
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._listen)

    def _listen(self, message: ConsoleMessage) -> None:
        # A request that an edge cannot answer because it was killed is logged by the browser.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    async def open(self, url: str) -> None:
        await self.page.add_init_script(path=SCRIPT)
        await self.page.goto(url)
        await self.phase("idle")

    async def phase(self, name: str) -> None:
        """Returns when the page is in this phase."""
        await self.page.wait_for_selector(f'body[data-phase="{name}"]')

    async def question(self, past: int = 0) -> str:
        """The agent's last words, once it listens and has said more than ``past`` answers."""
        listening = "document.getElementById('activity').dataset.state === 'listening'"
        said = "document.querySelectorAll('.message.agent:not(.partial)').length"
        over = "document.body.dataset.phase === 'ended'"
        await self.until(f"{over} || ({listening} && {said} > {past})", ANSWER_SECONDS)
        return (await self.words("agent"))[-1]

    async def words(self, side: str) -> list[str]:
        """What one side (``agent``, ``caller``) said, as it stands on the page."""
        return await self.page.locator(f".message.{side} .words").all_inner_texts()

    async def heard(self) -> list[tuple[str, bool]]:
        """The caller's words as they stand on the page, and whether they were understood."""
        found = []
        for message in await self.page.locator(".message.caller").all():
            words = await message.locator(".words").inner_text()
            found.append((words, await message.locator(".aside-note").count() == 0))
        return found

    async def say(self, text: str) -> None:
        """Speak into the page's microphone; returns when the words have left."""
        await asyncio.sleep(PAUSE_SECONDS)  # as a person: never on the agent's last word
        self.said.append(text)
        sound = base64.b64encode(as_wav(self._voice[text])).decode()
        await self.page.evaluate("(sound) => caller.say(sound)", sound)

    async def converse(self, rules: Mapping[str, str], until: str, *, most: int = 14) -> str:
        """Answer the agent by ``rules``, a pattern to words, until its words match ``until``."""
        for _ in range(most):
            question = await self.question(self._answered)
            if re.search(until, question, re.IGNORECASE):
                return question
            self._answered = await self.answers()
            for pattern, answer in rules.items():
                if re.search(pattern, question, re.IGNORECASE):
                    await self.say(answer)
                    break
            else:
                raise AssertionError(f"nobody knows what to say to {question!r}")
        raise AssertionError(f"the agent goes round in circles: {await self.words('agent')}")

    async def answers(self) -> int:
        """Answers of the agent so far."""
        return await self.page.locator(".message.agent").count()

    async def audible(self) -> None:
        """Returns when the agent's voice is heard."""
        heard = self.page.evaluate("(least) => caller.louder(least)", AUDIBLE)
        await asyncio.wait_for(heard, HANG_SECONDS)

    async def until(self, condition: str, seconds: float = HANG_SECONDS) -> None:
        """Returns at the first frame at which ``condition``, a JavaScript expression, holds.

        Playwright's ``wait_for_function`` evaluates strings in the page, which the content
        security policy refuses.
        """
        look = f"const look = () => ({condition}) ? done() : setTimeout(look, 20); look();"
        waited = self.page.evaluate(f"() => new Promise((done) => {{ {look} }})")
        await asyncio.wait_for(waited, seconds)


def as_wav(samples: Samples) -> bytes:
    """24 kHz mono audio as a file that browsers decode."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(CALLER_RATE)
        file.writeframes(samples.tobytes())
    return out.getvalue()
