"""A short coverage-guided run, from the torture messages and real descriptions on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge.transport.sip.media import offers
from tests.edge.transport.sip.wire.torture import invalid, layers, valid
from tests.fuzz import description, wire

ROOT = Path(__file__).parents[2]
RUNS = 4_000


def test_nothing_falls_over_in_a_coverage_guided_run(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for module in (valid, invalid, layers):
        for name, data in vars(module).items():
            if name.isupper() and isinstance(data, bytes):
                for target in range(len(wire.TARGETS)):
                    (corpus / f"{name}-{target}").write_bytes(bytes([target]) + data)
    for number, body in enumerate(offers.ALL):
        for target in range(len(description.TARGETS)):
            seed = bytes([len(wire.TARGETS) + target]) + body
            (corpus / f"description-{number}-{target}").write_bytes(seed)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.atheris_sip", str(corpus)),
            *(f"-runs={RUNS}", "-seed=1", f"-artifact_prefix={tmp_path}/"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    assert f"Done {RUNS} runs" in run.stderr
