"""Transfers, as the far end and the person see them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from edge.phone import transfer as module
from edge.phone.access import TrunkAccess
from edge.phone.line import Transfer, Transferred
from edge.phone.transfer import SipTransferrer
from edge.transport.sip.core.events import Ended, ReferProgress, SessionEvent
from edge.transport.sip.core.refer import Referral
from edge.transport.sip.wire.extras.refer_to import ReferTo
from edge.transport.sip.wire.extras.user_to_user import UserToUser
from edge.transport.sip.wire.message import Request
from tests.edge.phone.calling import Wires
from tests.edge.transport.sip.core.duo import ANSWER, Owner, accepts
from tests.fakes.sip_net import describe

REFERENCE = "0123456789abcdef"


class Call:
    """A call of the carrier that stands at the node, and one transfer of it."""

    def __init__(self, **trunk: Any) -> None:
        self.wires = Wires()
        self.access: TrunkAccess = self.wires.access(**trunk)
        self.wires.node.behave = accepts
        self.caller = self.wires.carrier.invite(self.wires.node)
        self.wires.net.run(1.0)
        self.agent = self.wires.node.calls[0]
        self.referrals: list[Referral] = []
        self.answers: list[int] = [200]
        self.caller.session.on_refer = self._refer
        self.progress: asyncio.Queue[ReferProgress] = asyncio.Queue()
        self.agent.react = self._happened

    async def transferred(self, to: str = "+4969123456", how: str = "blind") -> Transferred:
        request = Transfer.model_validate({"to": to, "how": how, "reference": REFERENCE})
        transferrer = SipTransferrer(self.agent.session, self.access)
        asked = asyncio.ensure_future(transferrer.transfer(request, self.progress))
        await self.wires.until(asked.done)
        return asked.result()

    def sent(self, what: str) -> list[Request]:
        """The node's own requests of a kind."""
        found = [s.message for s in self.wires.net.sent if s.source == self.wires.node.address]
        return [m for m in found if isinstance(m, Request) and describe(m) == what]

    def finish(self) -> None:
        for owner in (self.caller, *self.wires.carrier.calls):
            owner.session.end()
        self.wires.finish()

    def _happened(self, event: SessionEvent) -> None:
        if isinstance(event, ReferProgress):
            self.progress.put_nowait(event)

    def _refer(self, referral: Referral) -> bool:
        self.referrals.append(referral)
        referral.accept()
        for status in self.answers:
            referral.report(status)
        return True


def about(text: str) -> str:
    value = UserToUser.parse(text)
    assert value.purpose == "isdn-uui"
    return value.data.decode()


async def test_a_blind_transfer_that_works_is_a_success_and_the_call_still_stands() -> None:
    call = Call()
    assert await call.transferred() == Transferred(ok=True, status=200, reason="OK")
    assert call.agent.session.state == "confirmed", "whoever transferred it hangs up"
    (refer,) = call.sent("REFER")
    wanted = ReferTo.parse(refer.headers.get("refer-to") or "")
    assert wanted.uri == "sip:+4969123456@192.0.2.2:5060"
    ((name, value),) = wanted.headers
    assert name == "User-to-User"
    assert about(value) == about(refer.headers.get("user-to-user") or "") == REFERENCE
    call.finish()


@pytest.mark.parametrize("status", [486, 480, 603, 404])
async def test_a_blind_transfer_that_fails_says_how(status: int) -> None:
    call = Call()
    call.answers = [180, status]
    result = await call.transferred()
    assert (result.ok, result.status) == (False, status)
    assert call.agent.session.state == "confirmed"
    call.finish()


async def test_a_far_end_that_takes_no_refer_leaves_the_caller_where_it_was() -> None:
    call = Call()
    call.caller.session.on_refer = None
    result = await call.transferred()
    assert (result.ok, result.status) == (False, 603)
    call.finish()


async def test_what_an_earlier_transfer_still_said_is_not_believed() -> None:
    call = Call()
    call.progress.put_nowait(ReferProgress(200, "OK", final=True))
    call.answers = [486]
    assert not (await call.transferred()).ok
    call.finish()


