"""``inland receipt`` says what a receipt proves, and never more."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from edge.ledger import Ledger, Place
from edge.session.receipt import CarriedFrom, ReceiptKey, public_jwk
from inland.commands import receipt as command
from inland.receipt.errors import UnusableInput
from inland.receipt.fetch import fetch_keys, fetch_receipts
from inland.receipt.files import read_bundle
from regions.models import DataClass, Operation
from tests.edge.session.test_receipt import ABROAD, HOST, KEY, OTHER, chain, receipt
from tests.fakes.clock import FakeClock

SESSION = "s_" + "b" * 22


def inland_receipt(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="inland receipt")
    command.configure(parser)
    return command.run(parser.parse_args(words))


class Folder:
    """Files of an auditor."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.keys = self.write("keys.json", json.dumps(key_set(KEY)))

    def write(self, name: str, text: str) -> str:
        path = self._path / name
        path.write_text(text)
        return str(path)

    def lines(self, signed: Sequence[str]) -> str:
        return self.write("receipts.txt", "\n".join(signed) + "\n")

    def answer(self, signed: Sequence[str], key: ReceiptKey = KEY) -> str:
        body = {"receipts": list(signed), "keys": key_set(key), "live": {"call_id": "c"}}
        return self.write("receipts.json", json.dumps(body))


