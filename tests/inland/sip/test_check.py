"""``inland sip check`` against far ends on loopback that answer, refuse, or are not there."""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.clock import SystemClock
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.net.settings import ListenSettings
from edge.transport.sip.net.user_agent import UserAgent
from edge.transport.sip.wire.message import Request
from inland.commands import sip

LOOPBACK = "127.0.0.1"
CHALLENGE = 'Digest realm="pbx", nonce="n1", algorithm=SHA-256, qop="auth"'
NODE = """
node: eu-1
region: eu-central-1
data: {folder}/data
agents: {folder}/agents
control_planes: ["http://127.0.0.1:1"]
sip:
  listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"]
"""

Answer = Callable[[ServerTransaction], bool]


class FarEnd(threading.Thread):
    """A user agent in a loop of its own, as the command has one."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(daemon=True)
        self.requests: list[Request] = []
        self.ports: dict[str, int] = {}
        self.up = threading.Event()
        self._answer = answer
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()

    def run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self.join(60)
        assert not self.is_alive()

    async def _serve(self) -> None:
        settings = ListenSettings(udp=((LOOPBACK, 0),), tcp=((LOOPBACK, 0),))
        agent = UserAgent(
            settings, SystemClock(), user_agent="Far\x1b[31m PBX", on_request=self._asked
        )
        await agent.start()
        self.ports = {transport: port for transport, (_, port) in agent.listeners}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(agent.run())
            self.up.set()
            await self._stopped.wait()
            await agent.close(within=0.0)

    def _asked(self, transaction: ServerTransaction) -> bool:
        self.requests.append(transaction.request)
        return self._answer(transaction)


@contextmanager
def far_end(answer: Answer) -> Iterator[FarEnd]:
    far = FarEnd(answer)
    far.start()
    assert far.up.wait(60)
    try:
        yield far
    finally:
        far.stop()


def plain(transaction: ServerTransaction) -> bool:
    """OPTIONS by itself; REGISTER with a contact as it was sent."""
    request = transaction.request
    if request.method != "REGISTER":
        return False
    contact = request.headers.get("contact") or ""
    transaction.respond(make_response(request, 200, headers=[("contact", contact)]))
    return True


def with_password(transaction: ServerTransaction) -> bool:
    """Asks for a password, and takes any."""
    if "authorization" in transaction.request.headers:
        return plain(transaction)
    challenge = [("www-authenticate", CHALLENGE)]
    transaction.respond(make_response(transaction.request, 401, headers=challenge))
    return True


def refusing(status: int) -> Answer:
    """Answers everything with ``status``."""

    def answer(transaction: ServerTransaction) -> bool:
        headers = [("www-authenticate", CHALLENGE)] if status == 401 else []
        transaction.respond(make_response(transaction.request, status, headers=headers))
        return True

    return answer


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.setenv("PBX_PASSWORD", "secret")

    def write(phone: str) -> Path:
        path = tmp_path / "edge.yaml"
        path.write_text(NODE.format(folder=tmp_path) + phone)
        return path

    return write


def trunk(port: int, more: str = "", transport: str = "udp", name: str = "carrier") -> str:
    return f"""
    - name: {name}
      address: "sip:127.0.0.1:{port};transport={transport}"
      routes: [eu-central-1]
{more}"""


REGISTRATION = """
  registrations:
    - {name: desk, trunk: carrier, username: "200", password_env: PBX_PASSWORD, tenant: clinic,
       agent: desk, country: DE}
