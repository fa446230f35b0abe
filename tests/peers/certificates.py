"""A certificate authority that lives as long as a test."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.peers.program import HOST, HOST6


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files: ``authority`` to trust, ``chain`` and ``key`` of one server on loopback, and both in
    ``bundle``."""

    authority: Path
    chain: Path
    key: Path
    bundle: Path


def make_certificates(folder: Path) -> Certificates:
    """A new authority and one certificate of it for loopback's addresses."""
    folder.mkdir(parents=True, exist_ok=True)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = _name("Test authority")
    root = (
        _builder(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    addresses = [x509.IPAddress(ipaddress.ip_address(host)) for host in (HOST, HOST6)]
    names = x509.SubjectAlternativeName([*addresses, x509.DNSName("localhost")])
    leaf = (
        _builder(_name(HOST), root_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = Certificates(*(folder / f"{name}.pem" for name in ("ca", "cert", "key", "both")))
    files.authority.write_bytes(root.public_bytes(pem))
    files.chain.write_bytes(leaf.public_bytes(pem))
    files.key.write_bytes(secret)
    files.bundle.write_bytes(leaf.public_bytes(pem) + secret)
    return files


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
