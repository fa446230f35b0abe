"""``inland bench store``: how long the session store takes for one committed turn."""

from __future__ import annotations

import argparse
import asyncio
import secrets
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, time

from edge.clock import SystemClock
from edge.session.errors import SessionError
from edge.session.redis_settings import RedisSettings
from edge.session.sqlite import SqliteStore
from edge.session.store import Fence, NewSession, SealedTurn, SessionStore
from edge.settings import load_settings
from inland.bench.errors import BenchError
from inland.bench.machine import Machine, describe
from inland.bench.running import MEASURED, print_json, print_lines, progress, run_bench
from inland.bench.target import Target, section_lines, target_lines
from inland.caller.meter import percentile
from regions.errors import ConfigError

TURN_BYTES = 1_000
STATE_BYTES = 2_000
"""Of a sealed turn and the dialog's sealed state, as the demo's clinic has them."""
PAUSE_SECONDS = 0.2
"""Between two turns of one session: 25 times as often as people take turns."""
KEPT_SECONDS = 600
"""After which the sessions of the bench are gone."""
BENCH_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """Times in milliseconds."""

    store: str
    sessions: int
    commits: int
    p50: float
    p99: float
    max: float

    @property
    def targets(self) -> list[Target]:
        return [Target("turn commit, p99", 5, self.p99, "ms")]


def run_store(arguments: argparse.Namespace) -> int:
    """Measure the commits; the exit status."""
    machine = describe()

    async def measure(folder: Path) -> int:
        figures = await _measure(arguments, folder)
        _report(machine, figures, as_json=arguments.json)
        return MEASURED

    return run_bench(measure, BENCH_SECONDS)


async def _measure(arguments: argparse.Namespace, folder: Path) -> StoreFigures:
    async with AsyncExitStack() as closing:
        try:
            store, name = await _open(arguments.config, folder, closing)
            progress(f"{arguments.sessions} sessions of {arguments.turns} turns in {name}")
            fences = [await _begin(store) for _ in range(arguments.sessions)]
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(_talk(store, fence, arguments.turns, at / len(fences)))
                    for at, fence in enumerate(fences)
                ]
        except* (SessionError, ConfigError) as errors:
            raise BenchError(str(errors.exceptions[0])) from None
    took = [seconds * 1000 for task in tasks for seconds in task.result()]
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    assert p50 is not None and p99 is not None
    rounded = round(p50, 2), round(p99, 2), round(max(took), 2)
    return StoreFigures(name, arguments.sessions, len(took), *rounded)


async def _open(
    config: Path | None, folder: Path, closing: AsyncExitStack
) -> tuple[SessionStore, str]:
    """The store of a node's settings, as their first tenant; a file of its own without any."""
    settings = None if config is None else load_settings(config)
    if settings is None or settings.store is None:
        store = await SqliteStore.open(folder / "sessions.sqlite")
        closing.push_async_callback(store.close)
        return store, "SQLite"
    from edge.session.redis_stores import RedisStores

    stores = RedisStores.open(settings.store, settings.region, SystemClock())
    closing.push_async_callback(stores.close)
    tenant = settings.tenants[0] if settings.tenants else next(iter(settings.store.users))
    return stores.of(tenant), _name(settings.store)


def _name(store: RedisSettings) -> str:
    if store.socket is not None:
        return "Redis by a unix socket"
    way = "over TLS" if store.tls else "without TLS"
    return f"Redis {way}, with a replica" if store.sentinels else f"Redis {way}"


async def _begin(store: SessionStore) -> Fence:
    now = time()
    new = NewSession(
        f"s_bench{secrets.token_hex(8)}",
        "bench",
        b"bench",
        {"bench": secrets.token_bytes(60)},
        now,
        int(now) + KEPT_SECONDS,
    )
    return await store.create(new, secrets.token_hex(16))


async def _talk(store: SessionStore, fence: Fence, turns: int, share: float) -> list[float]:
    """Seconds of each commit of one session, which begins its pauses ``share`` of one later."""
    await asyncio.sleep(share * PAUSE_SECONDS)
    took = []
    for number in range(1, turns + 1):
        turn = SealedTurn(
            number,
            secrets.token_bytes(32),
            secrets.token_bytes(TURN_BYTES),
            secrets.token_bytes(STATE_BYTES),
        )
        began = perf_counter()
        await store.commit(fence, turn)
        took.append(perf_counter() - began)
        await asyncio.sleep(PAUSE_SECONDS)
    return took


def _report(machine: Machine, figures: StoreFigures, *, as_json: bool) -> None:
    if as_json:
        targets = [target.as_json() for target in figures.targets]
        print_json("store", machine, {**asdict(figures), "targets": targets})
        return
    rows = [
        ("store", figures.store),
        ("commits", f"{figures.commits}, by {figures.sessions} sessions at once"),
        ("a commit", f"p50 {figures.p50:.2f}   p99 {figures.p99:.2f}   max {figures.max:.2f} ms"),
    ]
    lines = section_lines("one committed turn", rows)
    lines += ["", "targets", *target_lines(figures.targets)]
    print_lines("inland bench store", machine, lines)
