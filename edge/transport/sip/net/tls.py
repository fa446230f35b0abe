"""TLS contexts (RFC 3261 section 26.3.1, RFC 5922), and the words for what goes wrong with them."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from pathlib import Path

from edge.transport.sip.net.errors import TlsFilesError, Unreachable
from edge.transport.sip.net.settings import PeerTls, ServerTls

_CLIENTS = {
    "off": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


def server_context(tls: ServerTls) -> ssl.SSLContext:
    """For those who connect to us. Raises ``TlsFilesError``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_chain(context, tls.certificate, tls.key)
    if tls.ca is not None:
        _load_ca(context, tls.ca)
    context.verify_mode = _CLIENTS[tls.client_certificates]
    return context


def client_context(tls: PeerTls) -> ssl.SSLContext:
    """For connecting to one far end. Raises ``TlsFilesError``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.fingerprint is not None:
        _fingerprint(tls.fingerprint)
    if not tls.verify or tls.fingerprint is not None:
        # A pinned certificate is compared after the handshake, by :func:`check_pin`.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca is not None:
        _load_ca(context, tls.ca)
    else:
        context.load_default_certs()
    if tls.certificate is not None:
        _load_chain(context, tls.certificate, tls.key)
    return context


def check_pin(tls: PeerTls, certificate: bytes | None) -> None:
    """Compare the far end's certificate (DER) with the pinned one.

    Raises ``Unreachable`` when it is another.
    """
    if not tls.verify or tls.fingerprint is None:
        return
    shown = hashlib.sha256(certificate or b"").digest()
    if not hmac.compare_digest(shown, _fingerprint(tls.fingerprint)):
        raise Unreachable("certificate", f"the certificate is another one: SHA-256 {shown.hex()}")


def tls_problem(error: Exception) -> Unreachable:
    """What a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable("certificate", f"the certificate is not valid: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        said = (error.reason or "handshake failed").replace("_", " ").lower()
        return Unreachable("tls_failed", f"TLS failed: {said}")
    return Unreachable("tls_failed", "the connection was closed during the TLS handshake")


def identities(certificate: object) -> tuple[str, ...]:
    """The names in a verified certificate, as ``SSLObject.getpeercert`` gives it: the DNS names,
    addresses and URIs it is for (RFC 5922 section 7.1)."""
    if not isinstance(certificate, dict):
        return ()
    return tuple(str(value) for _, value in certificate.get("subjectAltName", ()))


def _load_chain(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    try:
        # Without a password, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        files = str(certificate) if key is None else f"{certificate} and {key}"
        why = (error.reason or "they are not PEM").replace("_", " ").lower()
        raise TlsFilesError(f"{files}: no certificate with its key in PEM: {why}") from error
    except OSError as error:
        name = certificate if key is None or not certificate.exists() else key
        raise TlsFilesError(f"{name}: {error.strerror or error}") from error


def _load_ca(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise TlsFilesError(f"{path}: no CA certificates in PEM") from error
    except OSError as error:
        raise TlsFilesError(f"{path}: {error.strerror or error}") from error


def _fingerprint(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise TlsFilesError(f"{text!r} is no SHA-256 fingerprint: 64 hexadecimal digits")
    return digest
