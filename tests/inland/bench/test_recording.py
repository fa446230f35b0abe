"""The bench of recordings measures what a recorded call does, on any machine that can speak."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from edge.dialog.agent import load_agents
from inland import demo
from inland.__main__ import main
from inland.bench import recording


def test_its_own_path_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "SEGMENTS", 2)
    assert main(["bench", "recording", "--skip-whole", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"]["loop"] > 0
    assert found["path"]["thread"] > 0
    assert 20 < found["path"]["kept_kbps"] < 512, "less than raw, and not nothing"
    assert (found["without"], found["recorded"], found["ratio"]) == ([], [], None)
    assert [target["bound"] for target in found["targets"]] == [0.001, 0.005]


def test_a_recorded_node_has_agents_that_record(tmp_path: Path) -> None:
    agents = tmp_path / "agents"
    shutil.copytree(Path(demo.__file__).parent / "agents", agents)
    settings = {"agents": str(agents)}
    recording._recorded(tmp_path, settings)
    specs = load_agents(Path(settings["agents"])).values()
    assert specs and all(spec.recording is not None for spec in specs)
    assert yaml.safe_dump(settings["recordings"])
    assert all(spec.recording is None for spec in load_agents(agents).values())


def test_what_drifts_falls_on_both() -> None:
    without: list[float] = []
    recorded: list[float] = []
    order = recording._order(without, recorded)
    assert [found is recorded for found in order] == [False, True, True, False]
