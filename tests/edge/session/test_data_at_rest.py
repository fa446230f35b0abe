"""What is kept opens for its own session, class, place, tag and region; destroyed, for nobody.

The same claims for a region's key file and for AWS KMS (moto's double of it).
"""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from edge.session.errors import (
    KeyDestroyed,
    KeyRefused,
    RegionRefused,
    SealError,
    StoreBusy,
    UnknownSession,
)
from edge.session.history import History
from edge.session.journal import Journal
from edge.session.keys import KeyProvider, LocalKeyFile
from edge.session.kms import KmsKeys
from edge.session.kms_settings import KmsSettings
from edge.session.sqlite import SqliteStore
from edge.session.vault import VaultKeys
from edge.session.vault_sqlite import SqliteVault
from regions.models import DataClass
from regions.tag import ResidencyTag
from tests.edge.session import kms_cloud
from tests.edge.session.kms_cloud import ACCOUNT, new_key
from tests.edge.session.parts import (
    EU,
    IN,
    NOW,
    OTHER,
    SESSION,
    ManualClock,
    begin,
    books,
    key_file,
    record,
    tag_for,
    take_over,
    tool,
    turn,
)

BOTH = (EU, IN)


class Site:
    """A region: its key, its vault, its store."""

    def __init__(self, region: str, provider: KeyProvider, folder: Path) -> None:
        self.region = region
        self.provider = provider
        self.folder = folder
        self.store: SqliteStore
        self.vault: SqliteVault

    async def open(self) -> Site:
        self.store = await SqliteStore.open(self.folder / "sessions.db")
        self.vault = await SqliteVault.open(self.folder / "keys")
        return self

    @property
    def keys(self) -> VaultKeys:
        return VaultKeys(self.provider, self.vault)

    @property
    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "sessions.db", isolation_level=None)

    async def converse(
        self, session_id: str = SESSION, ends: Mapping[DataClass, int] = MappingProxyType({})
    ) -> Journal:
        """A session of three turns and a tool call."""
        journal = await Journal.begin(
            self.store,
            self.keys,
            session_id=session_id,
            tag=tag_for(session_id, BOTH),
            agent="reception",
            owner="first",
            clock=ManualClock(),
            books=books(),
            ends=ends,
        )
        for number in (1, 2, 3):
            await journal.commit(turn(number, f"{session_id} {number}"), {"step": number})
        await journal.tool_pending("a", "book", {"of": session_id})
        await journal.tool_settled(tool("a"))
        return journal

    async def resume(self, now: float = NOW, **more: Any) -> History:
        _, history = await Journal.take_over(
            more.get("store", self.store),
            more.get("keys", self.keys),
            session_id=more.get("session_id", SESSION),
            region=more.get("region", self.region),
            owner="late",
            clock=ManualClock(now),
            books=books(),
        )
        return history

    async def close(self) -> None:
        await self.store.close()
        await self.vault.close()
        if isinstance(self.provider, KmsKeys):
            await self.provider.close()


def kms(region: str) -> KmsKeys:
    settings = KmsSettings(account=ACCOUNT, key=new_key(region))
    return KmsKeys(region, settings, kms_cloud.service(region))


