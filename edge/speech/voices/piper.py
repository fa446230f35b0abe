"""piper voices (VITS on onnxruntime), one folder per voice in the models folder.

GPL-3: imported by the voice worker only. A voice is two files, ``NAME.onnx`` and
``NAME.onnx.json``; `inland models pull` fetches and checks them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

# onnxruntime writes a device id to the home folder unless told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
from piper import PiperVoice, SynthesisConfig
from piper.config import PiperConfig

from edge.media.frames import Samples
from edge.media.playout import Mark
from edge.speech.voices.engine import Clip, EngineError, languages_of, plain, speech_end

_MAX_CONFIG = 1_000_000
_VOLUME = 0.8
"""piper scales each sentence to full range; a little less leaves room for the resampler."""
_WORD = re.compile(r"\s*\S+\s*")


class Piper:
    """Every piper voice of a folder; each is loaded when it is first needed."""

    name = "piper"
    piece = 120
    eager = True

    def __init__(self, models: Path) -> None:
        """Find the voices in ``models`` and below. Raises ``EngineError`` if there is none."""
        self._paths: dict[str, Path] = {}
        for config in sorted((*models.glob("*.onnx.json"), *models.glob("*/*.onnx.json"))):
            model = config.with_suffix("")
            if model.is_file():
                self._paths.setdefault(language_of(config), model)
        if not self._paths:
            raise EngineError(f"no piper voice in {models}: pull one with `inland models pull`")
        self._loaded: dict[Path, PiperVoice] = {}

    @property
    def loaded(self) -> tuple[PiperVoice, ...]:
        """The voices in memory."""
        return tuple(self._loaded.values())

    def speaks(self, language: str) -> bool:
        return self.find(language) is not None

    def warm(self, language: str) -> None:
        self.synthesize("a", language, lambda: False)

    def synthesize(self, text: str, language: str, cancelled: Callable[[], bool]) -> Clip:
        path = self.find(language)
        if path is None:
            raise EngineError(f"no piper voice for {language!r}")
        voice = self._loaded.get(path)
        if voice is None:
            voice = self._loaded[path] = _load(path)
        try:
            samples = _speak(voice, plain(text), cancelled)
        except Exception as error:
            # onnxruntime and piper raise many kinds; the worker must outlive all of them.
            raise EngineError(f"piper failed with {type(error).__name__}") from error
        return Clip(samples, voice.config.sample_rate, _marks(text, samples))

    def find(self, language: str) -> Path | None:
        """The model of the nearest voice for ``language``, or None."""
        for tag in languages_of(language):
            for known, path in self._paths.items():
                if tag in languages_of(known):
                    return path
        return None


def language_of(config: Path) -> str:
    """The BCP 47 tag of a voice, from its configuration, else from its file name."""
    try:
        if config.stat().st_size > _MAX_CONFIG:
            raise EngineError(f"{config}: too large for a voice's configuration")
        code = json.loads(config.read_bytes())["language"]["code"]
    except (OSError, ValueError, KeyError, TypeError):
        code = config.name.split("-")[0]
    return str(code).lower().replace("_", "-")


def _load(path: Path) -> PiperVoice:
    """The voice on one thread: piper's own loader would take every core of a busy node."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        config = PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_bytes()))
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # Whatever is wrong with the files, what to do is the same.
        raise EngineError(
            f"{path} cannot be loaded ({type(error).__name__}): try `inland models verify`"
        ) from error
    # The lists that some languages need would otherwise be looked for in the current folder.
    return PiperVoice(session=session, config=config, download_dir=path.parent)


def _speak(voice: PiperVoice, text: str, cancelled: Callable[[], bool]) -> Samples:
    parts: list[Samples] = []
    for chunk in voice.synthesize(text, SynthesisConfig(volume=_VOLUME)):
        audio = np.nan_to_num(np.atleast_1d(chunk.audio_float_array))
        parts.append((np.clip(audio, -1.0, 1.0) * 32767).astype(np.int16))
        if cancelled():
            break
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def _marks(text: str, samples: Samples) -> tuple[Mark, ...]:
    """Marks spread over the audible part by characters: VITS does not say where words are."""
    words = _WORD.findall(text) or ([text] if text else [])
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 200)
    begin = int(loud[0]) if len(loud) else 0
    end = speech_end(samples, 0, len(samples))
    marks: list[Mark] = []
    said = 0
    for word in words:
        said += len(word)
        marks.append(Mark(begin + (end - begin) * said // len(text), word))
    return tuple(marks)
