"""Whether the libraries still have what is used here beyond their documented interface.

aiortc and aioice are pinned, but a pin can be overridden. Run at start, this turns a failure in the
middle of somebody's call into a sentence that names the package.
"""

from __future__ import annotations

from importlib.metadata import version

from aioice import Candidate, Connection, stun
from aioice.ice import CandidatePair, StunProtocol
from aiortc import (
    RTCCertificate,
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceTransport,
    RTCSctpTransport,
)

from edge.transport.webrtc.errors import IncompatibleLibrary

TESTED = {"aiortc": "1.16.0", "aioice": "0.13.0"}

_CONNECTION = (
    "_closing",
    "_local_candidates",
    "_local_candidates_end",
    "_local_candidates_start",
    "_nominated",
    "_protocols",
    "_queue",
    "_remote_candidates",
    "_valid_username",
    "build_request",
    "data_received",
    "gather_candidates",
    "query_consent",
)
_DTLS = (
    "_data_receiver",
    "_recv_next",
    "_role",
    "_rx_srtp",
    "_send_data",
    "_set_role",
    "_ssl",
    "_task",
    "_tx_srtp",
    "encrypted",
)
_SCTP = (
    "_abort",
    "_advertised_rwnd",
    "_data_channel_receive",
    "_data_channels",
    "_handle_data",
    "_inbound_streams",
    "_receive_chunk",
    "_receive_sack_chunk",
    "_sack_duplicates",
    "_sack_misordered",
    "_set_state",
    "State.CLOSED",
    "State.ESTABLISHED",
)


def check_libraries() -> None:
    """Look every name up, on real objects. Needs a running loop.

    Raises :class:`IncompatibleLibrary`.
    """
    connection = Connection(ice_controlling=False)
    gatherer = RTCIceGatherer(iceServers=[])
    ice = RTCIceTransport(gatherer)
    dtls = RTCDtlsTransport(ice, [RTCCertificate.generateCertificate()])
    candidate = Candidate("1", 1, "udp", 1, "127.0.0.1", 9, "host")
    protocol = StunProtocol(connection)
    protocol.local_candidate = candidate
    used: tuple[tuple[str, object, tuple[str, ...]], ...] = (
        ("aioice", connection, _CONNECTION),
        ("aioice", protocol, ("connection_lost", "connection_made", "datagram_received")),
        ("aioice", CandidatePair(protocol, candidate), ("remote_addr",)),
        ("aioice", stun, ("COOKIE", "parse_message", "Message.check_message_integrity")),
        ("aiortc", gatherer, ("_connection", "_remote_candidates_end")),
        ("aiortc", ice, ("_connection", "_recv", "_send")),
        ("aiortc", dtls, _DTLS),
        ("aiortc", RTCSctpTransport(dtls), _SCTP),
    )
    for package, owner, names in used:
        for name in names:
            require(package, owner, name)


def require(package: str, owner: object, dotted: str) -> None:
    """Raise :class:`IncompatibleLibrary` unless ``owner`` has ``dotted``."""
    found = owner
    for name in dotted.split("."):
        if not hasattr(found, name):
            kind = getattr(owner, "__name__", type(owner).__name__)
            raise IncompatibleLibrary(
                f"{package} {version(package)} has no {kind}.{dotted}: "
                f"install {package}=={TESTED[package]}"
            )
        found = getattr(found, name)
