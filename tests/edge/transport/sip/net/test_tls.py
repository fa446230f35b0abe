"""TLS between two endpoints, with certificates that fit and that do not."""

from __future__ import annotations

import asyncio
import gc
import ssl
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.transport.sip.core.flow import Destination
from edge.transport.sip.net.errors import TlsFilesError, Unreachable
from edge.transport.sip.net.settings import Limits, ListenSettings, PeerTls, ServerTls
from edge.transport.sip.wire.message import Response
from tests.edge.transport.sip.net.certificates import Authority, Files
from tests.edge.transport.sip.net.desk import HANG, LOOPBACK, Desk, NoDns, options

TRUNK = "trunk.example.com"
DNS = NoDns({TRUNK: [LOOPBACK]})


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def server(files: Files, **more: object) -> ListenSettings:
    tls = replace(ServerTls(files.certificate, files.key), **more)  # type: ignore[arg-type]
    return ListenSettings(tls=((LOOPBACK, 0),), server_tls=tls)


def client(peer: PeerTls, name: str = TRUNK) -> ListenSettings:
    return ListenSettings(tcp=((LOOPBACK, 0),), peers={name: peer})


async def reach(here: Desk, there: Desk, host: str = TRUNK) -> Response | Unreachable:
    """OPTIONS by TLS: the answer, or why there is none."""
    destination = Destination("tls", host, there.address("tls")[1])
    outcome = await here.ask(destination)
    if isinstance(outcome, Response):
        return outcome
    problem = here.endpoint.outbox.problem(destination)
    assert problem is not None
    return problem


async def test_a_certificate_of_a_known_authority_for_the_right_name_is_accepted(
    authority: Authority,
) -> None:
    async with (
        Desk(server(authority.issue(TRUNK))) as there,
        Desk(client(PeerTls(ca=authority.path)), lookup=DNS) as here,
    ):
        answer = await reach(here, there)
        assert isinstance(answer, Response)
        assert answer.via.transport == "TLS"
        assert there.flows[0].transport == "tls"


async def test_an_address_is_checked_against_the_addresses_in_the_certificate(
    authority: Authority,
) -> None:
    async with (
        Desk(server(authority.issue(LOOPBACK))) as there,
        Desk(client(PeerTls(ca=authority.path), LOOPBACK)) as here,
    ):
        assert isinstance(await reach(here, there, LOOPBACK), Response)


@pytest.mark.parametrize("flaw", ["another name", "another authority", "run out"])
async def test_a_certificate_that_does_not_fit_is_refused_in_words(
    flaw: str, authority: Authority, tmp_path: Path
) -> None:
    files = {
        "another name": lambda: authority.issue("other.example.com"),
        "another authority": lambda: Authority(tmp_path, "somebody else").issue(TRUNK),
        "run out": lambda: authority.issue(TRUNK, days=-1),
    }[flaw]()
    async with (
        Desk(server(files)) as there,
        Desk(client(PeerTls(ca=authority.path)), lookup=DNS) as here,
    ):
        problem = await reach(here, there)
        assert isinstance(problem, Unreachable)
        assert problem.code == "certificate"
        assert "certificate is not valid" in problem.detail
        assert there.seen == []


async def test_without_a_ca_file_the_machines_authorities_decide(authority: Authority) -> None:
    async with (
        Desk(server(authority.issue(TRUNK))) as there,
        Desk(client(PeerTls()), lookup=DNS) as here,
    ):
        problem = await reach(here, there)
        assert isinstance(problem, Unreachable)
        assert problem.code == "certificate"


