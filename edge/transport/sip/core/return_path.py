"""The way back of a response (RFC 3261 section 18.2, RFC 3581)."""

from __future__ import annotations

from dataclasses import replace

from edge.transport.sip.core.flow import Destination, Flow
from edge.transport.sip.wire.values import Via

DEFAULT_PORT = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""The port of a sent-by or an address that names none (RFC 3261 section 18.2.2)."""


def completed(via: Via, flow: Flow) -> Via:
    """``via``, the topmost of a request that came over ``flow``, with where it really came from."""
    host, port = flow.remote
    asked = "rport" in via.parameters
    if asked:
        via = via.with_parameter("rport", str(port))
    if asked or "received" in via.parameters or via.host != host:
        via = via.with_parameter("received", host)
    return via


def way_back(via: Via, flow: Flow) -> Destination:
    """Where a response goes whose request came over ``flow`` with ``via`` on top.

    Always to the address that the request came from: ``maddr`` and ``received`` as the sender wrote
    them would let anybody have responses sent to somebody else.
    """
    host = flow.remote[0]
    named = via.port or DEFAULT_PORT[flow.transport]
    if flow.reliable:
        return Destination(flow.transport, host, named, flow)
    if "rport" in via.parameters:
        return Destination("udp", host, flow.remote[1], flow)
    return Destination("udp", host, named, replace(flow, remote=(host, named)))
