"""The certificate that the node's signalling is served with."""

from __future__ import annotations

import ssl
from datetime import datetime

from cryptography import x509

from edge.settings import HttpsFiles
from edge.transport.sip.net.settings import ServerTls
from edge.transport.sip.net.tls import server_context


class CertificateExpired(Exception):
    """The text names the file and when it ran out."""


def https_context(files: HttpsFiles, now: datetime) -> ssl.SSLContext:
    """TLS 1.2 or later with the certificate of ``files``; ``now`` has a time zone.

    Raises ``TlsFilesError`` when the files are no certificate with its key, ``CertificateExpired``.
    """
    context = server_context(ServerTls(files.certificate, files.key))
    own, *_ = x509.load_pem_x509_certificates(files.certificate.read_bytes())
    if own.not_valid_after_utc <= now:
        raise CertificateExpired(
            f"{files.certificate}: ran out at {own.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: "
            "put a newer one there"
        )
    return context
