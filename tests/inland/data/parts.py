"""A node's folder with conversations in it, as its operator finds it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from edge.audit import Entry, read_line
from edge.audit_heads import AUDIT_PURPOSE, HeadKey, head_texts
from edge.audit_verify import Verdict, verify
from edge.clock import SystemClock
from edge.session.journal import Journal
from edge.session.keys import LocalKeyFile
from edge.session.keys_opened import open_keys
from edge.session.stores import SessionStores
from edge.session.stores_opened import open_stores
from edge.session.subjects import Marker
from edge.session.vault import VaultKeys
from edge.settings import NodeSettings, load_settings
from regions.models import DataClass
from tests.edge.session.parts import EU, SESSION, books, record, tag_for, tool, turn
from tests.edge.session.redis_server import PASSWORDS, RedisServer

TENANT = "clinic"


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a node lives; ``config`` is its settings file."""

    root: Path
    config: Path

    @property
    def settings(self) -> NodeSettings:
        return load_settings(self.config)

    @property
    def key(self) -> LocalKeyFile:
        return LocalKeyFile.open(self.root / "data" / "region.key", EU)

    def entries(self) -> list[Entry]:
        """The audit log without its beginning."""
        lines = (self.root / "data" / "audit.jsonl").read_bytes().splitlines()
        return [entry for line in lines[1:] if (entry := read_line(line)) is not None]

    def verdict(self) -> Verdict:
        key = HeadKey(self.key.subkey(AUDIT_PURPOSE))
        heads = head_texts((self.root / "data" / "audit.heads").read_text().splitlines())
        log = (self.root / "data" / "audit.jsonl").read_bytes()
        return verify(log, heads, {key.key_id: key.public})

    @asynccontextmanager
    async def node(self) -> AsyncIterator[tuple[SessionStores, VaultKeys]]:
        """The stores and keys, as a worker has them open."""
        settings, clock = self.settings, SystemClock()
        keys = await open_keys(
            self.key, keys=settings.keys, store=settings.store, data=settings.data, clock=clock
        )
        stores = await open_stores(settings.store, path=settings.store_path, region=EU, clock=clock)
        assert isinstance(keys.provider, VaultKeys)
        try:
            yield stores, keys.provider
        finally:
            await stores.close()
            await keys.close()


def make_folder(root: Path, **more: Any) -> Folder:
    (root / "data").mkdir(parents=True)
    (root / "agents").mkdir()
    settings = {
        "node": "eu-central-1-a",
        "region": EU,
        "data": str(root / "data"),
        "agents": str(root / "agents"),
        "control_planes": ["http://127.0.0.1:7000"],
        **more,
    }
    config = root / "edge.yaml"
    config.write_text(yaml.safe_dump(settings))
    folder = Folder(root, config)
    assert folder.key.region == EU
    return folder


async def converse(
    stores: SessionStores,
    keys: VaultKeys,
    session_id: str = SESSION,
    ends: Mapping[DataClass, int] = MappingProxyType({}),
    marker: Marker | None = None,
) -> Journal:
    """A session of two turns, a tool call and a call's record."""
    journal = await Journal.begin(
        stores.of(TENANT),
        keys,
        session_id=session_id,
        tag=tag_for(session_id),
        agent="reception",
        owner="first",
        clock=SystemClock(),
        books=books(),
        ends=ends,
        marker=marker,
    )
    for number in (1, 2):
        await journal.commit(turn(number, f"secret-{number}"), {"step": number})
    await journal.tool_pending("a", "book", {"day": "monday"})
    await journal.tool_settled(tool("a"))
    await journal.tool_pending("b", "pay", {"cents": 100})
    await journal.finish(record(reason="lost", session_id=session_id))
    return journal


def in_a_minute() -> int:
    return int(time.time()) + 60


def copy_of_the_store(folder: Folder, place: Path, **more: Any) -> Folder:
    """A backup, restored: all of ``data`` but the folder of keys, as its tag asks."""
    shutil.copytree(folder.root / "data", place / "data", ignore=shutil.ignore_patterns("keys"))
    (place / "agents").mkdir()
    config = place / "edge.yaml"
    told = yaml.safe_load(folder.config.read_text())
    told |= {"data": str(place / "data"), "agents": str(place / "agents"), **more}
    config.write_text(yaml.safe_dump(told))
    return Folder(place, config)


@contextmanager
def server_from_its_file(server: RedisServer) -> Iterator[RedisServer]:
    """A second server with what ``server`` has written so far."""
    # Not a folder of pytest's: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="inland-backup-") as place:
        backup = RedisServer(Path(place) / "redis")
        shutil.copytree(server.folder, backup.folder, ignore=shutil.ignore_patterns("*.sock"))
        backup.start()
        try:
            yield backup
        finally:
            backup.kill()


def make_redis_folder(
    tmp_path: Path, servers: tuple[RedisServer, RedisServer], **more: object
) -> Folder:
    """A node whose sessions and keys are on these servers, a user for each tenant."""
    store, keys = servers
    users = {}
    for tenant, password in PASSWORDS.items():
        path = tmp_path / f"{tenant}.password"
        path.write_text(password)
        users[tenant] = {"username": f"inland-{tenant}", "password_file": str(path)}
    more["store"] = {"redis": f"unix://{store.socket}", "users": users}
    more["keys"] = {"redis": f"unix://{keys.socket}"}
    return make_folder(tmp_path / "node", **more)