async def test_a_far_end_that_never_says_how_it_went_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = Call()
    call.answers = []
    monkeypatch.setattr(module, "PROGRESS_SECONDS", 0.0)
    assert await call.transferred() == Transferred(ok=False, status=408, reason="timeout")
    call.finish()


@pytest.mark.parametrize("how", ["blind", "attended"])
async def test_a_target_that_the_trunk_does_not_allow_is_asked_for_nowhere(how: str) -> None:
    call = Call()
    result = await call.transferred("+442012345678", how)
    assert (result.ok, result.status) == (False, 403)
    assert call.sent("REFER") == call.sent("INVITE") == []
    call.finish()


async def test_a_trunk_without_an_address_takes_nobody() -> None:
    call = Call(address=None)
    result = await call.transferred()
    assert (result.ok, result.status) == (False, 503)
    call.finish()


async def test_a_target_that_is_no_address_is_refused_before_anybody_is_asked() -> None:
    call = Call(transfer=("sip:*",))
    result = await call.transferred("sip:desk@[nowhere")
    assert (result.ok, result.status) == (False, 484)
    assert call.sent("REFER") == []
    call.finish()


async def test_a_call_that_is_over_is_not_transferred() -> None:
    call = Call()
    call.caller.session.bye()
    call.wires.net.run(1.0)
    assert not (await call.transferred()).ok
    call.finish()


async def test_a_person_who_answered_keeps_the_caller_in_that_call() -> None:
    call = Call()
    call.wires.carrier.behave = accepts
    result = await call.transferred(how="attended")
    assert result.ok
    (invite,) = call.sent("INVITE")
    assert about(invite.headers.get("user-to-user") or "") == REFERENCE
    assert b"a=inactive" in invite.body
    (asked,) = call.wires.carrier.calls
    (referral,) = call.referrals
    names = [name for name, _ in referral.to.headers]
    assert names == ["User-to-User", "Replaces"]
    replaces = referral.to.replaces
    assert replaces is not None
    assert replaces.call_id == asked.session.call_id
    call.finish()


@pytest.mark.parametrize("status", [486, 480, 603])
async def test_a_person_who_does_not_answer_costs_the_caller_nothing(status: int) -> None:
    call = Call()
    call.wires.carrier.behave = lambda owner: owner.session.reject(status)
    result = await call.transferred(how="attended")
    assert (result.ok, result.status) == (False, status)
    assert call.sent("REFER") == []
    assert call.agent.session.state == "confirmed"
    call.finish()


async def test_a_person_whose_telephone_rings_for_too_long_is_not_called_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = Call()
    call.wires.carrier.behave = lambda owner: owner.session.ring()
    monkeypatch.setattr(module, "RING_SECONDS", 0.0)
    result = await call.transferred(how="attended")
    assert (result.ok, result.status) == (False, 408)
    call.wires.net.run(1.0)
    (asked,) = call.wires.carrier.calls
    assert asked.end == Ended("cancelled")
    call.finish()


async def test_a_person_whom_the_caller_does_not_reach_is_let_go() -> None:
    call = Call()
    call.wires.carrier.behave = accepts
    call.answers = [481]
    result = await call.transferred(how="attended")
    assert (result.ok, result.status) == (False, 481)
    call.wires.net.run(1.0)
    (asked,) = call.wires.carrier.calls
    assert asked.end is not None
    assert asked.end.cause == "remote_bye"
    call.finish()


async def test_a_trunk_that_must_be_encrypted_gets_keys_for_the_person_too() -> None:
    call = Call(srtp="required")

    def answer(owner: Owner) -> None:
        assert owner.session.sdp is not None
        assert b"RTP/SAVP " in owner.session.sdp
        assert b"a=crypto:1 AEAD_AES_256_GCM inline:" in owner.session.sdp
        owner.session.accept(ANSWER)

    call.wires.carrier.behave = answer
    assert (await call.transferred(how="attended")).ok
    call.finish()
