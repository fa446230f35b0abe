"""A call detail record says when, where and why, and nothing of who or what was said."""

import pytest
from pydantic import ValidationError

from edge.session.records import CallRecord, EndReason
from tests.edge.session.parts import record


@pytest.mark.parametrize(
    ("reason", "ends"),
    [
        ("completed", True),
        ("handover", True),
        ("hangup", True),
        ("idle", True),
        ("draining", False),
        ("lost", False),
        ("error", False),
        ("taken_over", False),
    ],
)
def test_a_session_outlives_the_calls_that_its_caller_did_not_end(
    reason: EndReason, ends: bool
) -> None:
    assert record(reason=reason).ends_session is ends


def test_a_record_survives_the_round_trip() -> None:
    assert CallRecord.model_validate_json(record().model_dump_json()) == record()


@pytest.mark.parametrize(
    "change", [{"caller": "+49"}, {"reason": "bored"}, {"leg": "fax"}, {"turns": -1}]
)
def test_nothing_but_the_known_fields_is_kept(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CallRecord.model_validate({**dict(record()), **change})
