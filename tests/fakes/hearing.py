"""A detector and a recogniser that follow a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.events import Expectation
from edge.grammar import Grammar, Node
from edge.media.frames import Band, Samples
from edge.speech.activity import CHUNK, DetectorTrack, SpeechDetector
from edge.speech.channel import Channel
from edge.speech.recognizer import Recognition, RecognizerError


def expecting(root: Node, name: str = "step") -> Expectation:
    """An expectation of this grammar."""
    return Expectation(name, Grammar(name, root))


class LevelDetector(SpeechDetector):
    """Takes loud audio for speech: 0.95 when any sample of the chunk is over 1,000, else 0.02.

    Runs by itself as soon as a chunk is whole: no ticker needed.
    """

    def __init__(self) -> None:
        self._tracks = {}
        self._running = False

    def track(self, on_probability: Callable[[float], None]) -> DetectorTrack:
        track = _EagerTrack(self, on_probability)
        self._tracks[track] = None
        return track

    def _run(self, ready: list[DetectorTrack]) -> None:
        for track in ready:
            loud = bool((abs(track.take()[-CHUNK:].astype(int)) > 1000).any())
            epoch, _ = track.state
            track.deliver(epoch, 0.95 if loud else 0.02)

    @property
    def tracks(self) -> int:
        return len(self._tracks)


class _EagerTrack(DetectorTrack):
    def feed(self, samples: Samples) -> None:
        super().feed(samples)
        self._detector.tick()


@dataclass
class ScriptedUtterance:
    """Says ``script[n]`` once it heard ``n`` samples or more."""

    script: dict[int, str]
    failing: str = ""
    heard: int = 0
    over: int = 0
    """How often the utterance ended: by ``finish`` or ``discard``."""
    audio: list[Samples] = field(default_factory=list)

    def accept(self, samples: Samples) -> None:
        if self.failing == "accept":
            raise RecognizerError("scripted")
        self.audio.append(samples)
        self.heard += len(samples)

    def partial(self) -> str:
        if self.failing == "partial":
            raise RecognizerError("scripted")
        reached = [at for at in self.script if at <= self.heard]
        return self.script[max(reached)] if reached else ""

    async def finish(self) -> Recognition:
        if self.failing == "finish":
            raise RecognizerError("scripted")
        self.over += 1
        return Recognition(self.partial(), bool(self.partial()), 0.9)

    def discard(self) -> None:
        self.over += 1


class ScriptedRecognizer:
    """Utterance ``n`` follows ``scripts[n]``, the last script for ever."""

    name = "scripted"
    free_speech = False

    def __init__(self, *scripts: dict[int, str], failing: str = "") -> None:
        self.scripts = scripts or ({},)
        self.failing = failing
        self.begun: list[ScriptedUtterance] = []
        self.expectations: list[Expectation] = []
        self.prepared: list[Expectation] = []
        self.channels: list[tuple[Channel, Band]] = []

    def begin(self, expectation: Expectation, channel: Channel) -> ScriptedUtterance:
        self.channels.append((channel, channel.band))
        if self.failing == "begin":
            raise RecognizerError("scripted")
        script = self.scripts[min(len(self.begun), len(self.scripts) - 1)]
        self.expectations.append(expectation)
        self.begun.append(ScriptedUtterance(script, self.failing))
        return self.begun[-1]

    def prepare(self, expectation: Expectation, channel: Channel) -> None:
        if self.failing == "prepare":
            raise RecognizerError("scripted")
        self.prepared.append(expectation)

    async def close(self) -> None:
        pass
