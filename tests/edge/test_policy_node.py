"""A node begins with the law that was last in force, or does not begin."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.audit_trail import Unaudited
from edge.policy_kept import NAME
from edge.policy_node import NoLaw, first_law, hints_for, keeper_of
from edge.settings import NodeSettings
from regions.policy_keys import policy_key_text
from tests.edge.test_admission import CATALOGUE
from tests.fakes.clock import FakeClock
from tests.fakes.policy import STRANGER, TRUSTED, bundle, forged

KEY = policy_key_text(TRUSTED[0])


def node(folder: Path, policy: dict[str, Any] | None = None, **more: Any) -> NodeSettings:
    told = {"node": "a", "region": "eu-central-1", "data": folder, "agents": folder}
    planes = ["http://127.0.0.1:1"]
    return NodeSettings.model_validate({**told, "control_planes": planes, "policy": policy, **more})


def test_without_a_section_the_catalogue_is_the_law_and_nobody_is_followed(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(bundle(4))
    law = first_law(node(tmp_path), FakeClock())
    assert (law.now.serial, law.now.policy, law.bundle) == (0, CATALOGUE.policy, None)
    assert not law.knows("other#0", 9)


def test_a_node_that_never_had_a_bundle_begins_with_the_catalogue(tmp_path: Path) -> None:
    law = first_law(node(tmp_path, {"keys": [KEY]}), FakeClock())
    assert law.now.serial == 0
    assert law.knows("other#0", 1), "and follows"


def test_a_restart_begins_with_what_was_last_in_force(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(bundle(4))
    law = first_law(node(tmp_path, {"keys": [KEY]}), FakeClock())
    assert (law.now.serial, law.bundle) == (4, bundle(4))


@pytest.mark.parametrize("kept", [forged(bundle(4)), bundle(4, key=STRANGER), b""])
def test_a_node_whose_last_law_cannot_be_read_does_not_begin(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / NAME).write_bytes(kept)
    with pytest.raises(NoLaw, match="put the newest signed bundle in its place"):
        first_law(node(tmp_path, {"keys": [KEY]}), FakeClock())


def test_a_node_whose_region_is_not_in_the_law_does_not_begin(tmp_path: Path) -> None:
    with pytest.raises(NoLaw, match="nowhere-1 is not in the catalogue"):
        first_law(node(tmp_path, region="nowhere-1"), FakeClock())
    (tmp_path / NAME).write_bytes(bundle(4))
    with pytest.raises(NoLaw, match="is not in the policy bundle that was last in force"):
        first_law(node(tmp_path, {"keys": [KEY]}, region="nowhere-1"), FakeClock())


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"keys": []},
        {"keys": ["ed25519:AAAA"]},
        {"keys": [KEY] * 9},
        {"keys": [KEY], "refresh_seconds": 0.5},
        {"keys": [KEY], "refresh_seconds": 60},
        {"keys": [KEY], "url": "https://elsewhere.example"},
    ],
)
def test_a_section_that_would_follow_nobody_or_too_late_is_refused(
    tmp_path: Path, policy: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        node(tmp_path, policy)


async def test_a_site_that_reaches_no_control_plane_is_told_by_a_file(tmp_path: Path) -> None:
    delivered = tmp_path / "delivered.bundle"
    delivered.write_bytes(bundle(2))
    settings = node(tmp_path, {"keys": [KEY], "file": str(delivered)})
    law = first_law(settings, FakeClock())
    async with AsyncExitStack() as closing:
        keeper = await keeper_of(law, settings, "secret", Unaudited(), closing)
        assert keeper is not None
        await keeper.look()
    assert law.now.serial == 2
    assert first_law(settings, FakeClock()).now.serial == 2
    assert await keeper_of(law, node(tmp_path), "secret", Unaudited(), closing) is None


async def test_hints_come_from_threads_and_are_heard_on_the_loop(tmp_path: Path) -> None:
    settings = node(tmp_path, {"keys": [KEY]})
    law = first_law(settings, FakeClock())
    async with AsyncExitStack() as closing:
        keeper = await keeper_of(law, settings, "secret", Unaudited(), closing)
        assert keeper is not None
        heard: list[tuple[int, int]] = []
        done = asyncio.Event()

        def hint(serial: int) -> None:
            heard.append((serial, threading.get_ident()))
            done.set()

        keeper.hint = hint  # type: ignore[method-assign]
        tell = hints_for(keeper)
        thread = threading.Thread(target=tell, args=(5,))
        thread.start()
        async with asyncio.timeout(60):
            await done.wait()
        thread.join()
    assert heard == [(5, threading.get_ident())]
    hints_for(None)(5)


def test_a_hint_after_the_end_is_nobodys_trouble(tmp_path: Path) -> None:
    async def late() -> Any:
        settings = node(tmp_path, {"keys": [KEY]})
        async with AsyncExitStack() as closing:
            law = first_law(settings, FakeClock())
            return hints_for(await keeper_of(law, settings, "secret", Unaudited(), closing))

    asyncio.run(late())(5)