"""


def inland_sip(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="inland sip")
    sip.configure(parser)
    return sip.run(parser.parse_args(words))


def check(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[Any]]:
    status = inland_sip("check", "--config", str(path), "--timeout", "5", "--json", *words)
    return status, json.loads(capsys.readouterr().out)


Settings = Callable[[str], Path]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_trunk_that_answers_is_fine(
    transport: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with far_end(plain) as far:
        port = far.ports[transport]
        path = settings("  trunks:" + trunk(port, transport=transport))
        status, (found,) = check(path, capsys)
    assert status == 0
    assert found["name"] == "carrier"
    assert found["transport"] == transport
    assert found["address"] == f"127.0.0.1:{port}"
    assert (found["status"], found["fine"], found["cure"]) == (200, True, "")
    assert found["milliseconds"] > 0


def test_what_a_far_end_calls_itself_cannot_steer_the_terminal(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with far_end(plain) as far:
        _, (found,) = check(settings("  trunks:" + trunk(far.ports["udp"])), capsys)
    assert found["product"].isprintable()
    assert "PBX" in found["product"]


def test_a_registration_is_made_and_only_it_is_taken_back(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with far_end(with_password) as far:
        path = settings("  trunks:" + trunk(far.ports["udp"]) + REGISTRATION)
        status, found = check(path, capsys)
    assert status == 0
    assert [each["asked"] for each in found] == ["OPTIONS", "REGISTER"]
    assert found[1]["verdict"] == "registered for 300 s, and taken back"
    contacts = [
        request.headers.get("contact") or ""
        for request in far.requests
        if request.method == "REGISTER"
    ]
    assert contacts[-1].endswith(">;expires=0")
    assert contacts[-1].partition(">")[0] == contacts[0].partition(">")[0]
    assert "*" not in contacts


def test_a_wrong_password_is_said_with_its_cure(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "      username: us\n      password_env: PBX_PASSWORD\n"
    with far_end(refusing(401)) as far:
        path = settings("  trunks:" + trunk(far.ports["udp"], more) + REGISTRATION)
        status, found = check(path, capsys)
    assert status == 1
    assert [each["status"] for each in found] == [401, 401]
    assert not any(each["fine"] for each in found)
    assert all("password" in each["cure"] for each in found)
    answers = [request for request in far.requests if "authorization" in request.headers]
    assert len(answers) == 2, "each password is shown once"


def test_a_trunk_that_asks_for_a_password_is_answered(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "      username: us\n      password_env: PBX_PASSWORD\n"
    with far_end(with_password) as far:
        status, (found,) = check(settings("  trunks:" + trunk(far.ports["udp"], more)), capsys)
    assert (status, found["status"]) == (0, 200)


@pytest.mark.parametrize(
    ("answer", "fine", "word"),
    [(403, False, "refuses us"), (503, False, "no calls now"), (404, True, "does no harm")],
)
def test_each_answer_has_its_verdict(
    answer: int, fine: bool, word: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with far_end(refusing(answer)) as far:
        status, (found,) = check(settings("  trunks:" + trunk(far.ports["udp"])), capsys)
    assert status == (0 if fine else 1)
    assert (found["fine"], found["status"]) == (fine, answer)
    assert word in found["verdict"]


def test_a_port_where_nobody_listens_is_refused_over_tcp(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))  # and does not listen
        path = settings("  trunks:" + trunk(taken.getsockname()[1], transport="tcp"))
        status, (found,) = check(path, capsys)
    assert status == 1
    assert found["verdict"] == "the connection was refused"
    assert "port" in found["cure"]


def test_a_port_that_speaks_no_tls_is_said(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with far_end(plain) as far:
        path = settings("  trunks:" + trunk(far.ports["tcp"], transport="tls"))
        status, (found,) = check(path, capsys, "--timeout", "1")
    assert status == 1
    assert "TLS" in found["verdict"] + found["cure"]


def test_silence_ends_at_the_timeout_with_what_to_check_and_a_word_meanwhile(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((LOOPBACK, 0))
        path = settings("  trunks:" + trunk(silent.getsockname()[1]))
        sip_patience, sip.PATIENCE_SECONDS = sip.PATIENCE_SECONDS, 0.1
        try:
            status = inland_sip("check", "--config", str(path), "--timeout", "0.5")
        finally:
            sip.PATIENCE_SECONDS = sip_patience
    told = capsys.readouterr()
    assert status == 1
    assert "firewall" in told.out
    assert "waiting for carrier" in told.err


def test_the_table_is_aligned_and_one_trunk_can_be_chosen(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with far_end(plain) as far:
        port = far.ports["udp"]
        both = trunk(port) + trunk(port, name="other-carrier")
        path = settings("  trunks:" + both + "\n" + REGISTRATION)
        assert inland_sip("check", "--config", str(path)) == 0
        header, *rows = capsys.readouterr().out.splitlines()
        assert len(rows) == 3
        for column in ("ASKED", "OVER", "ADDRESS", "ANSWER", "PRODUCT", "MS", "VERDICT"):
            start = header.index(column)
            assert all(row[start - 1] == " " and row[start] != " " for row in rows)
        assert inland_sip("check", "--config", str(path), "--trunk", "other-carrier") == 0
        assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_trunk_that_only_brings_calls_is_named_and_asked_nothing(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    path = settings(
        "  trunks:\n    - {name: in, networks: [192.0.2.0/24], routes: [eu-central-1]}\n"
    )
    assert inland_sip("check", "--config", str(path)) == 0
    assert "only brings calls" in capsys.readouterr().out


def test_mistakes_of_the_command_are_named(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settings("  trunks:" + trunk(5060) + REGISTRATION)
    assert inland_sip("check", "--config", str(path), "--trunk", "other") == 2
    assert "there is carrier" in capsys.readouterr().err
    assert inland_sip("check", "--config", str(path), "--timeout", "0") == 2
    assert "--timeout" in capsys.readouterr().err
    monkeypatch.delenv("PBX_PASSWORD")
    assert inland_sip("check", "--config", str(path)) == 2
    assert "PBX_PASSWORD" in capsys.readouterr().err
    assert inland_sip("check", "--config", str(path.with_name("no.yaml"))) == 2


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        inland_sip("check", "--help")
    assert "inland sip check --config" in capsys.readouterr().out