async def test_a_pinned_certificate_is_accepted_whatever_its_name_and_issuer(
    authority: Authority,
) -> None:
    files = authority.issue("pbx.local")
    pin = ":".join(files.fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    async with (
        Desk(server(files)) as there,
        Desk(client(PeerTls(fingerprint=pin)), lookup=DNS) as here,
    ):
        assert isinstance(await reach(here, there), Response)


async def test_another_certificate_than_the_pinned_one_gets_not_a_byte(
    authority: Authority,
) -> None:
    files, pinned = authority.issue(TRUNK), authority.issue(TRUNK)
    async with (
        Desk(server(files)) as there,
        Desk(client(PeerTls(fingerprint=pinned.fingerprint)), lookup=DNS) as here,
    ):
        problem = await reach(here, there)
        assert isinstance(problem, Unreachable)
        assert problem.code == "certificate"
        assert files.fingerprint in problem.detail
        assert there.seen == []
        await here.until(lambda: len(here.endpoint.connections) == 0)


async def test_what_a_stranger_says_before_its_certificate_is_checked_is_not_read(
    authority: Authority,
) -> None:
    files, pinned = authority.issue(TRUNK), authority.issue(TRUNK)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(options("TLS"))
        await reader.read()
        writer.close()

    strangers = await asyncio.start_server(speak, LOOPBACK, 0, ssl=context)
    async with strangers, Desk(client(PeerTls(fingerprint=pinned.fingerprint)), lookup=DNS) as here:
        where = Destination("tls", TRUNK, strangers.sockets[0].getsockname()[1])
        assert await here.ask(where) == "transport"
        await here.until(lambda: len(here.endpoint.connections) == 0)
        assert here.seen == []
        assert here.endpoint.connections.cut["certificate"] == 1


async def test_an_unchecked_certificate_is_accepted_only_where_that_is_asked_for(
    authority: Authority,
) -> None:
    async with (
        Desk(server(authority.issue("pbx.local"))) as there,
        Desk(client(PeerTls(verify=False)), lookup=DNS) as here,
    ):
        assert isinstance(await reach(here, there), Response)


async def test_a_connection_verified_for_one_name_is_not_used_for_another(
    authority: Authority,
) -> None:
    dns = NoDns({TRUNK: [LOOPBACK], "other.example.com": [LOOPBACK]})
    settings = ListenSettings(
        tcp=((LOOPBACK, 0),),
        peers={name: PeerTls(ca=authority.path) for name in (TRUNK, "other.example.com")},
    )
    async with (
        Desk(server(authority.issue(TRUNK))) as there,
        Desk(settings, lookup=dns) as here,
    ):
        assert isinstance(await reach(here, there), Response)
        assert isinstance(await reach(here, there), Response)
        assert len(here.endpoint.connections) == 1
        problem = await reach(here, there, "other.example.com")
        assert isinstance(problem, Unreachable)
        assert problem.code == "certificate"


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("wanted", ["off", "optional", "required"])
async def test_client_certificates_are_asked_for_as_told(
    wanted: str, shown: bool, authority: Authority
) -> None:
    mine = authority.issue("edge.example.com")
    peer = PeerTls(ca=authority.path)
    if shown:
        peer = replace(peer, certificate=mine.certificate, key=mine.key)
    settings = server(authority.issue(TRUNK), ca=authority.path, client_certificates=wanted)
    async with Desk(settings) as there, Desk(client(peer), lookup=DNS) as here:
        outcome = await reach(here, there)
        if wanted == "required" and not shown:
            assert isinstance(outcome, Unreachable)
            assert there.seen == []
            return
        assert isinstance(outcome, Response)
        names = there.endpoint.connections.verified(there.flows[0])
        assert names == (("edge.example.com",) if shown and wanted != "off" else ())


async def test_a_client_certificate_of_another_authority_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "somebody else").issue("edge.example.com")
    peer = PeerTls(ca=authority.path, certificate=stranger.certificate, key=stranger.key)
    settings = server(authority.issue(TRUNK), ca=authority.path, client_certificates="optional")
    async with Desk(settings) as there, Desk(client(peer), lookup=DNS) as here:
        assert isinstance(await reach(here, there), Unreachable)
        assert there.seen == []


async def test_old_tls_is_not_spoken(authority: Authority) -> None:
    async with Desk(server(authority.issue(TRUNK))) as there:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(*there.address("tls"), ssl=context)
        await there.until(lambda: there.endpoint.connections.failed_handshakes == 1)
        assert len(there.endpoint.connections) == 0


