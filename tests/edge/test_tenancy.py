"""A node takes calls of the tenants it serves, and of no other, however they come."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.admission import verify_resume_token, verify_route_token
from edge.call_builder import CallBuilder, Rooms
from edge.internal import Admitted
from edge.problem import EdgeRefusal
from edge.session.errors import TenantRefused
from edge.session.resume import ResumeTokens
from edge.session.subjects import SubjectIndex
from edge.settings import NodeSettings
from edge.tenancy import Tenancy
from tests.edge.recording.parts import no_recordings
from tests.edge.test_admission import CATALOGUE, LAW, NOW, OneKey
from tests.fakes.clock import FakeClock

EU = "eu-central-1"
KEY = OneKey()
CLOCK = FakeClock(wall=NOW)
TOKENS = ResumeTokens(bytes(32), CLOCK)
SHARED = Tenancy()
OWN = Tenancy(only=("demo-clinic",))
OTHERS = Tenancy(only=("bank",))
STORED = Tenancy(stored=("demo-clinic",))
FOREIGN = Tenancy(stored=("bank",))


def by_route(tenancy: Tenancy, *, dedicated: bool, medium: Any = "webrtc") -> Admitted:
    return verify_route_token(
        KEY.sign(med=medium, ded=True if dedicated else None),
        keys=KEY,
        now=NOW,
        region=EU,
        law=LAW,
        tenancy=tenancy,
        medium=medium,
    )


def by_resume(tenancy: Tenancy, *, dedicated: bool) -> Admitted:
    facts = ("demo-clinic", "clinic-reception", EU, (EU,), CATALOGUE.policy, ("eea",), 60)
    token, _ = TOKENS.issue("s_" + "a" * 22, *facts, dedicated=dedicated)
    return verify_resume_token(token, tokens=TOKENS, now=NOW, region=EU, law=LAW, tenancy=tenancy)


def by_phone_order(tenancy: Tenancy, *, dedicated: bool) -> Admitted:
    return by_route(tenancy, dedicated=dedicated, medium="sip")


@pytest.mark.parametrize("way", [by_route, by_resume, by_phone_order])
@pytest.mark.parametrize(
    ("tenancy", "dedicated", "taken"),
    [
        (SHARED, False, True),
        (SHARED, True, False),
        (OWN, True, True),
        (OWN, False, True),
        (OTHERS, True, False),
        (OTHERS, False, False),
        (STORED, False, True),
        (STORED, True, False),
        (FOREIGN, False, False),
    ],
)
def test_a_token_opens_a_call_only_at_a_node_that_serves_its_tenant(
    way: Any, tenancy: Tenancy, dedicated: bool, taken: bool
) -> None:
    if taken:
        caller = way(tenancy, dedicated=dedicated)
        assert (caller.tenant, caller.dedicated) == ("demo-clinic", dedicated)
        return
    with pytest.raises(EdgeRefusal) as refused:
        way(tenancy, dedicated=dedicated)
    assert (refused.value.code, refused.value.status) == ("wrong_tenant", 403)


NAMES = st.lists(st.sampled_from(("a", "b", "c")), min_size=1).map(tuple)


@given(
    only=st.none() | NAMES,
    stored=st.none() | NAMES,
    tenant=st.sampled_from("abc"),
    dedicated=st.booleans(),
)
def test_no_node_takes_what_its_lists_leave_out(
    only: tuple[str, ...] | None,
    stored: tuple[str, ...] | None,
    tenant: str,
    dedicated: bool,
) -> None:
    taken = Tenancy(only, stored).problem(tenant, dedicated=dedicated) is None
    if taken:
        assert only is None or tenant in only
        assert only is not None or not dedicated
        assert only is not None or stored is None or tenant in stored
    else:
        assert only is not None or dedicated or stored is not None


def test_a_nodes_settings_say_whom_it_serves(tmp_path: Path) -> None:
    def settings(**changes: Any) -> NodeSettings:
        return NodeSettings(
            node="n",
            region=EU,
            data=tmp_path,
            agents=tmp_path,
            control_planes=("http://127.0.0.1:1",),
            **changes,
        )

    assert Tenancy.of(settings()) == SHARED
    assert Tenancy.of(settings(tenants=("demo-clinic",))) == OWN
    users = {"demo-clinic": {"username": "x", "password_file": tmp_path / "x"}}
    store = {"redis": "redis://127.0.0.1", "users": users}
    assert Tenancy.of(settings(store=store)).problem("bank", dedicated=False)


class NoStores:
    """No store has the tenant's sessions."""

    def of(self, tenant: str) -> Any:
        raise TenantRefused(tenant)


@pytest.mark.parametrize("resumed", [False, True])
async def test_a_worker_without_a_store_for_the_tenant_refuses_too(resumed: bool) -> None:
    rooms = cast(
        Rooms,
        SimpleNamespace(
            stores=NoStores(),
            keys=None,
            clock=CLOCK,
            settings=SimpleNamespace(node="n", session_hours=1.0, region=EU, retention={}),
            agents={
                "clinic-reception": SimpleNamespace(
                    retention=None, recording=None, subject_country=None
                )
            },
            recordings=no_recordings(),
            receipts=None,
            store_place=None,
            subjects=SubjectIndex(b"s" * 32),
        ),
    )
    caller = by_route(SHARED, dedicated=False).model_copy(update={"resumed": resumed})
    with pytest.raises(EdgeRefusal, match="wrong_tenant"):
        await CallBuilder(rooms).journal(caller)
