"""Recognisers that the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge.speech.sherpa import SherpaRecognizer
from edge.speech.sherpa_model import find_model, load_model
from edge.speech.sphinx import SphinxRecognizer
from tests.fakes.tone_model import build_tone_model


@pytest.fixture(scope="module")
def sphinx() -> Iterator[SphinxRecognizer]:
    yield SphinxRecognizer()


@pytest.fixture(scope="session")
def tone_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tones"
    build_tone_model(folder)
    return folder


@pytest.fixture
async def tone_recognizer(tone_folder: Path) -> AsyncIterator[SherpaRecognizer]:
    model = find_model(tone_folder)
    assert model is not None
    recognizer = SherpaRecognizer(load_model(model), biased=model.biased)
    yield recognizer
    await recognizer.close()
