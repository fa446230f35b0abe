"""A voice, an engine and a tiny piper model that speak as they are told to."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import numpy as np

from edge.media.playout import Mark
from edge.speech.voice import Speech, VoiceError, VoiceLost
from edge.speech.voices.engine import Clip, EngineError

WORD = re.compile(r"\s*\S+\s*|\s+")


class FakeVoice:
    """One chunk per word, ``frames`` frames of 20 ms each.

    ``fail_after`` says, for one text after the other, after how many chunks it fails with
    ``failure`` (None: never). While ``gate`` is not set, no chunk comes.
    """

    name = "fake"

    def __init__(self, frames: int = 2) -> None:
        self.frames = frames
        self.asked: list[str] = []
        self.languages: list[str] = []
        self.stopped = 0
        """Generators that were closed before their end."""
        self.fail_after: list[int | None] = []
        self.failure: VoiceError = VoiceLost("told to")
        self.gate = asyncio.Event()
        self.gate.set()

    async def speak(self, text: str, *, language: str, rate: int) -> AsyncGenerator[Speech, None]:
        self.asked.append(text)
        self.languages.append(language)
        limit = self.fail_after.pop(0) if self.fail_after else None
        ended = False
        try:
            for number, word in enumerate(WORD.findall(text)):
                await self.gate.wait()
                if number == limit:
                    ended = True
                    raise self.failure
                count = rate // 50 * self.frames
                yield Speech(np.full(count, 1000, np.int16), (Mark(count, word),))
            ended = True
            if limit is not None and limit >= len(WORD.findall(text)):
                raise self.failure
        finally:
            if not ended:
                self.stopped += 1

    async def close(self) -> None:
        pass


class FakeEngine:
    """0.1 s of tone per word at ``rate``.

    A text waits while ``gate`` is not set, and one with ``hold`` in it waits to be cancelled.
    """

    eager = False

    def __init__(self, name: str = "fake", piece: int = 300, language: str = "en") -> None:
        self.name = name
        self.piece = piece
        self.rate = 8000
        self.language = language
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.hold: str | None = None
        self.failure: Exception | None = None

    def speaks(self, language: str) -> bool:
        return language == self.language

    def warm(self, language: str) -> None:
        if self.failure is not None:
            raise self.failure

    def synthesize(self, text: str, language: str, cancelled: Callable[[], bool]) -> Clip:
        self.asked.append(text)
        self.entered.release()
        held = self.hold is not None and self.hold in text
        while not self.gate.wait(0.01) or held:
            if cancelled():
                raise EngineError("cancelled")
        if self.failure is not None:
            raise self.failure
        words = WORD.findall(text)
        each = self.rate // 10
        marks = tuple(Mark(each * number, word) for number, word in enumerate(words, 1))
        return Clip(np.full(each * len(words), 1000, np.int16), self.rate, marks)


def write_piper_voice(folder: Path, code: str = "en_US", name: str = "toy") -> Path:
    """A piper voice with the inputs and the output of a VITS export: 256 samples per phoneme id.

    The tone's height follows the phoneme, so that different texts sound different.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

    wave = np.sin(2 * np.pi * np.arange(256) / 64).astype(np.float32).reshape(1, 1, 256)
    nodes = [
        helper.make_node("Cast", ["input"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["ids", "last"], ["column"]),
        helper.make_node("Mul", ["column", "wave"], ["table"]),
        helper.make_node("Div", ["table", "most"], ["quiet"]),
        helper.make_node("Reshape", ["quiet", "shape"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info("input", TensorProto.INT64, [1, None]),
            helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
            helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, None])],
        [
            numpy_helper.from_array(wave, "wave"),
            numpy_helper.from_array(np.array([2]), "last"),
            numpy_helper.from_array(np.array(256, np.float32), "most"),
            numpy_helper.from_array(np.array([1, 1, 1, -1]), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{code}-{name}.onnx"
    onnx.save(model, str(path))
    config = {
        "audio": {"sample_rate": 22_050},
        "espeak": {"voice": "en-us"},
        "language": {"code": code},
        "num_symbols": 256,
        "num_speakers": 1,
        "phoneme_type": "espeak",
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
    }
    Path(f"{path}.json").write_text(json.dumps(config))
    return path