@pytest.fixture(params=["key file", "AWS KMS"])
async def sites(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, Site]]:
    """Frankfurt and Mumbai."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        made = {}
        for region in BOTH:
            provider: KeyProvider = (
                kms(region) if request.param == "AWS KMS" else key_file(tmp_path, region)
            )
            folder = tmp_path / region
            folder.mkdir()
            made[region] = await Site(region, provider, folder).open()
        yield made
        for site in made.values():
            await site.close()


@pytest.fixture
def here(sites: dict[str, Site]) -> Site:
    return sites[EU]


async def test_a_conversation_is_read_again_with_its_regions_key(here: Site) -> None:
    await here.converse()
    history = await here.resume()
    assert [each.number for each in history.turns] == [1, 2, 3]
    assert history.state == {"step": 3}
    assert history.settled == (tool("a"),)


class TestRefused:
    async def test_a_foreign_regions_key(self, sites: dict[str, Site], here: Site) -> None:
        """The whole store and the whole vault, carried to another region that the tag allows."""
        await here.converse()
        abroad = sites[IN]
        foreign = VaultKeys(abroad.provider, here.vault)
        with pytest.raises(RegionRefused):
            await abroad.resume(store=here.store, keys=foreign)
        database = here.database
        database.execute("UPDATE wrap SET region = ?", (IN,))
        with pytest.raises(SealError):
            await abroad.resume(store=here.store, keys=foreign)
        database.close()

    @pytest.mark.parametrize(
        "change",
        [
            {"allowed_regions": (IN, EU)},
            {"allowed_regions": (EU,)},
            {"jurisdictions": ("in",)},
            {"tenant": "bakery"},
            {"policy": "2026-11-22.1#0123456789ab"},
            {"expires_at": int(NOW) + 999_999},
            {"data_class": DataClass.METRICS},
        ],
    )
    async def test_a_rewritten_tag(self, here: Site, change: dict[str, object]) -> None:
        await here.converse()
        forged = tag_for(regions=BOTH).model_copy(update=change).canonical()
        database = here.database
        database.execute("UPDATE session SET tag = ?", (forged,))
        with pytest.raises(SealError):
            await here.resume()
        assert database.execute("SELECT owner FROM session").fetchall() == [("first",)]
        database.close()

    @pytest.mark.parametrize("data_class", ["transcript", "variables"])
    async def test_a_retention_that_was_put_off(self, here: Site, data_class: str) -> None:
        """Who can write to the store cannot make a class last longer."""
        await here.converse(ends={DataClass(data_class): int(NOW) + 60})

        def later(ring: dict[str, Any]) -> None:
            ring["keys"][data_class]["until"] += 3000

        with rewritten(here, later), pytest.raises(SealError):
            await here.resume()

    @pytest.mark.parametrize("forgery", ["keys swapped", "seals swapped", "key of another session"])
    async def test_keys_that_are_moved(self, here: Site, forgery: str) -> None:
        await here.converse()
        await here.converse(OTHER)
        others = ring_of(here, OTHER)

        def move(ring: dict[str, Any]) -> None:
            words, values = ring["keys"]["transcript"], ring["keys"]["variables"]
            if forgery == "keys swapped":
                words["key"], values["key"] = values["key"], words["key"]
            elif forgery == "seals swapped":
                words["seal"], values["seal"] = values["seal"], words["seal"]
            else:
                ring["keys"]["transcript"] = others["keys"]["transcript"]

        with rewritten(here, move), pytest.raises(SealError):
            await here.resume()

    async def test_wrapped_keys_that_are_swapped_inside_the_vault(self, here: Site) -> None:
        await here.converse()
        vault = sqlite3.connect(here.folder / "keys" / "keys.sqlite", isolation_level=None)
        (first, second) = vault.execute("SELECT handle, body FROM wrapped").fetchall()
        vault.execute("UPDATE wrapped SET body = ? WHERE handle = ?", (second[1], first[0]))
        vault.close()
        with pytest.raises(SealError):
            await here.resume()

    @pytest.mark.parametrize(
        "forgery",
        [
            # another session's blob
            "UPDATE turn SET body = (SELECT body FROM turn WHERE session = :other AND number = 2)"
            " WHERE session = :mine AND number = 2",
            # a replayed turn
            "UPDATE turn SET body = (SELECT body FROM turn WHERE session = :mine AND number = 1)"
            " WHERE session = :mine AND number = 3",
            # a wrong class
            "UPDATE turn SET body = (SELECT state FROM session WHERE id = :mine)"
            " WHERE session = :mine AND number = 3",
        ],
    )
    async def test_another_sessions_blob_a_replayed_turn_and_a_wrong_class(
        self, here: Site, forgery: str
    ) -> None:
        await here.converse()
        await here.converse(OTHER)
        database = here.database
        assert database.execute(forgery, {"mine": SESSION, "other": OTHER}).rowcount == 1
        database.close()
        with pytest.raises(SealError):
            await here.resume()


class TestDestroyed:
    async def test_a_copy_made_before_opens_until_the_keys_are_destroyed_and_never_after(
        self, here: Site, tmp_path: Path
    ) -> None:
        journal = await here.converse()
        await journal.finish(record(reason="lost"))
        copy = await copied(here, tmp_path / "backup")
        assert len((await here.resume(store=copy)).turns) == 3
        assert await here.vault.destroy("clinic", SESSION) == 2
        assert await here.store.erase(SESSION)
        with pytest.raises(KeyDestroyed):
            await here.resume(store=copy)
        with pytest.raises(UnknownSession):
            await here.resume()
        await copy.close()

    async def test_a_copy_alone_is_of_no_use_with_the_regions_key_either(
        self, here: Site, tmp_path: Path
    ) -> None:
        """The vault is in no backup: neither the file nor what is in it holds a key."""
        await here.converse()
        copy = await copied(here, tmp_path / "backup")
        empty = await SqliteVault.open(tmp_path / "another vault")
        with pytest.raises(KeyDestroyed):
            await here.resume(store=copy, keys=VaultKeys(here.provider, empty))
        with pytest.raises(SealError):
            await here.resume(store=copy, keys=here.provider)
        await empty.close()
        await copy.close()

    async def test_a_copy_of_the_vault_undoes_an_erasure_which_is_why_none_may_be_made(
        self, here: Site, tmp_path: Path
    ) -> None:
        await here.converse()
        copy = await copied(here, tmp_path / "backup")
        shutil.copytree(here.folder / "keys", tmp_path / "mistake")
        await here.vault.destroy("clinic", SESSION)
        mistake = await SqliteVault.open(tmp_path / "mistake")
        keys = VaultKeys(here.provider, mistake)
        assert len((await here.resume(store=copy, keys=keys)).turns) == 3
        await mistake.close()
        await copy.close()

    async def test_other_sessions_live_on(self, here: Site) -> None:
        await here.converse()
        await here.converse(OTHER)
        await here.vault.destroy("clinic", SESSION)
        with pytest.raises(KeyDestroyed):
            await here.resume()
        assert len((await here.resume(session_id=OTHER)).turns) == 3

    @pytest.mark.parametrize("data_class", [DataClass.TRANSCRIPT, DataClass.VARIABLES])
    async def test_a_class_whose_time_is_over_cannot_be_read_even_before_the_sweep(
        self, here: Site, data_class: DataClass
    ) -> None:
        await here.converse(ends={data_class: int(NOW) + 60})
        await here.resume(NOW + 59)
        with pytest.raises(KeyDestroyed, match=f"{data_class.value}.*retention is over"):
            await here.resume(NOW + 60)

    @pytest.mark.parametrize("data_class", [DataClass.TRANSCRIPT, DataClass.VARIABLES])
    async def test_a_sweep_destroys_the_key_of_that_class_alone(
        self, here: Site, data_class: DataClass
    ) -> None:
        await here.converse(ends={data_class: int(NOW) + 60})
        assert await here.vault.sweep(NOW + 60) == 1
        with pytest.raises(KeyDestroyed, match=f"{data_class.value}.*destroyed"):
            await here.resume(NOW + 1)  # a clock that went wrong brings nothing back
        assert await here.vault.destroy("clinic", SESSION) == 1

    async def test_no_class_outlives_its_session(self, here: Site) -> None:
        await here.converse(ends={DataClass.TRANSCRIPT: int(NOW) + 999_999})
        until = ring_of(here, SESSION)["keys"]["transcript"]["until"]
        assert until == tag_for().expires_at


async def test_a_session_of_the_version_before_is_still_read(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One key for every class, wrapped in the session store itself."""
    from edge.session import journal, keyring
    from edge.session.seal import new_data_key

    async def formerly(keys: KeyProvider, regions: Any, tag: ResidencyTag, *_: Any) -> Any:
        data_key = new_data_key()
        wraps = {
            region: await here.provider.wrap(data_key, region=region, tag=tag) for region in regions
        }
        return keyring.one_key(data_key, tag), wraps

    monkeypatch.setattr(journal, "make_ring", formerly)
    await here.converse()
    assert len((await here.resume()).turns) == 3
    assert await here.vault.destroy("clinic", SESSION) == 0


