"""sipp as the called side."""

from __future__ import annotations

from pathlib import Path

from tests.peers.scenarios import (
    KEEP_PARTIES,
    KEEP_TRANSACTION,
    Scenario,
    later,
    response,
    returned,
    sdp,
)


def answers(rings: float = 0.2, *, capture: Path | None = None) -> Scenario:
    """Ring, answer, play a capture, and take the BYE."""
    scenario = _rung(Scenario("answers"), rings)
    if capture is not None:
        scenario.play(capture)
    return _takes_bye(scenario)


def hangs_up(seconds: float = 1.0) -> Scenario:
    """Answer, and end the call after some seconds."""
    scenario = _rung(Scenario("hangs up"), 0.2).pause(seconds)
    return scenario.send(returned("BYE", 1), retransmits=True).receive(200)


def holds(seconds: float = 0.5) -> Scenario:
    """Answer, hold and resume by re-INVITE, then take the BYE."""
    scenario = _rung(Scenario("holds"), 0.2)
    for number, direction in ((1, "sendonly"), (2, "sendrecv")):
        body = sdp(direction, version=number + 1)
        scenario.pause(seconds)
        scenario.send(returned("INVITE", number, body=body), retransmits=True)
        scenario.receive(100, optional=True).receive(200).send(returned("ACK", number))
    return _takes_bye(scenario)


def refuses(status: int, reason: str, *, rings: bool = True, header: str = "") -> Scenario:
    """486 Busy Here, 603 Decline, 503 with ``header`` "Retry-After: 5", and their kin."""
    scenario = Scenario(f"refuses with {status}").receive("INVITE")
    if rings:
        scenario.send(response(180, "Ringing"))
    headers = [header] if header else []
    return scenario.send(response(status, reason, headers=headers), retransmits=True).receive("ACK")


def never_answers() -> Scenario:
    """Ring until the CANCEL comes."""
    scenario = Scenario("never answers").receive("INVITE", actions=KEEP_TRANSACTION)
    scenario.send(response(180, "Ringing")).receive("CANCEL")
    scenario.send(response(200, "OK"))
    terminated = later(response(487, "Request Terminated", tag=False))
    return scenario.send(terminated, retransmits=True).receive("ACK")


def says_nothing() -> Scenario:
    """Take an INVITE and never respond: whoever calls runs into timer B or its ring timeout."""
    return Scenario("says nothing").receive("INVITE").pause(60)


def plays_early(capture: Path | None = None, seconds: float = 0.5) -> Scenario:
    """183 with an answer, early media, then 200 with the same answer."""
    scenario = Scenario("plays early").receive("INVITE", routes=True, actions=KEEP_PARTIES)
    scenario.send(response(183, "Session Progress", body=sdp()))
    if capture is not None:
        scenario.play(capture)
    scenario.pause(seconds).send(response(200, "OK", body=sdp()), retransmits=True)
    return _takes_bye(scenario.receive("ACK"))


def rings_reliably() -> Scenario:
    """A provisional response that must be acknowledged (RFC 3262), then the answer."""
    reliable = ("Require: 100rel", "RSeq: 1")
    scenario = Scenario("rings reliably").receive("INVITE", actions=KEEP_TRANSACTION)
    scenario.send(response(183, "Session Progress", body=sdp(), headers=reliable), retransmits=True)
    scenario.receive("PRACK").send(response(200, "OK", tag=False))
    answer = later(response(200, "OK", tag=False, body=sdp()))
    return _takes_bye(scenario.send(answer, retransmits=True).receive("ACK"))


def is_refreshed() -> Scenario:
    """Take an UPDATE and a re-INVITE that change nothing, then the BYE."""
    scenario = _rung(Scenario("is refreshed"), 0.2)
    scenario.receive("UPDATE").send(response(200, "OK", tag=False)).receive("INVITE")
    again = response(200, "OK", tag=False, body=sdp())
    return _takes_bye(scenario.send(again, retransmits=True).receive("ACK"))


def is_asked() -> Scenario:
    """Answer OPTIONS, as a trunk in good health does."""
    return Scenario("is asked").receive("OPTIONS").send(response(200, "OK"))


def redirects(contact: str) -> Scenario:
    """302 to another."""
    scenario = Scenario("redirects").receive("INVITE")
    moved = response(302, "Moved Temporarily", headers=[f"Contact: <{contact}>"])
    return scenario.send(moved, retransmits=True).receive("ACK")


def _rung(scenario: Scenario, rings: float) -> Scenario:
    scenario.receive("INVITE", routes=True, actions=KEEP_PARTIES)
    scenario.send(response(180, "Ringing")).pause(rings)
    return scenario.send(response(200, "OK", body=sdp()), retransmits=True).receive("ACK")


def _takes_bye(scenario: Scenario) -> Scenario:
    return scenario.receive("BYE").send(response(200, "OK", tag=False))
