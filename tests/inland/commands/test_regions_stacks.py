"""`inland regions init | plan | graph | cost` on the examples, as an operator runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inland.__main__ import main


def test_init_copies_both_projects_and_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["regions", "init", str(tmp_path / "mine")]) == 0
    assert (tmp_path / "mine/region/Pulumi.eu-central-1.yaml").is_file()
    assert (tmp_path / "mine/control_plane/__main__.py").is_file()
    assert main(["regions", "init", str(tmp_path / "mine")]) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_copied_project_passes_the_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["regions", "init", str(tmp_path)])
    assert main(["regions", "plan", "ap-south-2", "--gate-only", "--project", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "gate       open" in said
    assert "not yet:" in said, "the examples name no release"


def test_a_stack_that_breaks_the_law_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["regions", "init", str(tmp_path)])
    path = tmp_path / "region/Pulumi.ap-south-2.yaml"
    path.write_text(path.read_text().replace("jurisdiction: in", "jurisdiction: eea"))
    assert main(["regions", "plan", "ap-south-2", "--gate-only", "--project", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert f"{path}:" in said
    assert "inland-region:jurisdiction" in said


def test_a_program_that_leaves_the_region_closes_the_gate_by_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["regions", "init", str(tmp_path)])
    program = tmp_path / "region/__main__.py"
    program.write_text(
        program.read_text()
        + "import pulumi_aws as aws\n"
        + 'aws.sns.Topic("elsewhere", region="us-east-1")\n'
    )
    arguments = ["regions", "plan", "ap-south-2", "--gate-only", "--json", "--project"]
    capsys.readouterr()
    assert main([*arguments, str(tmp_path)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["open"]
    assert {"effective-region", "explicit-provider"} <= {one["rule"] for one in found["violations"]}


@pytest.mark.parametrize("stack", ["eu-central-7", "eu-central-1.nobody"])
def test_an_unknown_stack_is_told_which_there_are(
    stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["regions", "plan", stack]) == 2
    assert "there are ap-northeast-1, ap-south-1" in capsys.readouterr().err


def test_a_graph_is_drawn_as_deep_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["regions", "graph", "ap-south-2", "--depth", "1"]) == 0
    closed = capsys.readouterr().out
    assert main(["regions", "graph", "ap-south-2"]) == 0
    assert len(closed) < len(capsys.readouterr().out) / 2


def test_a_graph_is_drawn_by_the_name_of_its_file(tmp_path: Path) -> None:
    assert main(["regions", "graph", "ap-south-2", "--out", str(tmp_path / "g.svg")]) == 0
    assert (tmp_path / "g.svg").read_text().startswith("<svg")
    assert main(["regions", "graph", "ap-south-2", "--out", str(tmp_path / "g.mmd")]) == 0
    assert "flowchart" in (tmp_path / "g.mmd").read_text()


def test_cost_is_a_table_for_people_and_json_for_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["regions", "cost", "ap-south-2", "--calls", "40"]) == 0
    assert "USD per call-minute" in capsys.readouterr().out
    assert main(["regions", "cost", "ap-south-2", "--calls", "40", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["usd_per_month"] == pytest.approx(
        sum(one["usd"] for one in found["components"]), abs=0.2
    )


@pytest.mark.parametrize("wrong", [["--calls", "-1"], ["--hours-per-day", "25"]])
def test_wrong_figures_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["regions", "cost", "ap-south-2", *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err


def test_without_a_cloud_target_local_is_offered_and_root_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("inland.provision.local.host._has", lambda _: True)
    place = ["--target", "local", "--data", str(tmp_path / "data")]
    assert main(["regions", "up", "eu-central-1", *place]) == 1
    assert "run it as root" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
