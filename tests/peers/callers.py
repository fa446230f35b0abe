"""sipp as the calling side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.peers.scenarios import (
    EARLIER,
    PORT,
    SAME,
    STREAM_PORT,
    Scenario,
    inside,
    outside,
    response,
    sdp,
)

LISTENS = 8.0
"""Seconds after which whatever was keyed is answered, however busy the machine is."""


def talks(seconds: float = 1.0, *, capture: Path | None = None) -> Scenario:
    """Call, be there for some seconds while a capture plays, BYE."""
    scenario = _called(Scenario("talks"))
    if capture is not None:
        scenario.play(capture)
    return _hangs_up(scenario.pause(seconds), 2)


def streams(raw: Path, seconds: float = 1.0) -> Scenario:
    """The same with raw PCMU from sipp's own pacing; takes no root."""
    scenario = _called(Scenario("streams"), STREAM_PORT).stream(raw).pause(seconds)
    return _hangs_up(scenario.hush(), 2)


def waits_for_bye(*, capture: Path | None = None) -> Scenario:
    """Call, and wait for the far end to end it."""
    scenario = _called(Scenario("waits for BYE"))
    if capture is not None:
        scenario.play(capture)
    return scenario.receive("BYE").send(response(200, "OK", tag=False))


def offers_late(seconds: float = 0.5, *, capture: Path | None = None) -> Scenario:
    """INVITE without an offer; the answer is in the ACK (RFC 3261 section 13.2.1)."""
    scenario = Scenario("offers late").send(outside("INVITE"), retransmits=True)
    _ringing(scenario).receive(200, routes=True).send(inside("ACK", 1, body=sdp()))
    if capture is not None:
        scenario.play(capture)
    return _hangs_up(scenario.pause(seconds), 2)


def gives_up(rings: float = 0.5, status: int = 180) -> Scenario:
    """CANCEL once it has rung for some seconds."""
    scenario = Scenario("gives up").send(outside("INVITE", body=sdp()), retransmits=True)
    scenario.receive(100, optional=True).receive(status).pause(rings)
    scenario.send(outside("CANCEL", via=SAME), retransmits=True).receive(200).receive(487)
    return scenario.send(outside("ACK", via=SAME))


def cancels_at_once() -> Scenario:
    """CANCEL right behind the INVITE."""
    # sipp sends nothing more while it may have to retransmit.
    scenario = Scenario("cancels at once").send(outside("INVITE", body=sdp()))
    scenario.send(outside("CANCEL", via=EARLIER), retransmits=True)
    scenario.receive(100, optional=True).receive(200).receive(487)
    return scenario.send(outside("ACK", via=SAME))


def cancels_too_late() -> Scenario:
    """CANCEL that crosses the answer: the call stands (RFC 3261 section 9.1), and is ended."""
    scenario = Scenario("cancels too late").send(outside("INVITE", body=sdp()), retransmits=True)
    _ringing(scenario).receive(200, routes=True)
    scenario.send(outside("CANCEL", via=SAME), retransmits=True).receive(200)
    return _hangs_up(scenario.send(inside("ACK", 1)).pause(0.3), 2)


def repeats_itself() -> Scenario:
    """INVITE, ACK and BYE, each twice as a network may bring them."""
    invite = outside("INVITE", body=sdp())
    scenario = Scenario("repeats itself").send(invite, retransmits=True)
    _ringing(scenario).receive(200, routes=True)
    scenario.send(outside("INVITE", via=SAME, body=sdp()))
    scenario.send(inside("ACK", 1)).send(inside("ACK", 1)).pause(0.3)
    scenario.send(inside("BYE", 2), retransmits=True).receive(200)
    # Were it to receive the same 200 twice, sipp would send its BYE again, and again.
    return scenario.send(inside("BYE", 2, via=SAME))


def never_acknowledges() -> Scenario:
    """No ACK at all: the far end ends the call once it has waited (RFC 3261 section 13.3.1.4)."""
    scenario = Scenario("never acknowledges").send(outside("INVITE", body=sdp()), retransmits=True)
    _ringing(scenario).receive(200, routes=True)
    return scenario.receive("BYE").send(response(200, "OK", tag=False))


def informs(keys: str, seconds: float = LISTENS) -> Scenario:
    """Each key in the body of an INFO."""
    scenario = _called(Scenario("informs"))
    relay = ("Content-Type: application/dtmf-relay",)
    for number, key in enumerate(keys, start=2):
        body = f"Signal={key}\nDuration=160\n"
        scenario.send(inside("INFO", number, body=body, headers=relay), retransmits=True)
        scenario.receive(200)
    return _hangs_up(scenario.pause(seconds), 2 + len(keys))


