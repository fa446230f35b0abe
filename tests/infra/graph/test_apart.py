"""A capture in a process of its own: what the program does to it does not reach the judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.graph.apart import capture_apart
from infra.graph.capture import ProgramError, capture
from infra.graph.plain import from_json, to_json
from infra.rules.model import UNKNOWN
from inland.provision.project import examples

TOPIC = 'import pulumi_aws as aws\naws.sns.Topic("t", name="t")\n'


def project(folder: Path, program: str) -> Path:
    (folder / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text("config: {}\n")
    (folder / "__main__.py").write_text(program)
    return folder


@pytest.mark.parametrize("preview", [False, True])
def test_the_graph_of_a_shipped_stack_comes_back_as_it_was(preview: bool) -> None:
    region = examples() / "region"
    here = capture(region, "ap-south-2", preview=preview)
    assert capture_apart(region, "ap-south-2", preview=preview) == here


def test_what_is_unknown_in_a_preview_stays_unknown() -> None:
    graph = capture(examples() / "region", "ap-south-2", preview=True)
    back = from_json(to_json(graph))
    unknown = [
        urn
        for urn, found in graph.resources.items()
        if any(value is UNKNOWN for value in found.properties.values())
    ]
    assert unknown
    for urn in unknown:
        for name, value in graph.resources[urn].properties.items():
            assert (back.resources[urn].properties[name] is UNKNOWN) == (value is UNKNOWN)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os\nos._exit(0)\n", "ended its process"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("import time\ntime.sleep(1000)\n", "has not ended after 3 s"),
    ],
)
def test_a_program_that_does_not_answer_is_refused(
    tmp_path: Path, program: str, words: str
) -> None:
    with pytest.raises(ProgramError, match=words):
        capture_apart(project(tmp_path, program), "dev", seconds=3 if "sleep" in program else 60)


def test_a_program_that_changes_the_rules_changes_its_own_only(tmp_path: Path) -> None:
    program = "import infra.rules.registry as r\nr.RULES = {}\n" + TOPIC
    capture_apart(project(tmp_path, program), "dev")
    from infra.rules.registry import RULES

    assert RULES


def test_a_module_beside_the_program_is_run_for_every_capture(tmp_path: Path) -> None:
    (tmp_path / "extra.py").write_text(TOPIC)
    found = project(tmp_path, "import extra\n")
    for _ in range(2):
        assert len(capture_apart(found, "dev").of("aws:sns/topic:Topic")) == 1


def test_what_a_program_prints_is_not_in_our_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capture_apart(project(tmp_path, 'print("hello")\n' + TOPIC), "dev")
    assert capfd.readouterr().out == ""
