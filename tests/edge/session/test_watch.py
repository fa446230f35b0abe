"""Who asks the store learns at once that it went away, and that it is back."""

from __future__ import annotations

import pytest

from edge.session.watch import StoreWatch


class Stores:
    """Says what is wrong as told."""

    wrong: str | None = None

    async def problem(self) -> str | None:
        return self.wrong


async def test_each_change_is_told_once_and_logged_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stores = Stores()
    watch = StoreWatch(stores)  # type: ignore[arg-type]
    told: list[bool] = []
    watch.on_change = lambda: told.append(watch.answers)
    caplog.set_level("INFO")
    for wrong in (None, "no answer", "no answer", None, None):
        stores.wrong = wrong
        await watch.ask()
    assert told == [False, True]
    assert [(record.getMessage(), vars(record).get("reason")) for record in caplog.records] == [
        ("session store does not answer", "no answer"),
        ("session store answers", None),
    ]


async def test_a_store_that_is_away_from_the_start_is_known_before_the_first_call() -> None:
    stores = Stores()
    stores.wrong = "no answer"
    watch = StoreWatch(stores)  # type: ignore[arg-type]
    await watch.ask()
    assert not watch.answers