class TestKeyService:
    """What only a key service can do. moto does not enforce a key's state: the answers are put in
    its mouth as "Key states of AWS KMS keys" has them (AWS KMS Developer Guide, 2026-11-21)."""

    @pytest.fixture
    def kms_site(self, here: Site) -> Iterator[Site]:
        if not isinstance(here.provider, KmsKeys):
            pytest.skip("of AWS KMS")
        yield here

    async def test_a_key_that_is_to_be_deleted_leaves_its_sessions_unreadable(
        self, kms_site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = await kms_site.converse()
        answer(monkeypatch, "KMSInvalidStateException")
        with pytest.raises(KeyRefused, match="to be deleted"):
            await kms_site.resume()
        # Whoever holds the call keeps it: the key is asked for when a session is opened.
        await journal.commit(turn(4), {})

    async def test_a_service_without_time_says_so_and_the_owner_is_not_disturbed(
        self, kms_site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = await kms_site.converse()
        answer(monkeypatch, "ThrottlingException")
        with pytest.raises(StoreBusy):
            await kms_site.resume()
        await journal.commit(turn(4), {})


async def test_a_node_with_the_key_file_alone_needs_the_vault(
    store: SqliteStore, keys: LocalKeyFile, tmp_path: Path
) -> None:
    vault = await SqliteVault.open(tmp_path / "keys")
    held: Any = VaultKeys(keys, vault)
    journal = await begin(store, held)
    await journal.commit(turn(1), 1)
    with pytest.raises(SealError):
        await take_over(store, keys)
    _, history = await take_over(store, held)
    assert len(history.turns) == 1
    await vault.close()


def answer(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def refuse(**request: object) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "Decrypt")

    monkeypatch.setattr(kms_cloud.service(EU)._client, "decrypt", refuse)


async def copied(site: Site, folder: Path) -> SqliteStore:
    """A backup of the session store, opened."""
    shutil.copytree(site.folder, folder, ignore=lambda *_: ["keys"])
    return await SqliteStore.open(folder / "sessions.db")


def ring_of(site: Site, session_id: str) -> dict[str, Any]:
    database = site.database
    (body,) = database.execute("SELECT body FROM wrap WHERE session = ?", (session_id,)).fetchone()
    database.close()
    assert body[:1] == b"\x02"
    found: dict[str, Any] = json.loads(body[1:])
    for entry in found["keys"].values():
        base64.b64decode(entry["key"], validate=True)
    return found


@contextmanager
def rewritten(site: Site, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """The session's keys as somebody who can write to the store would have them."""
    ring = ring_of(site, SESSION)
    change(ring)
    database = site.database
    body = b"\x02" + json.dumps(ring).encode()
    database.execute("UPDATE wrap SET body = ? WHERE session = ?", (body, SESSION))
    database.close()
    yield
