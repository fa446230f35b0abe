"""Which recogniser a worker hears with."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from edge.speech.models_folder import models_folder
from edge.speech.recognizer import Recognizer, RecognizerError

log = logging.getLogger(__name__)

Choice = Literal["auto", "pocketsphinx", "sherpa"]


async def build_recognizer(
    choice: Choice, models: Path | None = None, *, lexicon: Mapping[str, str] | None = None
) -> Recognizer:
    """The engine that the settings ask for.

    ``models`` holds one folder per model (by default where ``inland models pull`` puts them), or is
    itself one model's folder. ``auto`` takes sherpa-onnx when it is installed and a model is there,
    else pocketsphinx. ``lexicon`` gives pocketsphinx the pronunciations of rare words.

    Raises ``RecognizerError`` that says what is missing; an explicit choice is never replaced by
    another engine, and a model that is there but broken is an error also for ``auto``.
    """
    folder = models if models is not None else models_folder(os.environ)
    if choice != "pocketsphinx":
        recognizer = await _sherpa(folder, required=choice == "sherpa")
        if recognizer is not None:
            return recognizer
    from edge.speech.sphinx import SphinxRecognizer

    log.info("recogniser ready", extra={"engine": SphinxRecognizer.name})
    return SphinxRecognizer(lexicon=lexicon)


def _model_folders(folder: Path) -> list[Path]:
    """``folder`` and the folders in it that look like a recogniser's model, in order of name."""
    return [path for path in (folder, *sorted(folder.glob("*"))) if (path / "tokens.txt").is_file()]


async def _sherpa(folder: Path, *, required: bool) -> Recognizer | None:
    candidates = _model_folders(folder)
    if not candidates and not required:
        return None
    # Imported here: the package is an extra of its own, and costs memory that a worker with the
    # embedded recogniser does not want to spend.
    try:
        from edge.speech.sherpa import SherpaRecognizer
        from edge.speech.sherpa_model import find_model
    except ModuleNotFoundError as error:
        if not required:
            return None
        raise RecognizerError("sherpa-onnx is not installed: install the 'sherpa' extra") from error
    chosen = next((p for p in candidates if find_model(p) is not None), None)
    if chosen is None:
        if not required:
            return None
        raise RecognizerError(
            f"no streaming model for sherpa-onnx in {folder}: run `inland models pull`"
        )
    recognizer = await SherpaRecognizer.open(chosen)
    log.info("recogniser ready", extra={"engine": SherpaRecognizer.name})
    return recognizer