def updates() -> Scenario:
    """Hold and resume by UPDATE (RFC 3311)."""
    scenario = _called(Scenario("updates"))
    for number, direction in ((2, "sendonly"), (3, "sendrecv")):
        body = sdp(direction, version=number)
        scenario.send(inside("UPDATE", number, body=body), retransmits=True).receive(200)
    return _hangs_up(scenario, 4)


def asks_for_a_short_interval() -> Scenario:
    """A session interval that is too short, then the least (RFC 4028 section 7.4)."""
    scenario = Scenario("asks for a short interval")
    for number, seconds, status in ((1, 60, 422), (2, 90, 200)):
        timer = ("Supported: timer", f"Session-Expires: {seconds};refresher=uac")
        invite = outside("INVITE", number=number, body=sdp(), headers=timer)
        scenario.send(invite, retransmits=True).receive(100, optional=True)
        scenario.receive(status, routes=status == 200)
        ack = inside("ACK", number) if status == 200 else outside("ACK", via=SAME)
        scenario.send(ack)
    return _hangs_up(scenario.pause(0.3), 3)


def is_kept_fresh(raw: Path) -> Scenario:
    """The far end refreshes the session when half of its interval is over, with an UPDATE."""
    scenario = _timed("is kept fresh", "uas", raw)
    scenario.receive("UPDATE").send(
        response(
            200, "OK", tag=False, headers=("Require: timer", "Session-Expires: 90;refresher=uac")
        )
    )
    return _hangs_up(scenario.pause(0.2).hush(), 2)


def stops_refreshing(raw: Path) -> Scenario:
    """We were to refresh the session and never do: the far end ends it (RFC 4028 section 10)."""
    scenario = _timed("stops refreshing", "uac", raw)
    return scenario.receive("BYE").send(response(200, "OK", tag=False)).hush()


def holds(seconds: float = 0.5) -> Scenario:
    """Hold and resume by re-INVITE, then BYE."""
    scenario = _called(Scenario("holds")).pause(seconds)
    for number, direction in ((2, "sendonly"), (3, "sendrecv")):
        body = sdp(direction, version=number)
        scenario.send(inside("INVITE", number, body=body), retransmits=True)
        scenario.receive(100, optional=True).receive(200)
        scenario.send(inside("ACK", number)).pause(seconds)
    return _hangs_up(scenario, 4)


def is_refused(status: int) -> Scenario:
    """Call, and be refused in that way."""
    scenario = Scenario(f"is refused with {status}")
    scenario.send(outside("INVITE", body=sdp()), retransmits=True)
    scenario.receive(100, optional=True).receive(180, optional=True).receive(status)
    return scenario.send(outside("ACK", via=SAME))


def is_transferred(status: int = 200, reason: str = "OK", *, leaves: bool = False) -> Scenario:
    """Accept a REFER and say how the new call went (RFC 3515).

    The new call is only told of: for a third party that really rings use baresip. Then the far end
    ends this one, or we do when told to leave: after a failure the two talk on.
    """
    scenario = _called(Scenario("is transferred")).receive("REFER")
    scenario.send(response(202, "Accepted", tag=False))
    for number, said, state in (
        (2, "SIP/2.0 100 Trying", "active;expires=60"),
        (3, f"SIP/2.0 {status} {reason}", "terminated;reason=noresource"),
    ):
        headers = ["Event: refer", f"Subscription-State: {state}"]
        headers.append("Content-Type: message/sipfrag;version=2.0")
        scenario.send(inside("NOTIFY", number, body=said + "\n", headers=headers), retransmits=True)
        scenario.receive(200)
    if leaves:
        return _hangs_up(scenario.pause(0.5), 4)
    return scenario.receive("BYE").send(response(200, "OK", tag=False))


def asks_options() -> Scenario:
    """OPTIONS outside any call."""
    return Scenario("asks").send(outside("OPTIONS"), retransmits=True).receive(200)


def asks(
    method: str, status: int, *, headers: Sequence[str] = (), repeats: bool = True
) -> Scenario:
    """Any request outside a call, and its answer; without ``repeats`` it is sent once."""
    message = outside(method, headers=headers, body=sdp() if method == "INVITE" else "")
    scenario = Scenario("asks").send(message, retransmits=repeats)
    scenario.receive(100, optional=True).receive(status)
    return scenario.send(outside("ACK", via=SAME)) if method == "INVITE" else scenario


