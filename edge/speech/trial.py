"""Loads a model once: ``python -m edge.speech.trial KIND NAME=PATH…``, a path for each role.

A process of its own, because a broken model file can end the process that loads it; a voice brings
its GPL-3 engine with it. Exits with 0 when the model loads and runs, else with 1 and a line that
says why.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

# onnxruntime writes a device id to the home folder unless told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np


def recognizer(encoder: Path, decoder: Path, joiner: Path, tokens: Path) -> None:
    """Load a streaming transducer and hear half a second of silence."""
    import sherpa_onnx

    engine = sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(tokens),
        encoder=str(encoder),
        decoder=str(decoder),
        joiner=str(joiner),
        num_threads=1,
    )
    stream = engine.create_stream()
    stream.accept_waveform(16_000, np.zeros(8_000, np.float32))
    while engine.is_ready(stream):
        engine.decode_stream(stream)


def voice(model: Path, config: Path) -> None:
    """Load a piper voice and say a word."""
    from edge.speech.voices.piper import Piper, language_of

    engine = Piper(model.parent)
    clip = engine.synthesize("one", language_of(config), lambda: False)
    if len(clip.samples) == 0:
        raise ValueError("it makes no sound")


def turn(model: Path) -> None:
    """Load an end-of-turn model and run it on zeros."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    inputs = {
        entry.name: np.zeros([n if isinstance(n, int) else 1 for n in entry.shape], np.float32)
        for entry in session.get_inputs()
    }
    session.run(None, inputs)


def main(argv: list[str]) -> int:
    """Load what ``argv`` names; returns the exit status."""
    kind, *pairs = argv
    paths = {name: Path(path) for name, _, path in (pair.partition("=") for pair in pairs)}
    loaders: dict[str, Callable[..., None]]
    loaders = {"recognizer": recognizer, "voice": voice, "turn": turn}
    try:
        loaders[kind](**paths)
    except Exception as error:
        # Whatever an engine raises means the same here: this model is of no use on this machine.
        text = " ".join(str(error).split())[:300]
        sys.stdout.write(f"{type(error).__name__}: {text}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
