"""The files of a sherpa-onnx model, and how they are loaded.

``python -m edge.speech.sherpa_model DIR`` loads one and hears half a second of silence. The node
does that in a child before it loads a model itself: a broken file makes the engine end its process
without an exception.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import sherpa_onnx

from edge.media.frames import LISTEN_RATE
from edge.speech.recognizer import RecognizerError

TRIAL_SECONDS = 120.0
"""Longest that a child may take to load a model."""

_HINT = "run `inland models verify`"


@dataclass(frozen=True, slots=True)
class SherpaModel:
    """A model folder: ``tokens.txt`` with either a transducer or one streaming CTC model."""

    folder: Path
    tokens: Path
    encoder: Path | None = None
    decoder: Path | None = None
    joiner: Path | None = None
    ctc: Path | None = None
    vocabulary: Path | None = None
    """``bpe.vocab`` of a transducer: with it, phrases can be given as bias."""

    @property
    def biased(self) -> bool:
        """Whether expected phrases can help it."""
        return self.vocabulary is not None and self.ctc is None


def find_model(folder: Path) -> SherpaModel | None:
    """What ``folder`` holds, int8 files before float ones; None when it is no such model.

    A transducer is ``tokens.txt`` with ``encoder*.onnx``, ``decoder*.onnx`` and ``joiner*.onnx``;
    a CTC model in the T-one format is ``tokens.txt`` with ``model*.onnx``.
    """
    tokens = folder / "tokens.txt"
    if not tokens.is_file():
        return None
    encoder, decoder, joiner = (
        _onnx(folder, role, quantised=role != "decoder")
        for role in ("encoder", "decoder", "joiner")
    )
    if encoder and decoder and joiner:
        vocabulary = folder / "bpe.vocab"
        return SherpaModel(
            folder,
            tokens,
            encoder=encoder,
            decoder=decoder,
            joiner=joiner,
            vocabulary=vocabulary if vocabulary.is_file() else None,
        )
    ctc = _onnx(folder, "model", quantised=True)
    return SherpaModel(folder, tokens, ctc=ctc) if ctc else None


def _onnx(folder: Path, role: str, *, quantised: bool) -> Path | None:
    """The decoder is tiny and loses by int8; the others run twice as fast with it."""
    found = sorted(folder.glob(f"{role}*.onnx"))
    preferred = [path for path in found if ("int8" in path.name) == quantised]
    return next(iter(preferred or found), None)


def load_model(model: SherpaModel) -> Any:
    """A ``sherpa_onnx.OnlineRecognizer`` on one thread. May end the process: see :func:`rehearse`.

    Raises ``RecognizerError``.
    """
    try:
        if model.ctc is not None:
            return sherpa_onnx.OnlineRecognizer.from_t_one_ctc(
                tokens=str(model.tokens), model=str(model.ctc), num_threads=1
            )
        bias: dict[str, Any] = {}
        if model.vocabulary is not None:
            bias = {
                "decoding_method": "modified_beam_search",
                "modeling_unit": "bpe",
                "bpe_vocab": str(model.vocabulary),
            }
        return sherpa_onnx.OnlineRecognizer.from_transducer(
            tokens=str(model.tokens),
            encoder=str(model.encoder),
            decoder=str(model.decoder),
            joiner=str(model.joiner),
            num_threads=1,
            **bias,
        )
    except (RuntimeError, ValueError, AssertionError) as error:
        raise RecognizerError(
            f"{model.folder} is no model that sherpa-onnx loads; {_HINT}"
        ) from error


async def rehearse(model: SherpaModel) -> None:
    """Load the model in a child process. Raises ``RecognizerError`` when that fails or ends it."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "edge.speech.sherpa_model",
        str(model.folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            _, said = await child.communicate()
    except TimeoutError as error:
        raise RecognizerError(f"{model.folder} did not load in time; {_HINT}") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        why = " ".join(last)[:200] or f"status {child.returncode}"
        raise RecognizerError(f"{model.folder} does not load ({why}); {_HINT}")


def main(argv: list[str]) -> int:
    """Load the model in the folder ``argv[0]``; the exit status tells whether it works."""
    model = find_model(Path(argv[0])) if len(argv) == 1 else None
    if model is None:
        sys.stderr.write("usage: python -m edge.speech.sherpa_model FOLDER_OF_A_MODEL\n")
        return 2
    try:
        engine = load_model(model)
    except RecognizerError as error:
        sys.stderr.write(f"{error.__cause__}\n")
        return 1
    stream = engine.create_stream()
    stream.accept_waveform(LISTEN_RATE, np.zeros(LISTEN_RATE // 2, np.float32))
    while engine.is_ready(stream):
        engine.decode_stream(stream)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
