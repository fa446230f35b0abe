"""The Automation API against a scripted Pulumi command."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from infra.rules.model import Scope
from inland.provision.engine import Engine
from inland.provision.errors import EngineFailed, PulumiMissing
from inland.provision.project import Project
from inland.provision.screen import Screen
from tests.fakes.pulumi_command import FakePulumi, step, summary

KEY = "urn:pulumi:eu-central-1::inland-region::inland:region:Keys$aws:kms/key:Key::data"
SCOPE = Scope("region", frozenset({"eu-central-1"}), "111122223333")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: inland-region\nruntime: python\n")
    (folder / "Pulumi.eu-central-1.yaml").write_text("config: {}\n")
    return Project(folder, "eu-central-1", "region")


@pytest.fixture
def fake(tmp_path: Path) -> FakePulumi:
    folder = tmp_path / "bin"
    folder.mkdir()
    return FakePulumi(folder)


def started(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> tuple[Engine, io.StringIO]:
    for name, value in fake.install().items():
        monkeypatch.setenv(name, value)
    out = io.StringIO()
    return Engine(project, SCOPE, Screen("run", [KEY], out)), out


def test_without_the_command_it_is_said_how_to_get_it(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        PulumiMissing, match=r"not installed(.|\n)*pulumi plugin install resource aws"
    ):
        Engine(project, SCOPE, Screen("run", [], io.StringIO()))


def test_a_command_of_another_major_version_is_refused(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.version = "v4.0.0"
    with pytest.raises(PulumiMissing, match="4\\.0\\.0"):
        started(fake, project, monkeypatch)


def test_a_preview_counts_what_would_change(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.events["preview"] = [summary(create=3, same=2)]
    engine, _ = started(fake, project, monkeypatch)
    assert str(engine.preview()) == "3 create, 2 same"


def test_up_runs_the_policy_pack_for_this_stack(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = started(fake, project, monkeypatch)
    engine.up()
    (asked,) = [words for words in fake.asked if words[0] == "up"]
    pack = Path(asked[asked.index("--policy-pack") + 1])
    assert (pack / "PulumiPolicy.yaml").is_file()
    configuration = Path(asked[asked.index("--policy-pack-config") + 1])
    assert not configuration.exists(), "the configuration is gone after the run"


def test_the_engine_s_steps_are_shown_as_they_come(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.events["up"] = [
        step("resourcePreEvent", "create", KEY),
        step("resOutputsEvent", "create", KEY),
        summary(create=1),
    ]
    engine, out = started(fake, project, monkeypatch)
    engine.up()
    assert out.getvalue().splitlines()[0] == "creating Key data"
    assert out.getvalue().splitlines()[1].startswith("created Key data")


def test_a_violation_found_by_the_pack_is_shown(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {
        "message": "key-rotation: off",
        "color": "never",
        "policyName": "p",
        "policyPackName": "inland",
        "policyPackVersion": "1",
        "policyPackVersionTag": "1",
        "enforcementLevel": "mandatory",
    }
    fake.events["up"] = [{"policyEvent": event}, summary()]
    engine, out = started(fake, project, monkeypatch)
    engine.up()
    assert "policy: key-rotation: off" in out.getvalue()


def test_outputs_are_told_and_secret_ones_are_not(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.outputs = {"domain": "eu.example.org"}
    engine, _ = started(fake, project, monkeypatch)
    assert engine.up() == {"domain": "eu.example.org"}


def test_a_failed_run_ends_with_pulumi_s_last_words(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.failures["up"] = "\x1b[31merror: quota of addresses is used up\x1b[0m"
    engine, _ = started(fake, project, monkeypatch)
    with pytest.raises(EngineFailed, match="quota of addresses is used up"):
        engine.up()


def test_a_stack_that_is_being_updated_says_how_to_unlock_it(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.failures["up"] = "error: [409] Conflict: Another update is currently in progress."
    engine, _ = started(fake, project, monkeypatch)
    with pytest.raises(EngineFailed, match="pulumi cancel"):
        engine.up()


def test_down_keeps_what_is_protected_unless_data_is_erased(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = started(fake, project, monkeypatch)
    engine.down(keep_protected=True)
    assert ["state", "unprotect"] not in [words[:2] for words in fake.asked]
    assert "--exclude-protected" in next(words for words in fake.asked if words[0] == "destroy")
    engine.down(keep_protected=False)
    commands = [words[0] for words in fake.asked]
    assert commands.index("state") < len(commands) - 1 - commands[::-1].index("destroy")
    assert "--exclude-protected" not in [words for words in fake.asked if words[0] == "destroy"][1]


def test_the_record_of_the_fake_is_of_this_stack(
    fake: FakePulumi, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = started(fake, project, monkeypatch)
    engine.up()
    assert all(words[-1] == "eu-central-1" for words in fake.asked if words[0] != "version")
