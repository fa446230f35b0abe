"""What becomes of a phone call that came to this node: pure, and nothing of media happens before.

- This region may have the call, and the node has room: it takes it, however near another region
  is, since a 302 costs the caller seconds.
- Only other regions may, or only nodes that serve the tenant: 302 to their addresses, in order.
- No region may: 603.
- This region may, and the node is full or drains: 503, but only to a trunk all of whose own routes
  are inside the allowed set, because a 503 sends a trunk to its next route. Another trunk gets a
  302 to the allowed regions, and a 603 when they have no address.

Whatever is not known counts as not allowed: without an answer of the control plane the call is
declined.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TypeAlias

from control_plane.contract import Candidate, Problem, RouteResponse
from edge.admission import VerificationKeys, rule_route_token
from edge.internal import Admitted
from edge.law import LawInForce
from edge.problem import EdgeRefusal
from edge.tenancy import Tenancy
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.uri import SipUri

FULL_SECONDS = 5
DRAINING_SECONDS = 60
"""When to try again: a place becomes free soon, a node that drains does not come back soon."""
MAX_CONTACTS = 5
MAX_RETRY_SECONDS = 300
CALL_REJECTED = 21
"""ITU-T Q.850: the cause that gateways make of a 603 (RFC 6432)."""
_CODE = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Here:
    """This node now. ``address`` is where others send phone calls for it or its region."""

    region: str
    node: str
    address: str | None
    room: bool
    draining: bool


@dataclass(frozen=True, slots=True)
class Routed:
    """The control plane's answer, held against this node's own law.

    ``allowed`` are the regions that may have the call, in order; ``caller`` is there when this
    region is one of them and this node serves the tenant. Candidates are all of allowed regions.
    """

    allowed: tuple[str, ...]
    caller: Admitted | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Unrouted:
    """There is no token: ``code`` says why. ``allowed`` is empty when it is not known.

    ``retry_after`` is in seconds.
    """

    code: str
    allowed: tuple[str, ...] = ()
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class TakeHere:
    """Ring here."""

    caller: Admitted
    reason: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """302 to addresses of allowed regions, the best first."""

    addresses: tuple[SipUri, ...]
    reason: str

    def contacts(self, user: str | None) -> tuple[str, ...]:
        """The Contact values (RFC 3261, section 20.10) for who dialled ``user``."""
        return tuple(
            f"<{replace(address, user=user)}>;q={1 - place / 10:.1f}"
            for place, address in enumerate(self.addresses)
        )


@dataclass(frozen=True, slots=True)
class Decline:
    """603. Not 403 or 404, after which a trunk may try elsewhere: no other route may have it."""

    code: str
    cause: int
    reason: str

    @property
    def reason_header(self) -> str:
        """For gateways and for people who look at a trace (RFC 3326)."""
        return (
            f'Q.850;cause={CALL_REJECTED};text="Call rejected", '
            f'X-Inland;cause={self.cause};text="{self.code}"'
        )


@dataclass(frozen=True, slots=True)
class Busy:
    """503 with Retry-After (RFC 3261, section 21.5.4), in seconds."""

    retry_after: int
    reason: str


Decision: TypeAlias = TakeHere | Redirect | Decline | Busy


def hold_to_law(
    answer: RouteResponse,
    *,
    keys: VerificationKeys,
    now: float,
    region: str,
    law: LawInForce,
    tenancy: Tenancy,
) -> Routed | Unrouted:
    """The answer as far as its signed token and the law in force bear it out.

    What the answer says beside the token opens nothing: a candidate outside is forgotten.
    """
    try:
        ruling = rule_route_token(answer.token, keys=keys, now=now, law=law, medium="sip")
    except EdgeRefusal as refusal:
        return Unrouted(refusal.code)
    allowed = ruling.allowed
    ours = tenancy.problem(ruling.claims.ten, dedicated=bool(ruling.claims.ded)) is None
    return Routed(
        allowed,
        ruling.admit(region) if ours and region in allowed else None,
        tuple(candidate for candidate in answer.candidates if candidate.region in allowed),
    )


def without_token(problem: Problem, retry_after: int | None = None) -> Unrouted:
    """The control plane's refusal; ``retry_after`` as it says, in seconds."""
    code = problem.code if _CODE.fullmatch(problem.code) else "refused"
    allowed = tuple(verdict.region for verdict in problem.regions if verdict.allowed)
    return Unrouted(code, allowed, retry_after)


