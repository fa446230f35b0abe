"""Data is kept for the shortest time that anybody said, and nobody can make it longer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.call_builder import CallBuilder
from edge.dialog.agent import load_agents
from edge.internal import Admitted
from edge.retention import Ends, Retention
from edge.settings import NodeSettings
from inland import demo
from regions.models import DataClass
from tests.edge.recording.parts import no_recordings
from tests.edge.session.parts import EU, IN, NOW, SESSION, ManualClock

ACCOUNT = "123456789012"
TERM = st.none() | st.integers(60, 365 * 86_400)
SAID = st.lists(
    st.none() | st.builds(Retention, transcript=TERM, variables=TERM, recording=TERM), max_size=4
)


@given(st.integers(60, 365 * 86_400), TERM, SAID)
def test_nothing_that_anybody_says_keeps_data_longer(
    node: int, recordings: int | None, said: list[Retention | None]
) -> None:
    ends = Ends.of(NOW, node, said, recording_seconds=recordings)
    recorded = {} if recordings is None else {DataClass.RECORDING: recordings}
    most = {DataClass.TRANSCRIPT: node, DataClass.VARIABLES: node, **recorded}
    assert set(ends.classes) == set(most)
    for data_class, end in ends.classes.items():
        told = [one.of(data_class) for one in said if one is not None]
        longest = most[data_class]
        assert end == int(NOW) + min([longest, *(term for term in told if term is not None)])
    assert ends.session == max(ends.classes.values()) <= int(NOW) + max(most.values())
    needed = (DataClass.TRANSCRIPT, DataClass.VARIABLES)
    assert ends.resumable == min(ends.classes[name] for name in needed)


@pytest.mark.parametrize(
    ("written", "seconds"), [("1m", 60), ("24h", 86_400), ("7d", 604_800), (90, 90)]
)
def test_a_term_is_a_number_and_a_unit(written: object, seconds: int) -> None:
    assert Retention.model_validate({"transcript": written}).transcript == seconds


@pytest.mark.parametrize("written", ["24", "0h", "-1h", "1w", "1.5h", "366d", 59, 1.5, True, "h"])
def test_what_is_no_term_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        Retention.model_validate({"variables": written})


def test_a_class_that_is_not_kept_by_it_is_refused() -> None:
    with pytest.raises(ValidationError):
        Retention.model_validate({"audio": "30d"})


def node(tmp_path: Path, **more: Any) -> NodeSettings:
    told = {"node": "a", "region": EU, "data": tmp_path, "agents": tmp_path}
    return NodeSettings.model_validate(
        {**told, "control_planes": ["http://127.0.0.1:7000"], **more}
    )


def caller(tenant: str) -> Admitted:
    regions: dict[str, tuple[str, ...]] = dict.fromkeys(("audio", "transcript", "variables"), (EU,))
    return Admitted(
        session_id=SESSION,
        tenant=tenant,
        agent="reception",
        jurisdictions=("eea",),
        policy="2026-11-21.1#0123456789ab",
        regions=regions,
        resumed=False,
    )


def test_a_call_is_kept_as_its_tenant_and_its_agent_say(tmp_path: Path) -> None:
    agents = load_agents(Path(demo.__file__).parent / "agents")
    spec = next(iter(agents.values()))
    brief = spec.model_copy(update={"retention": Retention(variables=120)})

    parts: Any = SimpleNamespace(
        settings=node(tmp_path, session_hours=2, retention={"clinic": {"transcript": "30m"}}),
        clock=ManualClock(),
        agents={"reception": brief},
        recordings=no_recordings(),
    )
    builder = CallBuilder(parts)
    clinic = builder._ends(caller("clinic"))
    assert clinic.classes == {
        DataClass.TRANSCRIPT: int(NOW) + 1800,
        DataClass.VARIABLES: int(NOW) + 120,
    }
    assert builder._tag(caller("clinic"), clinic).expires_at == int(NOW) + 1800
    assert clinic.resumable == int(NOW) + 120
    assert builder._ends(caller("bank")).session == int(NOW) + 7200


def test_settings_survive_the_way_to_a_worker(tmp_path: Path) -> None:
    settings = node(tmp_path, retention={"clinic": {"transcript": "30m"}})
    assert NodeSettings.model_validate(settings.model_dump(mode="json")) == settings


KEY = f"arn:aws:kms:{IN}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BY_PASSWORD = {
    "redis": "redis://127.0.0.1",
    "users": {"clinic": {"username": "x", "password_file": "/x"}},
}
BY_IAM = {
    "redis": "rediss://127.0.0.1",
    "users": {"clinic": {"username": "x"}},
    "aws_cache": "inland",
}


class TestKeys:
    def test_a_node_is_told_at_once_of_a_key_of_another_region(self, tmp_path: Path) -> None:
        kms = {"account": ACCOUNT, "tenants": {"clinic": KEY}}
        with pytest.raises(ValidationError, match=r"keys\.kms\.tenants\.clinic: is a key of"):
            node(tmp_path, keys={"kms": kms})
        assert node(tmp_path, region=IN, keys={"kms": kms}).keys.kms is not None

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            ({"keys": {"redis": "redis://127.0.0.1"}}, "sessions are in a file"),
            ({"keys": {"folder": "/x"}, "store": BY_PASSWORD}, "sessions are in Redis"),
            ({"keys": {"redis": "rediss://127.0.0.1"}, "store": BY_IAM}, "log in by IAM"),
        ],
    )
    def test_keys_are_kept_where_the_sessions_kind_of_store_is(
        self, tmp_path: Path, more: dict[str, Any], says: str
    ) -> None:
        with pytest.raises(ValidationError, match=says):
            node(tmp_path, **more)