def proves(user: str, password: str, status: int = 200) -> Scenario:
    """INVITE again with digest once it is challenged."""
    scenario = Scenario("proves").send(outside("INVITE", body=sdp()), retransmits=True)
    scenario.receive(100, optional=True).receive(401, challenge=True)
    scenario.send(outside("ACK", via=SAME))
    credentials = f"[authentication username={user} password={password}]"
    scenario.send(outside("INVITE", number=2, body=sdp(), headers=(credentials,)), retransmits=True)
    scenario.receive(100, optional=True)
    if status != 200:
        return scenario.receive(status).send(outside("ACK", via=SAME))
    scenario.receive(200, routes=True).send(inside("ACK", 2))
    return _hangs_up(scenario.pause(0.3), 3)


def rings_reliably() -> Scenario:
    """Ask for reliable provisional responses, and acknowledge the one that comes (RFC 3262)."""
    reliable = ("Require: 100rel",)
    scenario = Scenario("rings reliably")
    scenario.send(outside("INVITE", body=sdp(), headers=reliable), retransmits=True)
    scenario.receive(100, optional=True).receive(183, routes=True)
    prack = inside("PRACK", 2, headers=("RAck: 1 1 INVITE",))
    scenario.send(prack, retransmits=True).receive(200).receive(200, routes=True)
    return _hangs_up(scenario.send(inside("ACK", 1)).pause(0.3), 3)


def refreshes() -> Scenario:
    """A session timer (RFC 4028) that we keep: by UPDATE (RFC 3311), then by re-INVITE."""
    timer = ("Supported: timer", "Session-Expires: 120;refresher=uac")
    scenario = Scenario("refreshes")
    scenario.send(outside("INVITE", body=sdp(), headers=timer), retransmits=True)
    _ringing(scenario).receive(200, routes=True).send(inside("ACK", 1)).pause(0.2)
    scenario.send(inside("UPDATE", 2, headers=timer), retransmits=True).receive(200).pause(0.2)
    again = inside("INVITE", 3, body=sdp(), headers=timer)
    scenario.send(again, retransmits=True).receive(100, optional=True).receive(200)
    return _hangs_up(scenario.send(inside("ACK", 3)).pause(0.2), 4)


def registers(user: str, password: str, waits: float = 2.0) -> Scenario:
    """Register with digest, and again with the same nonce once that may have grown stale."""
    scenario = Scenario("registers").send(outside("REGISTER"), retransmits=True)
    scenario.receive(401, challenge=True)
    credentials = f"[authentication username={user} password={password}]"
    for number in (2, 3, 4):
        message = outside("REGISTER", number=number, headers=("Expires: 60", credentials))
        scenario.send(message, retransmits=True)
        if number == 3:
            scenario.receive(401, challenge=True)
        else:
            scenario.receive(200)
        if number == 2:
            scenario.pause(waits)
    return scenario


def loses_its_ack() -> Scenario:
    """The ACK is lost, and comes at last when the 200 has been sent again."""
    scenario = Scenario("loses its ACK").send(outside("INVITE", body=sdp()), retransmits=True)
    _ringing(scenario).receive(200, routes=True).send(inside("ACK", 1), lost=True)
    return _hangs_up(scenario.pause(2.0).send(inside("ACK", 1)).pause(0.2), 2)


def _timed(name: str, refresher: str, raw: Path) -> Scenario:
    timer = (
        "Allow: INVITE, ACK, CANCEL, BYE, UPDATE",
        "Supported: timer",
        f"Session-Expires: 90;refresher={refresher}",
    )
    scenario = Scenario(name)
    offer = sdp(port=STREAM_PORT)
    scenario.send(outside("INVITE", body=offer, headers=timer), retransmits=True)
    return _ringing(scenario).receive(200, routes=True).send(inside("ACK", 1)).stream(raw)


def _called(scenario: Scenario, port: str = PORT) -> Scenario:
    scenario.send(outside("INVITE", body=sdp(port=port)), retransmits=True)
    return _ringing(scenario).receive(200, routes=True).send(inside("ACK", 1))


def _ringing(scenario: Scenario) -> Scenario:
    for status in (100, 180, 183):
        scenario.receive(status, optional=True)
    return scenario


def _hangs_up(scenario: Scenario, number: int) -> Scenario:
    return scenario.send(inside("BYE", number), retransmits=True).receive(200)
