"""What every session store promises about going through all that lies in it."""

from __future__ import annotations

import pytest

from edge.session.store import SessionStore
from tests.edge.session.entries import OpenStore, name, session
from tests.edge.session.parts import NOW, OTHER, SESSION, finish, record

IDS = tuple(f"s_{number:022d}" for number in range(7))


async def pages(store: SessionStore, most: int) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    page = await store.at_rest(most=most)
    while page.session_ids:
        found.append(page.session_ids)
        page = await store.at_rest(page.after, most=most)
    return found


class RestContract:
    """Subclasses provide a fixture ``open_store``."""

    async def test_an_empty_store_has_no_page(self, open_store: OpenStore) -> None:
        page = await (await open_store()).at_rest()
        assert (page.session_ids, page.after) == ((), None)

    @pytest.mark.parametrize("apart", [0, 1], ids=["ending at once", "ending one by one"])
    @pytest.mark.parametrize("most", [1, 2, 3, 7, 500])
    async def test_every_session_is_on_one_page(
        self, open_store: OpenStore, most: int, apart: int
    ) -> None:
        store = await open_store()
        for number, each in enumerate(reversed(IDS)):
            await store.create(session(each, lasts=60 + apart * (number // 2)), "a")
        found = [each for page in await pages(await open_store(), most) for each in page]
        assert sorted(found) == sorted(IDS)

    async def test_what_is_erased_on_the_way_hides_no_other(self, open_store: OpenStore) -> None:
        store = await open_store()
        for number, each in enumerate(IDS):
            await store.create(session(each, lasts=60 + number), "a")
        seen: list[str] = []
        page = await store.at_rest(most=2)
        while page.session_ids:
            for each in page.session_ids:
                seen.append(each)
                assert await store.erase(each)
            page = await store.at_rest(page.after, most=2)
        assert sorted(seen) == sorted(IDS)
        assert await pages(store, 2) == []

    async def test_owners_and_ends_change_nothing_about_where_a_session_lies(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        await store.create(session(subjects=(name(1),)), "a")
        ended = await store.create(session(OTHER), "a")
        await store.take(SESSION, "b", NOW)
        await finish(store, ended, record("c_1", "completed", OTHER))
        assert {each for page in await pages(store, 5) for each in page} == {SESSION, OTHER}
        assert await store.erase(SESSION)
        assert await pages(store, 5) == [(OTHER,)]
