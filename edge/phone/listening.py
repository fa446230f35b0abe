"""The ``sip:`` section as the user agent's own settings."""

from __future__ import annotations

from edge.phone.settings import PhoneSettings
from edge.phone.trunk import TrunkTls
from edge.transport.sip.net.settings import Advertised, ListenSettings, PeerTls, ServerTls


def listen_settings(phone: PhoneSettings) -> ListenSettings:
    """Where the user agent listens, what it says of itself, and how it checks who it calls."""
    listens = phone.listens
    return ListenSettings(
        udp=tuple((at.host, at.port) for at in listens if at.transport == "udp"),
        tcp=tuple((at.host, at.port) for at in listens if at.transport == "tcp"),
        tls=tuple((at.host, at.port) for at in listens if at.transport == "tls"),
        server_tls=_server_tls(phone),
        peers={host: _peer(trunk.tls) for host, trunk in phone.peers()},
        advertised=None if phone.advertised_host is None else Advertised(phone.advertised_host),
        trusted=tuple(network for trunk in phone.trunks for network in trunk.sources),
    )


def _server_tls(phone: PhoneSettings) -> ServerTls | None:
    tls = phone.tls
    if tls is None:
        return None
    return ServerTls(tls.certificate, tls.key, tls.client_ca, tls.clients)


def _peer(tls: TrunkTls) -> PeerTls:
    return PeerTls(tls.verify, tls.ca, tls.fingerprint, tls.certificate, tls.key)