def key_set(*keys: ReceiptKey) -> dict[str, object]:
    return {"keys": [public_jwk(key.public) for key in keys]}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_genuine_receipts_inside_the_allowed_set_are_0(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (folder.lines(chain(1, 2)), folder.answer(chain(1, 2))):
        assert inland_receipt("verify", file, "--keys", folder.keys) == 0
        out = capsys.readouterr().out
        assert "INSIDE   2 receipts" in out
        assert "What the signature proves" in out
        assert "WARNING" not in out


def test_the_table_names_every_place_and_its_figures(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Ledger(FakeClock())
    found.touch(HOST, DataClass.AUDIO, Operation.PROCESS, sent=12_345, received=678)
    found.refuse(ABROAD, DataClass.VARIABLES, "may not be processed in us-east-1")
    file = folder.lines([KEY.sign(receipt(ledger=found))])
    assert inland_receipt("verify", file, "--keys", folder.keys) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("host "))
    assert row.split()[:5] == ["host", "eu-central-1-a", "eu-central-1", "audio", "process"]
    assert row.split()[-3:] == ["12345", "678", "-"]
    assert "may not be processed in us-east-1" in out
    assert "previous  none" in out
    assert "policy 2026-11-21.1#0123456789ab" in out


def test_a_call_that_was_carried_says_from_where(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    carried = CarriedFrom(region="eu-west-1", turn=7, sealed=1_795_286_704.0)
    file = folder.lines([KEY.sign(receipt(carried=carried))])
    assert inland_receipt("verify", file, "--keys", folder.keys) == 0
    out = capsys.readouterr().out
    assert "carried   by its caller from eu-west-1, 7 turns, sealed there at 2026-11-21" in out


def test_a_replica_for_a_region_outside_is_1_and_named(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Ledger(FakeClock())
    sealed_for = Place("replica", "caller", "us-east-1")
    found.touch(sealed_for, DataClass.AUDIO, Operation.REPLICATE, sent=1)
    file = folder.lines([KEY.sign(receipt(ledger=found))])
    assert inland_receipt("verify", file, "--keys", folder.keys) == 1
    assert "us-east-1 (replica caller)" in capsys.readouterr().out


def test_a_place_outside_is_1_and_named(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    found = Ledger(FakeClock())
    found.touch(ABROAD, DataClass.AUDIO, Operation.PROCESS, sent=1)
    file = folder.lines([KEY.sign(receipt(ledger=found))])
    assert inland_receipt("verify", file, "--keys", folder.keys) == 1
    out = capsys.readouterr().out
    assert "OUTSIDE  call c1: audio in us-east-1 (tool booking)" in out
    assert "INSIDE" not in out


@pytest.mark.parametrize("signed", [chain(1, 2, 3)[1:], chain(1, 2, 3)[::2], chain(1, 2)[::-1]])
def test_a_broken_chain_is_1(
    folder: Folder, signed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert inland_receipt("verify", folder.lines(signed), "--keys", folder.keys) == 1
    assert "INVALID  receipt" in capsys.readouterr().out


def test_a_leg_whose_node_died_is_named_and_is_0(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inland_receipt("verify", folder.lines(chain(1, 3)), "--keys", folder.keys) == 0
    assert "GAP      leg 2 has no receipt: its node died" in capsys.readouterr().out


def test_one_receipt_of_a_session_is_verified_by_itself_when_asked(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder.lines(chain(1, 2)[1:])
    assert inland_receipt("verify", file, "--keys", folder.keys, "--single") == 0
    assert "whether others of the session are missing is open" in capsys.readouterr().out


def test_keys_that_came_along_prove_nothing_unless_they_are_trusted(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = [OTHER.sign(receipt())]
    file = folder.answer(forged, OTHER)
    assert inland_receipt("verify", file) == 1
    assert "WARNING  signed by the key that came with it" in capsys.readouterr().out
    assert inland_receipt("verify", file, "--trust-included") == 0
    assert inland_receipt("verify", file, "--keys", folder.keys) == 1
    assert "not among the given" in capsys.readouterr().out


def test_a_key_that_calls_itself_another_one_is_not_taken_for_it(folder: Folder) -> None:
    borrowed = public_jwk(OTHER.public) | {"kid": KEY.key_id}
    keys = folder.write("borrowed.json", json.dumps({"keys": [borrowed]}))
    assert inland_receipt("verify", folder.lines(chain(1)), "--keys", keys) == 1


def test_an_account_that_was_cut_short_is_1(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder.lines([KEY.sign(receipt(left_out=3))])
    assert inland_receipt("verify", file, "--keys", folder.keys) == 1
    assert "3 entries were left out" in capsys.readouterr().out


def test_programs_get_all_of_it(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder.lines(chain(1, 3))
    assert inland_receipt("verify", file, "--keys", folder.keys, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (found["valid"], found["inside"], found["missing_legs"]) == (True, True, [2])
    assert [one["leg"] for one in found["receipts"]] == [1, 3]


def test_nothing_in_a_receipt_reaches_the_terminal_as_a_command(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Ledger(FakeClock())
    found.refuse(Place("tool", "\x1b[2J", "\x07", "\r"), DataClass.AUDIO, "\x1b]0;x\x07")
    found.touch(Place("tool", "\x1b[2J", "\x1b[1m", "\x9b"), DataClass.AUDIO, Operation.PROCESS)
    file = folder.answer([OTHER.sign(receipt(ledger=found))], OTHER)
    inland_receipt("verify", file)
    out = capsys.readouterr().out
    assert all(letter.isprintable() or letter == "\n" for letter in out)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "{",
        "{}",
        '{"receipts": []}',
        '{"receipts": [1]}',
        '{"receipts": "x"}',
        '{"receipts": ["x"], "keys": {"keys": []}}',
        '{"receipts": ["x"]}',
    ],
)
def test_a_file_that_holds_no_receipts_is_2(
    folder: Folder, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inland_receipt("verify", folder.write("x", text)) == 2
    assert "inland receipt: " in capsys.readouterr().err


def test_what_is_missing_or_no_text_is_2(folder: Folder, tmp_path: Path) -> None:
    assert inland_receipt("verify", str(tmp_path / "nowhere")) == 2
    (tmp_path / "raw").write_bytes(b"\xff\xfe")
    assert inland_receipt("verify", str(tmp_path / "raw")) == 2
    assert inland_receipt("verify", folder.lines(chain(1)), "--keys", folder.write("k", "{}")) == 2


def test_a_text_that_is_no_receipt_is_1(folder: Folder) -> None:
    file = folder.lines(["a.b.c"])
    assert inland_receipt("verify", file, "--keys", folder.keys) == 1


# --- an edge -------------------------------------------------------------------------------------


@pytest.fixture
async def edge() -> AsyncIterator[str]:
    async def receipts(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer the-secret":
            problem = {"code": "bad_token", "title": "No", "status": 401, "detail": "no such token"}
            return web.json_response(problem, status=401)
        body = {"receipts": chain(1), "keys": key_set(KEY), "tenant": request.query.get("tenant")}
        return web.json_response(body)

    async def keys(request: web.Request) -> web.Response:
        return web.json_response(key_set(KEY))

    app = web.Application()
    app.router.add_get("/v1/sessions/{id}/receipt", receipts)
    app.router.add_get("/v1/receipt-keys", keys)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_receipts_and_keys_are_fetched(edge: str) -> None:
    body = await fetch_receipts(edge, SESSION, "clinic", "the-secret")
    assert json.loads(body)["tenant"] == "clinic"
    assert len(read_bundle(body, "x").receipts) == 1
    assert json.loads(await fetch_keys(edge)) == key_set(KEY)


async def test_a_refusal_is_told_in_the_edges_words(edge: str) -> None:
    with pytest.raises(UnusableInput, match="bad_token: no such token"):
        await fetch_receipts(edge, SESSION, None, "wrong")


@pytest.mark.parametrize(
    "url", ["http://edge.example.org", "edge.example.org", "ftp://x", "https://", "http://0x7f.1x"]
)
async def test_a_secret_is_not_sent_in_the_clear(url: str) -> None:
    with pytest.raises(UnusableInput, match="write https://"):
        await fetch_receipts(url, SESSION, "clinic", "the-secret")


async def test_an_edge_that_is_not_there_is_told() -> None:
    with pytest.raises(UnusableInput, match="no answer"):
        await fetch_keys("http://127.0.0.1:1")


def test_get_without_a_token_says_how_to_give_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(command.SECRET_VARIABLE, raising=False)
    assert inland_receipt("get", "--edge", "https://x.example", "--session", SESSION) == 2
    assert command.SECRET_VARIABLE in capsys.readouterr().err
