"""The hearing bench: what is said where, over which line, and how it is counted."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from edge.media.frames import Samples
from inland.bench.errors import BenchError
from inland.bench.hearing import Figures, measure, steps
from inland.bench.narrowing import transform
from inland.bench.recordings import STRING_FIGURES, STRINGS, read_recordings

FIGURES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def folder_of(path: Path, texts: dict[str, str], rate: int = 8_000) -> Path:
    """A corpus in which everybody hisses."""
    entries = []
    for number, (name, text) in enumerate(texts.items()):
        hiss: Samples = np.random.default_rng(number).normal(0, 900, rate // 4).astype(np.int16)
        with wave.open(str(path / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(hiss.tobytes())
        entries.append({"path": name, "transcript": text})
    (path / "manifest.json").write_text(json.dumps(entries))
    return path


def test_numbers_are_made_of_the_figures_of_one_speaker(tmp_path: Path) -> None:
    texts = {f"{n}_george_0.wav": word for n, word in enumerate(FIGURES)}
    texts["0_jackson_0.wav"] = "zero"
    found = read_recordings(folder_of(tmp_path, texts))
    made = [said for said in found if said.made]
    assert len(made) == STRINGS
    assert {said.speaker for said in made} == {"george"}, "one figure is not enough for a number"
    assert {len(said.text.split()) for said in made} == {STRING_FIGURES}


def test_a_line_of_a_telephone_has_as_many_samples_as_the_wide_one(tmp_path: Path) -> None:
    (said,) = read_recordings(folder_of(tmp_path, {"a.wav": "Yes."}, 16_000))
    assert said.text == "yes"
    wide = said.over("wide")
    for line in ("ulaw", "alaw"):
        narrow = said.over(line)
        assert abs(len(narrow) - len(wide)) <= 2
        assert not np.array_equal(narrow[: len(wide)], wide[: len(narrow)])


@pytest.mark.parametrize("manifest", ["", "{}", "[{}]", '[{"path": "a", "transcript": "b"}]', "[]"])
def test_a_folder_without_recordings_is_told(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(BenchError, match="no recording"):
        read_recordings(tmp_path)
    with pytest.raises(BenchError, match="no recording"):
        read_recordings(tmp_path / "nowhere")


async def test_what_is_not_said_is_neither_right_nor_taken(tmp_path: Path) -> None:
    recordings = read_recordings(folder_of(tmp_path, {"a.wav": "yes", "b.wav": "kangaroo"}))
    figures: list[Figures] = await measure(recordings)
    assert {found.line for found in figures} == {"ulaw", "alaw"}, "8 kHz has no wide band"
    assert sum(found.inside for found in figures) > 0
    assert sum(found.outside for found in figures) > 0
    assert all(found.exact == found.taken == 0.0 for found in figures)


def test_steps_are_those_of_the_demo_and_differ() -> None:
    names = [step.name for step in steps()]
    assert len(set(names)) == len(names) == 8


def test_transform_of_a_line_is_a_map_for_each_stream(tmp_path: Path) -> None:
    texts = {f"{n}_nohash_0.wav": word for n, word in enumerate(FIGURES)}
    text = transform(read_recordings(folder_of(tmp_path, texts, 16_000)))
    lines = text.splitlines()
    assert lines[:3] == ["1", "3", "13"]
    assert len(lines) == 2 + 3 * (1 + 13 + 2)
    assert all(len(line.split()) == 13 for line in lines[3:18])
