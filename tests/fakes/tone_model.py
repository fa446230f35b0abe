"""A tiny streaming speech model that hears tones: letter k of the alphabet is 300 + 100 k Hz.

Built in the T-one CTC format that sherpa-onnx loads: 2,400 samples at 8 kHz in, 10 frames of
log probabilities out. It lets tests run the real engine without a download.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.media.frames import LISTEN_RATE, Samples

LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FRAME = 240
_STATE = 4


def build_tone_model(folder: Path) -> None:
    """Write ``model.onnx`` and ``tokens.txt``."""
    step = np.arange(_FRAME)
    pitches = np.array([300 + 100 * k for k in range(len(LETTERS))])
    angles = 2 * np.pi * step[:, None] * pitches / 8_000
    window = np.hanning(_FRAME)[:, None]
    constants = {
        "cosines": (np.cos(angles) * window).astype(np.float32),
        "sines": (np.sin(angles) * window).astype(np.float32),
        "frames": np.array([0, 10, _FRAME], np.int64),
        "scale": np.array(1 / 32768, np.float32),
        "zero": np.array(0, np.float32),
        "blank": np.array([5.0], np.float32),
        "letters": np.array([2], np.int64),
    }
    nodes: list[tuple[str, list[str], list[str], dict[str, Any]]] = [
        ("Cast", ["x"], ["float"], {"to": TensorProto.FLOAT}),
        ("Mul", ["float", "scale"], ["scaled"], {}),
        ("Reshape", ["scaled", "frames"], ["framed"], {}),
        ("MatMul", ["framed", "cosines"], ["real"], {}),
        ("MatMul", ["framed", "sines"], ["imaginary"], {}),
        ("Mul", ["real", "real"], ["real2"], {}),
        ("Mul", ["imaginary", "imaginary"], ["imaginary2"], {}),
        ("Add", ["real2", "imaginary2"], ["power"], {}),
        ("ReduceMax", ["power", "letters"], ["loudest"], {"keepdims": 1}),
        ("Mul", ["loudest", "zero"], ["nothing"], {}),
        ("Add", ["nothing", "blank"], ["silence"], {}),
        ("Concat", ["silence", "power"], ["logits"], {"axis": 2}),
        ("LogSoftmax", ["logits"], ["log_probs"], {"axis": -1}),
        ("Identity", ["state"], ["next_state"], {}),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(op, inputs, outputs, **more) for op, inputs, outputs, more in nodes],
        "tones",
        [
            value("x", TensorProto.INT32, ["N", 2_400, 1]),
            value("state", TensorProto.FLOAT16, ["N", _STATE]),
        ],
        [
            value("log_probs", TensorProto.FLOAT, ["N", 10, len(LETTERS) + 1]),
            value("next_state", TensorProto.FLOAT16, ["N", _STATE]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    about = {
        "model_type": "t-one",
        "frame_length_ms": "300",
        "state_dim": str(_STATE),
        "sample_rate": "8000",
        "version": "1",
    }
    for key, text in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "model.onnx"))
    tokens = ["<blk> 0", *(f"{letter} {k}" for k, letter in enumerate(LETTERS, 1))]
    (folder / "tokens.txt").write_text("\n".join(tokens) + "\n")


def tones(word: str) -> Samples:
    """The word in tones at 16 kHz: 90 ms a letter, 60 ms between two."""
    step = np.arange(round(0.09 * LISTEN_RATE))
    gap = np.zeros(round(0.06 * LISTEN_RATE), np.int16)
    parts: list[Samples] = []
    for letter in word:
        angle = 2 * np.pi * (300 + 100 * LETTERS.index(letter)) * step / LISTEN_RATE
        parts += [(9_800 * np.sin(angle)).astype(np.int16), gap]
    return np.concatenate(parts)
