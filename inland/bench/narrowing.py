"""How the recogniser's model looks over a telephone: ``python -m inland.bench.narrowing FOLDER``.

Writes ``edge/speech/narrow_band.mllr`` to standard output. The model was trained at 16 kHz. The
same speech at 16 kHz and through mu-law gives pairs of cepstra, frame by frame; the least squares
map from one to the other, around each utterance's mean, moves the means of the model's Gaussians to
where narrow speech has them (as MLLR does: Leggetter and Woodland, 1995). Differences of cepstra
move by the same matrix without its offset.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pocketsphinx

from edge.dialog.agent import load_agents
from edge.media.frames import LISTEN_RATE, Samples
from inland.bench.hearing import AGENT, TUNED_ON
from inland.bench.recordings import Said, read_recordings
from inland.caller.utterances import resampled, utterances

Cepstra = npt.NDArray[np.float64]
VOICES = ("rms", "slt")
"""Of flite, that speak besides the recorded people."""
COEFFICIENTS = 13
STREAMS = 3
"""Cepstra, their differences, and the differences of those."""
QUIET_SHARE = 0.3
"""The quietest frames of an utterance are left out: what matters is speech."""
RIDGE = 50.0
"""Keeps the map near nothing where there is little to learn from."""


async def synthetic() -> list[Said]:
    """What callers of the demo's agents say, by flite. Raises ``SpeechError`` without flite."""
    said = []
    for voice in VOICES:
        async with utterances(voice) as speech:
            for phrase in sorted(_phrases()):
                samples = resampled(await speech.words(phrase), LISTEN_RATE)
                said.append(Said(f"fl-{voice}", phrase, LISTEN_RATE, samples))
    return said


def _phrases() -> set[str]:
    found: set[str] = set()
    for spec in load_agents(AGENT.parent).values():
        for intent in spec.flow.intents:
            found.update(intent.examples)
            found.update(phrase for slot in intent.slots for phrase in slot.suggestions)
    return found


def transform(said: list[Said]) -> str:
    """The file, from the speakers that the recogniser is tuned on."""
    chosen = [
        each
        for each in said
        if each.speaker in TUNED_ON and each.rate == LISTEN_RATE and not each.made
    ]
    wide = _cepstra([each.over("wide") for each in chosen])
    narrow = _cepstra([each.over("ulaw") for each in chosen])
    pairs = [_speech(one, other) for one, other in zip(wide, narrow, strict=True)]
    inputs = np.concatenate([one for one, _ in pairs])
    targets = np.concatenate([other for _, other in pairs])
    inputs = np.hstack((inputs, np.ones((len(inputs), 1))))
    ridge = RIDGE * np.eye(COEFFICIENTS + 1)
    ridge[-1, -1] = 0.0
    solved = np.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ targets)
    return _format(solved[:-1].T, solved[-1])


def _cepstra(utterances: list[Samples]) -> list[Cepstra]:
    """As the engine computes them, before any normalisation."""
    model = Path(pocketsphinx.get_model_path()) / "en-us" / "en-us"
    with tempfile.TemporaryDirectory(prefix="inland-bench-") as folder:
        decoder = pocketsphinx.Decoder(
            hmm=str(model), lm=None, dict=None, loglevel="FATAL", mfclogdir=folder,
            allphone_ci=True, beam=1e-3, pbeam=1e-3, topn=1,
        )  # fmt: skip
        decoder.add_allphone_file("phones", None)
        decoder.activate_search("phones")
        for samples in utterances:
            decoder.start_utt()
            decoder.process_raw(samples.tobytes(), False, True)
            decoder.end_utt()
        return [_read(path) for path in sorted(Path(folder).iterdir())]


def _read(path: Path) -> Cepstra:
    """A Sphinx feature file: the number of values, then single floats, big-endian."""
    raw = path.read_bytes()
    (count,) = struct.unpack_from(">i", raw)
    return np.frombuffer(raw, ">f4", count, 4).reshape(-1, COEFFICIENTS).astype(np.float64)


def _speech(wide: Cepstra, narrow: Cepstra) -> tuple[Cepstra, Cepstra]:
    frames = min(len(wide), len(narrow))
    wide, narrow = wide[:frames], narrow[:frames]
    loud = wide[:, 0] > np.quantile(wide[:, 0], QUIET_SHARE)
    return (wide - wide.mean(0))[loud], (narrow - narrow.mean(0))[loud]


def _format(matrix: Cepstra, offset: Cepstra) -> str:
    """One class of Gaussians; for each stream its matrix, offset, and the scale of variances."""
    lines = ["1", str(STREAMS)]
    for stream in range(STREAMS):
        moved = offset if stream == 0 else np.zeros(COEFFICIENTS)
        rows = [*matrix, moved, np.ones(COEFFICIENTS)]
        lines += [str(COEFFICIENTS), *(" ".join(f"{value:.4f}" for value in row) for row in rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    people = read_recordings(Path(sys.argv[1]))
    sys.stdout.write(transform([*people, *asyncio.run(synthetic())]))