def decide(ruling: Routed | Unrouted, here: Here, routes: Collection[str]) -> Decision:
    """Where the call goes. ``routes`` are all regions that its trunk may try by itself."""
    if isinstance(ruling, Unrouted):
        return _without_route(ruling, routes)
    if ruling.caller is None:
        return _elsewhere(ruling, here, routes)
    if here.room and not here.draining:
        return TakeHere(ruling.caller, f"{here.region} may have the call and has room")
    return _no_room(ruling, here, routes)


def _without_route(ruling: Unrouted, routes: Collection[str]) -> Decision:
    if ruling.code == "no_region_available" and _inside(routes, ruling.allowed):
        return _busy(ruling.retry_after or FULL_SECONDS, "no allowed region has room")
    return _decline(ruling.code, "there is no ruling under which the call may be anywhere")


def _elsewhere(ruling: Routed, here: Here, routes: Collection[str]) -> Decision:
    addresses = _addresses(ruling, here)
    if addresses:
        return Redirect(addresses, "others may have the call, this node may not")
    if not ruling.allowed:
        return _decline("no_region_allowed", "no region may have the call")
    if _inside(routes, ruling.allowed):
        return _busy(
            FULL_SECONDS, "an allowed region has no address; the trunk's routes are lawful"
        )
    return _decline("no_region_available", "the allowed regions have no address for phone calls")


def _no_room(ruling: Routed, here: Here, routes: Collection[str]) -> Decision:
    what = "draining" if here.draining else "full"
    if _inside(routes, ruling.allowed):
        seconds = DRAINING_SECONDS if here.draining else FULL_SECONDS
        return _busy(seconds, f"the node is {what}; all routes of the trunk are lawful")
    addresses = _addresses(ruling, here)
    if addresses:
        return Redirect(addresses, f"the node is {what}; a 503 could send the call out of the law")
    return _decline(what, f"the node is {what}; a 503 could send the call out of the law")


def _inside(routes: Collection[str], allowed: Collection[str]) -> bool:
    """Whether the trunk can only try lawful regions. No routes: nobody said where it goes."""
    return bool(routes) and set(routes) <= set(allowed)


def _addresses(ruling: Routed, here: Here) -> tuple[SipUri, ...]:
    """Where else the call may go, once each: never back to here, never outside the allowed set."""
    found: dict[str, SipUri] = {}
    own = _read(here.address)
    for candidate in ruling.candidates:
        address = _read(candidate.sip)
        itself = (candidate.region, candidate.node) == (here.region, here.node)
        if address is None or itself or address == own or candidate.region not in ruling.allowed:
            continue
        found.setdefault(str(address), address)
    return tuple(found.values())[:MAX_CONTACTS]


def _read(address: str | None) -> SipUri | None:
    try:
        return None if address is None else SipUri.parse(address)
    except MessageError:
        return None


def _busy(seconds: int, reason: str) -> Busy:
    return Busy(max(1, min(seconds, MAX_RETRY_SECONDS)), reason)


_CAUSES = {
    "no_region_allowed": 403,
    "unknown_agent": 404,
    "unknown_tenant": 404,
    "wrong_policy": 409,
    "location_unknown": 422,
    "rate_limited": 429,
}
"""The HTTP status of the codes that are for an operator to mend; 503 for all others."""


def _decline(code: str, reason: str) -> Decline:
    return Decline(code, _CAUSES.get(code, 503), reason)
