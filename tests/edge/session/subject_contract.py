"""What every session store promises about finding a person's sessions."""

from __future__ import annotations

import pytest

from edge.session.errors import StaleOwner
from edge.session.store import MAX_SUBJECTS
from tests.edge.session.entries import OpenStore, name, sealed, session
from tests.edge.session.parts import NOW, OTHER, SESSION, finish, record


class SubjectContract:
    """Subclasses provide a fixture ``open_store``."""

    async def test_a_session_is_found_by_what_it_began_with_and_by_what_was_learnt(
        self, open_store: OpenStore
    ) -> None:
        store, operator = await open_store(), await open_store()
        fence = await store.create(session(subjects=(name(1),)), "a")
        assert await operator.find(name(1), NOW) == (SESSION,)
        assert await operator.find(name(2), NOW) == ()
        await store.commit(fence, sealed(1, subjects=(name(2), name(3))))
        for number in (1, 2, 3):
            assert await operator.find(name(number), NOW) == (SESSION,)
        assert await operator.find(name(4), NOW) == ()

    async def test_being_told_of_a_subject_again_changes_nothing(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        for _ in range(2):
            fence = await store.create(session(subjects=(name(1), name(1))), "a")
        for _ in range(2):
            await store.commit(fence, sealed(1, subjects=(name(1), name(2))))
        await store.commit(fence, sealed(2, subjects=(name(2), name(1))))
        assert await store.find(name(1), NOW) == (SESSION,)
        assert await store.find(name(2), NOW) == (SESSION,)

    async def test_every_session_of_a_subject_is_found(self, open_store: OpenStore) -> None:
        store = await open_store()
        ids = [f"s_{number}" for number in range(5)]
        for each in ids:
            await store.create(session(each, subjects=(name(1),)), "a")
        await store.create(session(OTHER, subjects=(name(2),)), "a")
        assert sorted(await store.find(name(1), NOW)) == ids
        assert len(await store.find(name(1), NOW, most=2)) == 2

    async def test_an_expired_session_is_found_no_more_and_the_others_are(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        await store.create(session(subjects=(name(1),), lasts=120), "a")
        fence = await store.create(session(OTHER), "a")
        await store.commit(fence, sealed(1, subjects=(name(1),)))
        assert set(await store.find(name(1), NOW + 59)) == {SESSION, OTHER}
        assert await store.find(name(1), NOW + 60) == (SESSION,)
        assert await store.find(name(1), NOW + 120) == ()

    async def test_an_erased_session_is_found_by_no_subject(self, open_store: OpenStore) -> None:
        store = await open_store()
        fence = await store.create(session(subjects=(name(1),)), "a")
        await store.create(session(OTHER, subjects=(name(1),)), "a")
        await store.commit(fence, sealed(1, subjects=(name(2),)))
        assert await (await open_store()).erase(SESSION)
        assert await store.find(name(1), NOW) == (OTHER,)
        assert await store.find(name(2), NOW) == ()

    async def test_a_session_keeps_its_subjects_through_owners_and_its_end(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        await store.create(session(subjects=(name(1),)), "a")
        fence, _ = await store.take(SESSION, "b", NOW)
        await store.commit(fence, sealed(1, subjects=(name(2),)))
        await finish(store, fence, record("c_1", "completed"))
        assert await store.find(name(1), NOW) == (SESSION,)
        assert await store.find(name(2), NOW) == (SESSION,)

    async def test_a_stale_owner_names_nobody(self, open_store: OpenStore) -> None:
        store = await open_store()
        stale = await store.create(session(), "a")
        await store.take(SESSION, "b", NOW)
        with pytest.raises(StaleOwner):
            await store.commit(stale, sealed(1, subjects=(name(1),)))
        assert await store.find(name(1), NOW) == ()

    async def test_the_first_subjects_of_a_session_stay_and_more_are_not_kept(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        first = tuple(name(number) for number in range(MAX_SUBJECTS - 1))
        fence = await store.create(session(subjects=first), "a")
        await store.commit(fence, sealed(1, subjects=(name(97), name(98), name(99))))
        await store.commit(fence, sealed(2, subjects=(name(99),)))
        found = [bool(await store.find(each, NOW)) for each in (*first, name(97))]
        assert found == [True] * MAX_SUBJECTS
        assert await store.find(name(98), NOW) == ()
        assert await store.find(name(99), NOW) == ()
