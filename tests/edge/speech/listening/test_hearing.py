"""Which recogniser a worker gets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.speech.hearing import build_recognizer
from edge.speech.recognizer import RecognizerError


async def test_without_a_model_auto_is_the_embedded_engine(tmp_path: Path) -> None:
    recognizer = await build_recognizer("auto", tmp_path)

    assert (recognizer.name, recognizer.free_speech) == ("pocketsphinx", False)
    await recognizer.close()


@pytest.mark.parametrize("choice", ["auto", "sherpa"])
async def test_a_model_that_is_there_is_used(tone_folder: Path, choice: str) -> None:
    for folder in (tone_folder, tone_folder.parent):
        recognizer = await build_recognizer("auto" if choice == "auto" else "sherpa", folder)

        assert (recognizer.name, recognizer.free_speech) == ("sherpa", True)
        await recognizer.close()


async def test_the_embedded_engine_can_be_chosen_beside_a_model(tone_folder: Path) -> None:
    recognizer = await build_recognizer("pocketsphinx", tone_folder)

    assert recognizer.name == "pocketsphinx"
    await recognizer.close()


async def test_a_missing_model_is_an_error_when_it_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(RecognizerError, match="inland models pull") as caught:
        await build_recognizer("sherpa", tmp_path)
    assert str(tmp_path) in str(caught.value)


async def test_a_broken_model_is_an_error_also_for_auto(tone_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tone_folder, tmp_path / "broken")
    (tmp_path / "broken" / "model.onnx").write_bytes(b"not a model")

    with pytest.raises(RecognizerError, match="inland models verify"):
        await build_recognizer("auto", tmp_path)


async def test_the_models_folder_comes_from_the_environment(
    tone_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INLAND_MODELS", str(tone_folder.parent))
    recognizer = await build_recognizer("auto")

    assert recognizer.name == "sherpa"
    await recognizer.close()


async def test_a_lexicon_reaches_the_embedded_engine(tmp_path: Path) -> None:
    with pytest.raises(RecognizerError, match="acme"):
        await build_recognizer("pocketsphinx", tmp_path, lexicon={"acme": "QQ"})