async def test_a_handshake_that_never_ends_is_cut_and_its_place_is_free_again(
    authority: Authority,
) -> None:
    settings = replace(server(authority.issue(TRUNK)), limits=Limits(handshake=0.2))
    async with Desk(settings) as there:
        reader, writer = await asyncio.open_connection(*there.address("tls"))
        async with asyncio.timeout(HANG):
            assert await reader.read() == b""
        writer.close()
        await there.until(lambda: len(there.endpoint.connections) == 0)
        assert there.endpoint.connections.failed_handshakes == 1


async def test_what_is_no_tls_at_all_does_not_stop_the_listener(authority: Authority) -> None:
    async with (
        Desk(server(authority.issue(TRUNK))) as there,
        Desk(client(PeerTls(ca=authority.path)), lookup=DNS) as here,
    ):
        reader, writer = await asyncio.open_connection(*there.address("tls"))
        writer.write(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
        async with asyncio.timeout(HANG):
            await reader.read()
        writer.close()
        assert isinstance(await reach(here, there), Response)


@pytest.mark.parametrize("broken", ["missing", "no PEM", "another key", "a locked key"])
async def test_files_that_cannot_be_used_are_named_at_start(
    broken: str, authority: Authority, tmp_path: Path
) -> None:
    files = authority.issue(TRUNK)
    if broken == "missing":
        files = replace(files, key=tmp_path / "nowhere.key")
    elif broken == "no PEM":
        files.certificate.write_text("not a certificate")
    elif broken == "another key":
        files = replace(files, key=authority.issue(TRUNK).key)
    else:
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
    with pytest.raises(TlsFilesError) as refused:
        async with Desk(server(files)):
            pass
    assert str(files.key) in str(refused.value) or str(files.certificate) in str(refused.value)


async def test_a_fingerprint_that_is_none_is_refused_at_start() -> None:
    with pytest.raises(TlsFilesError, match="no SHA-256 fingerprint"):
        async with Desk(client(PeerTls(fingerprint="abc"))):
            pass


async def test_strangers_have_a_part_of_the_tls_connections_only(authority: Authority) -> None:
    settings = replace(server(authority.issue(LOOPBACK)), limits=Limits(strangers_tls=2))
    async with Desk(settings) as desk:
        streams = [await asyncio.open_connection(*desk.address("tls")) for _ in range(3)]
        async with asyncio.timeout(HANG):
            assert await streams[2][0].read() == b""
        assert (len(desk.endpoint.connections), desk.endpoint.connections.refused) == (2, 1)
        for _, writer in streams:
            writer.transport.abort()


async def test_a_trusted_network_has_all_of_the_tls_connections(authority: Authority) -> None:
    limits = Limits(strangers_tls=1)
    files = authority.issue(LOOPBACK)
    settings = replace(server(files), limits=limits, trusted=(ip_network("127.0.0.0/8"),))
    async with Desk(settings) as desk:
        context = ssl.create_default_context(cafile=str(authority.path))
        streams = [
            await asyncio.open_connection(*desk.address("tls"), ssl=context) for _ in range(3)
        ]
        assert len(desk.endpoint.connections) == 3
        for _, writer in streams:
            writer.transport.abort()


@pytest.mark.parametrize("words", [b"", b"this is no handshake\r\n\r\n"])
async def test_a_failed_handshake_leaves_nothing_for_the_garbage_collector(
    authority: Authority, words: bytes
) -> None:
    async with Desk(server(authority.issue(LOOPBACK))) as desk:
        gc.collect()
        gc.disable()
        try:
            reader, writer = await asyncio.open_connection(*desk.address("tls"))
            writer.write(words)
            writer.write_eof()
            async with asyncio.timeout(HANG):
                await reader.read()
            writer.transport.abort()
            for _ in range(20):
                await asyncio.sleep(0)
            assert desk.endpoint.connections.failed_handshakes == 1
            held = [each for each in gc.get_objects() if type(each).__name__ == "SSLProtocol"]
        finally:
            gc.enable()
        assert held == []
