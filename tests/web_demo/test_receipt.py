"""The page shows where the call's data was, and gives the receipt to whoever wants to verify it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from edge.ledger import Ledger, Place
from edge.session.receipt import Receipt, ReceiptKey, digest_of, lines_of
from regions.models import DataClass, Operation
from tests.edge.session.test_receipt import receipt
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_edge import ScriptedCall
from tests.web_demo.conftest import MakeStage
from tests.web_demo.stage import Stage
from tests.web_demo.test_layout import CONTRAST, DESK, NONE, OVERFLOW, PHONE, picture

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

KEY = ReceiptKey(b"k" * 32)
EU = "eu-central-1"
CALLER = Place("caller", "webrtc", "")
HOST = Place("host", "eu-central-1-a", EU)
STORE = Place("store", "redis", EU, "rediss://sessions.eu-central-1.example.org:6379")
TOOL = Place("tool", "book_appointment", EU, "https://booking.example.org:443")
ABROAD = Place("model", "model", "ap-south-1", "https://model.example.org:443")
MORE = ' \u202e<img src=x onerror="window.hacked=1">'
"""A name that is markup if anybody takes it for that."""


def account(previous: str | None = None, **changes: Any) -> Receipt:
    """A booking's."""
    found = Ledger(FakeClock())
    for place in (CALLER, HOST):
        found.touch(place, DataClass.AUDIO, Operation.PROCESS, sent=1_200_000, received=900_000)
    found.touch(HOST, DataClass.TRANSCRIPT, Operation.PROCESS, sent=700)
    found.touch(STORE, DataClass.TRANSCRIPT, Operation.STORE, sent=868)
    found.touch(TOOL, DataClass.VARIABLES, Operation.PROCESS, sent=120, received=80)
    reason = "transcript may not be processed in ap-south-1"
    for _ in range(3):
        found.refuse(ABROAD, DataClass.TRANSCRIPT, reason)
    allowed = dict.fromkeys(DataClass, (EU,))
    return receipt(previous, **{"ledger": found, "allowed": allowed} | changes)


def as_so_far(found: Receipt) -> dict[str, object]:
    return found.model_dump(mode="json", exclude={"leg", "previous"})


async def ended(stage: Stage, call: ScriptedCall, *receipts: str) -> None:
    """The agent ends the call, and the edge signs."""
    stage.edge.live, stage.edge.receipts = None, list(receipts)
    call.send("inland.call.ended", reason="completed")
    await expect(stage.page.locator("#receipt-lead")).to_contain_text("Signed by the region")


def rows(stage: Stage) -> Any:
    return stage.page.locator("#receipt-places .place")


async def test_a_live_call_shows_its_account_so_far_without_a_receipt_to_save(stage: Stage) -> None:
    stage.edge.live = as_so_far(account())
    await stage.call()
    await expect(stage.page.locator("#receipt")).to_be_visible()
    await expect(stage.page.locator("#receipt-lead")).to_contain_text("So far.")
    await expect(stage.page.locator("#receipt-save")).to_be_hidden()
    await expect(rows(stage)).to_have_count(5)


async def test_a_receipt_names_each_place_once_with_its_bytes(stage: Stage) -> None:
    call = await stage.call()
    await ended(stage, call, KEY.sign(account(call_id=call.id)))
    texts = [" ".join((await row.inner_text()).split()) for row in await rows(stage).all()]
    assert texts == [
        "Your own line your network audio 2.1 MB",
        "The node that served you Frankfurt eu-central-1-a audio 2.1 MB, transcript 700 B",
        f"Session store Frankfurt {STORE.endpoint} transcript 868 B",
        f"Book appointment Frankfurt {TOOL.endpoint} variables 200 B",
        "Model Mumbai: refused transcript may not be processed in ap-south-1 (3 times)",
    ]


async def test_the_download_is_what_the_edge_said_to_the_byte(stage: Stage) -> None:
    call = await stage.call()
    signed = KEY.sign(account(call_id=call.id))
    await ended(stage, call, signed)
    async with stage.page.expect_download() as waiting:
        await stage.page.click("#receipt-save")
    download = await waiting.value
    assert download.suggested_filename == "receipt-s_0123456789abcdefghijkl.json"
    saved = json.loads(await asyncio.to_thread((await download.path()).read_text))
    assert saved["receipts"] == [signed]


