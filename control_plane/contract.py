"""The words that the control plane, the edges and the clients exchange. Wire types only.

Every model is strict and refuses unknown keys: a peer of another version is told so, never guessed
at. Times are Unix seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
"""An id that people write: lower case, digits, dot, dash, underscore."""
SessionId = Annotated[str, StringConstraints(pattern=r"^s_[0-9A-Za-z]{22}$")]
"""A session: 128 random bits and a prefix."""
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]{1,240}$")]
SipAddress = Annotated[
    str,
    StringConstraints(
        pattern=r"^sips?:([A-Za-z0-9.-]{1,200}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?"
        r"(;transport=(udp|tcp|tls))?$"
    ),
]
"""Where phone calls for a node or its region are sent (RFC 3261, section 19.1): a host, without a
user. It goes into the Contact of a 302 as it is, so nothing else may stand in it."""
Media = Literal["webrtc", "sip", "websocket"]

TOKEN_ISSUER = "inland"
TOKEN_AUDIENCE = "inland-edge"
TOKEN_SECONDS = 60
"""Life of a route token."""
BEAT_SECONDS = 1.0
SUSPECT_SECONDS = 2.5
DEAD_SECONDS = 5.0
JWKS_PATH = "/.well-known/jwks.json"
POLICY_PATH = "/v1/policy"
"""``GET``: the signed policy bundle in force (``regions/bundle.py``): its bytes as signed,
with a strong ``ETag``. Header ``Authorization: Bearer <a region's node secret>``, or the operator's
key: a bundle lists tenants. 404 ``no_policy`` where the control plane has none."""
NO_POLICY = "no_policy"
POLICY_GRACE_SECONDS = 120.0
"""How long after a new bundle nodes and replicas may still be on different ones of them."""


class Wire(BaseModel):
    """A message on the wire."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RouteRequest(Wire):
    """``POST /v1/route``: a caller wants to talk to an agent."""

    agent: Identifier
    country: CountryCode | None = None
    """Where the caller is; without it, trusted headers and the tenant's default decide."""
    media: Media = "webrtc"


class NodeRouteRequest(Wire):
    """``POST /v1/nodes/{node}/route``: a phone call came to a node; where may it be?

    Header ``Authorization: Bearer <the region's node secret>``. The countries are all that is told
    of the two numbers. The answer is a :class:`RouteResponse`; when the node's own region is
    allowed, ``candidates`` may be empty, since the node itself may take the call.
    """

    tenant: Identifier
    agent: Identifier
    dialled_country: CountryCode | None = None
    """Of the number that was dialled; it binds."""
    caller_country: CountryCode | None = None
    """Of the caller's own number: a hint, asked only where nothing binds."""
    media: Literal["sip"] = "sip"


class RegionVerdict(Wire):
    """Whether one region may hold this caller's data, and which rule says so."""

    region: Identifier
    allowed: bool
    reason: str


class Candidate(Wire):
    """A node that may take the call; the list is in order of preference."""

    region: Identifier
    node: Identifier
    url: Url
    reason: str
    sip: SipAddress | None = None
    """Where a phone call is sent, if phone calls can be."""


class RouteResponse(Wire):
    """The answer to :class:`RouteRequest` and :class:`NodeRouteRequest`."""

    session_id: SessionId
    token: str
    expires_at: int
    policy: str
    """``version#digest`` of the catalogue that decided."""
    jurisdictions: tuple[Identifier, ...]
    candidates: tuple[Candidate, ...]
    regions: tuple[RegionVerdict, ...]


class Problem(Wire):
    """An error for people and programs (RFC 9457, ``application/problem+json``).

    ``code`` is stable; ``detail`` says what is wrong and what to do about it.
    """

    code: str
    title: str
    status: int
    detail: str
    regions: tuple[RegionVerdict, ...] = ()


class Heartbeat(Wire):
    """``POST /v1/nodes/{node}/beat``: what a node says of itself, each second, to every replica.

    Header ``Authorization: Bearer <the region's node secret>``; the answer is 204, or 200 and a
    :class:`BeatAnswer` from a control plane that has a policy bundle.
    """

    node: Identifier
    region: Identifier
    url: Url
    boot: str = Field(min_length=8, max_length=64)
    """Random per start of the node: a beat of an older boot is ignored."""
    sequence: int = Field(ge=0)
    capacity: int = Field(ge=0, le=100_000)
    active: int = Field(ge=0, le=100_000)
    draining: bool
    policy: str = Field(max_length=128)
    """``version#digest`` of the law that the node rules by now."""
    serial: int | None = Field(default=None, ge=1, le=2**53 - 1)
    """Of the policy bundle that the node has; one that never had any sends no such key. It tells a
    replica that still has an older bundle that the node is ahead, not astray."""
    version: str = Field(max_length=64)
    sip: SipAddress | None = None
    """The node's or its region's address for phone calls; a node without sends no such key, which
    an older control plane would refuse."""
    tenants: tuple[Identifier, ...] | None = Field(default=None, min_length=1, max_length=64)
    """The only tenants that the node serves; one that serves every other sends no such key."""


class BeatAnswer(Wire):
    """What a node hears back: the bundle in force here, to be fetched when it has an older one."""

    policy: int = Field(ge=1)
    """Its serial."""


class NodeStatus(Wire):
    """A node as one replica sees it. ``age`` is the seconds since its last heartbeat."""

    region: Identifier
    node: Identifier
    url: Url
    health: Literal["live", "suspect", "dead"]
    draining: bool
    capacity: int
    active: int
    in_flight: int
    policy: str
    serial: int | None = None
    version: str
    age: float
    sip: SipAddress | None = None
    tenants: tuple[Identifier, ...] | None = None


class RegionStatus(Wire):
    """The sum over a region's live nodes."""

    region: Identifier
    jurisdiction: Identifier
    live: int
    capacity: int
    active: int


class State(Wire):
    """``GET /v1/state``: what one replica knows. Nothing of callers is in it."""

    policy: str
    serial: int | None = None
    """Of the policy bundle in force; none without one."""
    version: str
    ready: bool
    regions: tuple[RegionStatus, ...]
    nodes: tuple[NodeStatus, ...]


class RouteClaims(Wire):
    """The payload of a route token (RFC 7519, EdDSA). No phone number, address or name."""

    iss: Literal["inland"]
    aud: Literal["inland-edge"]
    sub: SessionId
    jti: str = Field(min_length=8, max_length=64)
    iat: int
    nbf: int
    exp: int
    ten: Identifier
    jur: tuple[Identifier, ...] = Field(min_length=1, max_length=8)
    pol: str = Field(max_length=128)
    ser: int | None = Field(default=None, ge=1, le=2**53 - 1)
    """Serial of the policy bundle behind ``pol``; no such claim without a bundle. A node that has
    an older one does not know ``pol`` yet and takes the token all the same: ``reg`` is what the
    newer law left, and the node takes away what its own does not allow, so the result obeys both.
    """
    reg: dict[str, tuple[Identifier, ...]]
    """Data class to the ordered regions that may process it."""
    agent: Identifier
    med: Media
    ded: Literal[True] | None = None
    """The tenant has nodes of its own, and may be on no other; else there is no such claim, which
    an older edge would refuse."""
