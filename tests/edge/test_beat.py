"""The heartbeat: every replica, until the last word."""

from __future__ import annotations

import http.server
import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from control_plane.contract import Heartbeat
from edge.beat import Beater, NodeLoad
from regions.law import UNBOUND, Law
from tests.edge.test_admission import CATALOGUE


@contextmanager
def replica(
    status: int = 204, body: bytes = b""
) -> Iterator[tuple[str, queue.Queue[tuple[str, Heartbeat]]]]:
    """A control plane that keeps every beat."""
    beats: queue.Queue[tuple[str, Heartbeat]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers["Content-Length"]))
            beats.put((self.headers["Authorization"], Heartbeat.model_validate_json(said)))
            answer = json.dumps({"code": "unknown_node"}).encode() if status >= 400 else body
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", beats
        server.shutdown()
        thread.join()


def beater(
    *control_planes: str,
    load: NodeLoad,
    sip: str | None = None,
    tenants: tuple[str, ...] | None = None,
    law: Callable[[], Law] = lambda: Law(CATALOGUE),
    on_policy: Callable[[int], None] = lambda serial: None,
) -> Beater:
    return Beater(
        node="eu-central-1-a",
        region="eu-central-1",
        url="http://127.0.0.1:7101",
        law=law,
        version="0.1.0",
        secret="s" * 32,
        control_planes=control_planes,
        load=lambda: load,
        sip=sip,
        tenants=tenants,
        on_policy=on_policy,
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.beat.BEAT_SECONDS", 0.01)


def test_every_replica_hears_every_beat_in_order() -> None:
    with replica() as (first, heard_first), replica() as (second, heard_second):
        beating = beater(first, second, load=NodeLoad(100, 7, False))
        beating.start()
        for heard in (heard_first, heard_second):
            beats = [heard.get(timeout=60) for _ in range(3)]
            assert [beat.sequence for _, beat in beats] == [1, 2, 3]
            assert {beat.active for _, beat in beats} == {7}
            assert {secret for secret, _ in beats} == {"Bearer " + "s" * 32}
            assert len({beat.boot for _, beat in beats}) == 1
        beating.stop()


def test_replica_that_hangs_does_not_silence_the_others() -> None:
    silent = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    with silent, replica() as (alive, heard):  # the first accepts and never answers
        beating = beater(
            f"http://127.0.0.1:{silent.server_port}", alive, load=NodeLoad(1, 0, False)
        )
        beating.start()
        assert [heard.get(timeout=60)[1].sequence for _ in range(3)] == [1, 2, 3]
        beating.stop()


def test_node_beats_its_address_for_phone_calls_and_no_key_when_it_has_none() -> None:
    """A control plane of the version before refuses keys that it does not know."""
    for address in ("sip:eu-central-1.example.org", None):
        with replica() as (base, heard):
            beating = beater(base, load=NodeLoad(1, 0, False), sip=address)
            beating.start()
            _, beat = heard.get(timeout=60)
            beating.stop()
        assert beat.sip == address
        assert ("sip" in beat.model_fields_set) == (address is not None)


def test_node_beats_the_only_tenants_it_serves_and_no_key_when_it_serves_all() -> None:
    for tenants in (("clinic", "bank"), None):
        with replica() as (base, heard):
            beating = beater(base, load=NodeLoad(1, 0, False), tenants=tenants)
            beating.start()
            _, beat = heard.get(timeout=60)
            beating.stop()
        assert beat.tenants == tenants
        assert ("tenants" in beat.model_fields_set) == (tenants is not None)


def test_last_beat_tells_that_the_node_drains() -> None:
    with replica() as (base, heard):
        beating = beater(base, load=NodeLoad(0, 0, True))
        beating.start()
        heard.get(timeout=60)
        beating.stop()
        beats = []
        while not heard.empty():
            beats.append(heard.get()[1])
        assert beats[-1].draining


def test_refused_beats_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with replica(status=403) as (base, heard):
        beating = beater(base, load=NodeLoad(1, 0, False))
        beating.start()
        for _ in range(5):
            heard.get(timeout=60)
        beating.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "control plane does not take beats"
    ]
    assert vars(caplog.records[0])["reason"] == "403 unknown_node"


def test_node_beats_the_law_of_this_moment_and_the_bundle_where_it_has_one() -> None:
    laws = [Law(CATALOGUE), Law(CATALOGUE, serial=4), Law(CATALOGUE, {"bank": UNBOUND}, serial=5)]
    with replica() as (base, heard):
        now = laws[:1]
        beating = beater(base, load=NodeLoad(1, 0, False), law=lambda: now[0])
        beating.start()
        for law in laws:
            now[0] = law
            while True:
                _, beat = heard.get(timeout=60)
                if beat.serial == (law.serial or None):
                    break
            assert beat.policy == law.policy
            assert ("serial" in beat.model_fields_set) == (law.serial > 0)
        beating.stop()


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (b'{"policy": 7}', 7),
        (b"", None),
        (b"{}", None),
        (b'{"policy": 0}', None),
        (b'{"policy": "7"}', None),
        (b"not json", None),
    ],
)
def test_a_newer_bundle_that_an_answer_names_is_passed_on_and_nothing_else(
    answer: bytes, named: int | None
) -> None:
    told: list[int] = []
    with replica(200, answer) as (base, heard):
        beating = beater(base, load=NodeLoad(1, 0, False), on_policy=told.append)
        beating.start()
        for _ in range(3):
            heard.get(timeout=60)
        beating.stop()
    assert {*told} == ({named} if named is not None else set())