async def test_a_connection_whose_node_died_is_told(stage: Stage) -> None:
    call = await stage.call()
    first = KEY.sign(account(call_id="c_first", leg=1))
    third = KEY.sign(account(digest_of(first), call_id=call.id, leg=3))
    await ended(stage, call, first, third)
    await expect(rows(stage).last).to_have_text(
        "Connection 2 left no receipt: its node died, or it was never begun."
    )
    host = rows(stage).filter(has_text="The node that served you")
    await expect(host).to_have_count(1)
    await expect(host).to_contain_text("audio 4.2 MB")


async def test_a_place_outside_the_allowed_set_is_never_shown_as_allowed(stage: Stage) -> None:
    found = Ledger(FakeClock())
    found.touch(ABROAD, DataClass.TRANSCRIPT, Operation.PROCESS, sent=10)
    found.touch(HOST, DataClass.AUDIO, Operation.PROCESS, sent=10)
    call = await stage.call()
    await ended(stage, call, KEY.sign(account(call_id=call.id, ledger=found)))
    badges = stage.page.locator("#receipt-places .badge")
    await expect(badges).to_have_text(["Mumbai: not allowed", "Frankfurt"])
    await expect(badges.first).to_have_class("badge refused")
    await expect(badges.last).to_have_class("badge allowed")


async def test_a_refusal_of_two_connections_is_shown_once(stage: Stage) -> None:
    call = await stage.call()
    first = KEY.sign(account(call_id="c_first", leg=1))
    second = KEY.sign(account(digest_of(first), call_id=call.id, leg=2))
    await ended(stage, call, first, second)
    await expect(rows(stage).filter(has_text="refused")).to_have_count(1)
    await expect(rows(stage).filter(has_text="refused")).to_contain_text("(6 times)")


async def test_names_in_a_receipt_are_text(stage: Stage) -> None:
    found = Ledger(FakeClock())
    found.touch(Place("tool", MORE, MORE, MORE), DataClass.AUDIO, Operation.PROCESS)
    found.refuse(Place("tool", MORE, MORE), DataClass.AUDIO, MORE)
    lines, refused = lines_of(found)
    call = await stage.call()
    await ended(stage, call, KEY.sign(account(call_id=call.id, lines=lines, refused=refused)))
    assert await stage.page.locator("#receipt-places img").count() == 0
    assert await stage.page.evaluate("window.hacked") is None


async def test_an_edge_without_receipts_shows_nothing(stage: Stage) -> None:
    call = await stage.call()
    call.send("inland.call.ended", reason="completed")
    await stage.page.wait_for_selector('body[data-phase="ended"]')
    await expect(stage.page.locator("#receipt")).to_be_hidden()


async def test_the_next_call_begins_without_the_account_of_the_one_before(stage: Stage) -> None:
    call = await stage.call()
    await ended(stage, call, KEY.sign(account(call_id=call.id)))
    stage.edge.receipts = []
    await stage.call()
    await expect(stage.page.locator("#receipt")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desk", "phone"])
async def test_the_panel_fits_every_screen_in_contrast(
    chromium: Browser, make_stage: MakeStage, tmp_path: Path, screen: str, scheme: str
) -> None:
    size = {"desk": DESK, "phone": PHONE}[screen]
    stage = await make_stage(chromium, **size, color_scheme=scheme, reduced_motion="reduce")
    call = await stage.call()
    first = KEY.sign(account(call_id="c_first", leg=2))
    await ended(stage, call, first, KEY.sign(account(digest_of(first), call_id=call.id, leg=3)))
    assert await stage.page.evaluate(OVERFLOW) == NONE
    assert await stage.page.evaluate(CONTRAST) == []
    shots = Path(os.environ.get("INLAND_SHOTS", tmp_path))
    await picture(stage, shots / f"{screen}-{scheme}-receipt.png", full=True)
