"""What a region kept of a conversation, read as its operator can: with the region's key."""

from __future__ import annotations

import re
from pathlib import Path

from edge.clock import SystemClock
from edge.ledger import Ledger, Place
from edge.session.account import Books, Notary
from edge.session.history import History
from edge.session.journal import Journal
from edge.session.keys import LocalKeyFile
from edge.session.keys_opened import open_keys
from edge.session.keys_settings import KeysSettings
from edge.session.receipt import ReceiptKey
from edge.session.sqlite import SqliteStore
from tests.system.world import HANG_SECONDS

_OPENED = re.compile(r'"call opened".*?"session": "(s_[0-9A-Za-z]{22})"')


def sessions(log: str) -> list[str]:
    """The sessions that a node's log tells of, each once, in the order they began."""
    return list(dict.fromkeys(_OPENED.findall(log)))


async def kept(data: Path, region: str, session_id: str) -> History:
    """The journal of a session that is over: reading takes it from its owner."""
    file = LocalKeyFile.open(data / region / "region.key", region)
    keys = await open_keys(
        file, keys=KeysSettings(), store=None, data=data / region, clock=SystemClock()
    )
    store = await SqliteStore.open(data / region / "sessions.sqlite", busy_seconds=HANG_SECONDS)
    try:
        _, history = await Journal.take_over(
            store,
            keys.provider,
            session_id=session_id,
            region=region,
            owner="the-operator",
            clock=SystemClock(),
            books=Books(
                Notary(Ledger(SystemClock()), ReceiptKey(file.subkey("receipt")), {}),
                host=Place("host", "the-operator", region),
                store=Place("store", "sqlite", region),
            ),
        )
        return history
    finally:
        await keys.close()
        await store.close()


async def is_over(data: Path, region: str, session_id: str) -> bool:
    """Whether the session's record is written; looking takes nothing from its owner."""
    store = await SqliteStore.open(data / region / "sessions.sqlite", busy_seconds=HANG_SECONDS)
    try:
        return (await store.header(session_id, SystemClock().wall())).ended
    finally:
        await store.close()
