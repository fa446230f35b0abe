"""Settings for recordings say one place, in this region, and what an agent needs of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.dialog.agent import AgentSpec, Recording, load_agents
from edge.egress.ways import METADATA, services_of
from edge.recording.settings import RecordingsSettings
from edge.recording_check import recording_problems
from edge.settings import NodeSettings
from inland import demo
from tests.edge.session.parts import EU, IN

KEY = "arn:aws:kms:{}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def node(tmp_path: Path, **recordings: Any) -> NodeSettings:
    told: dict[str, Any] = {"node": "a", "region": EU, "data": tmp_path, "agents": tmp_path}
    told["control_planes"] = ["http://127.0.0.1:7000"]
    return NodeSettings.model_validate(told | ({"recordings": recordings} if recordings else {}))


def agent(**recording: Any) -> AgentSpec:
    spec = next(iter(load_agents(Path(demo.__file__).parent / "agents").values()))
    return spec.model_copy(update={"recording": Recording(**recording) if recording else None})


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"folder": "/r", "bucket": "some-bucket"},
        {"folder": "/r", "endpoint": "https://s3.example"},
        {"folder": "/r", "kms_key": KEY.format(EU)},
        {"bucket": "Some_Bucket"},
        {"bucket": "b" * 64},
        {"bucket": "some-bucket", "endpoint": "http://s3.example"},
        {"bucket": "some-bucket", "endpoint": "https://s3.example/path"},
        {"bucket": "some-bucket", "endpoint": "https://user@s3.example"},
        {"bucket": "some-bucket", "prefix": "../x"},
        {"bucket": "some-bucket", "keep": "400d"},
        {"bucket": "some-bucket", "account": "12"},
    ],
)
def test_what_is_no_place_for_recordings_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RecordingsSettings.model_validate(wrong)


def test_a_key_of_another_region_is_refused(tmp_path: Path) -> None:
    assert node(tmp_path, bucket="some-bucket", kms_key=KEY.format(EU)).recordings is not None
    with pytest.raises(ValidationError, match=f"recordings.kms_key: is a key of region {IN}"):
        node(tmp_path, bucket="some-bucket", kms_key=KEY.format(IN))


def test_settings_survive_the_way_to_a_worker(tmp_path: Path) -> None:
    for told in ({"folder": str(tmp_path)}, {"bucket": "some-bucket", "keep": "30d"}):
        settings = node(tmp_path, **told)
        assert NodeSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    "wrong",
    [{}, {"required": True}, {"notice": "Recorded.", "no_notice": "We only ever call robots."}],
)
def test_an_agent_tells_callers_or_says_why_not(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="write a notice"):
        Recording.model_validate(wrong)


def test_a_reason_for_no_notice_is_more_than_a_word() -> None:
    with pytest.raises(ValidationError):
        Recording(no_notice="none")
    assert Recording(no_notice="Only our own test robots call here.").notice is None


def test_an_agent_that_records_needs_a_place_on_the_node(tmp_path: Path) -> None:
    records = agent(notice="This call is recorded.")
    (problem,) = recording_problems(node(tmp_path), [records, agent()])
    assert f"agent {records.id} records its calls, and this node has no place" in problem
    assert recording_problems(node(tmp_path, folder=str(tmp_path)), [records]) == ()
    assert recording_problems(node(tmp_path), [agent()]) == ()


def test_agents_do_not_record_unless_they_say_so() -> None:
    folder = Path(demo.__file__).parent / "agents"
    assert all(spec.recording is None for spec in load_agents(folder).values())


def test_the_barrier_lets_the_bucket_out_and_no_folder(tmp_path: Path) -> None:
    def ways(**told: Any) -> dict[str, tuple[str, int]]:
        found = services_of(node(tmp_path, **told), [], {})
        return {way.what: (way.host, way.port) for way in found}

    assert ways(folder=str(tmp_path)) == {}
    assert ways(bucket="some-bucket") == {
        "recordings": (f"s3.{EU}.amazonaws.com", 443),
        "this machine's role": METADATA,
    }
    assert ways(bucket="some-bucket", endpoint="https://minio.example:9000") == {
        "recordings": ("minio.example", 9000)
    }
    assert ways(bucket="some-bucket", endpoint="http://127.0.0.1:9000") == {}
