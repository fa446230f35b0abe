"""A real Chromium for the page, started once, and a fresh world for each test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Playwright, async_playwright

from tests.fakes.scripted_edge import HANG_SECONDS, ScriptedEdge, stay_on_loopback
from tests.web_demo.stage import FLAGS, Stage, talk_wav

CHROMIUM = Path("/usr/bin/chromium")
MakeStage = Callable[..., Awaitable[Stage]]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def playwright() -> AsyncIterator[Playwright]:
    if not await asyncio.to_thread(CHROMIUM.exists):
        pytest.skip("needs Debian's chromium at /usr/bin/chromium")
    async with async_playwright() as running:
        yield running


async def _launch(running: Playwright, folder: Path, *more: str) -> Browser:
    recording = talk_wav(folder / "talk.wav")
    return await running.chromium.launch(
        executable_path=CHROMIUM,
        args=[*FLAGS, f"--use-file-for-fake-audio-capture={recording}", *more],
        env={**os.environ, "HOME": str(folder)},
    )


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def chromium(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Browser]:
    """A browser that grants the microphone, which plays a recording."""
    folder = tmp_path_factory.mktemp("chromium")
    browser = await _launch(playwright, folder, "--use-fake-ui-for-media-stream")
    yield browser
    await browser.close()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def strict_chromium(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Browser]:
    """A browser whose user always refuses the microphone."""
    folder = tmp_path_factory.mktemp("strict-chromium")
    browser = await _launch(playwright, folder, "--use-fake-ui-for-media-stream=deny")
    yield browser
    await browser.close()


@pytest_asyncio.fixture(loop_scope="package")
async def make_stage() -> AsyncIterator[MakeStage]:
    """Makes stages; at the end, no page may have had an error of its own."""
    restore = stay_on_loopback()
    stages: list[Stage] = []
    async with AsyncExitStack() as stack:
        stack.callback(restore)

        async def make(browser: Browser, **context_options: object) -> Stage:
            edge = await stack.enter_async_context(ScriptedEdge())
            other = await stack.enter_async_context(ScriptedEdge("eu-west-1", "eu-west-1-a"))
            context: BrowserContext = await browser.new_context(**context_options)  # type: ignore[arg-type]
            stack.push_async_callback(context.close)
            context.set_default_timeout(1000 * HANG_SECONDS)
            stage = Stage(await context.new_page(), edge, other)
            stack.push_async_callback(stage.close)
            stages.append(stage)
            await stage.open()
            return stage

        yield make
    assert [fault for stage in stages for fault in stage.faults] == []


@pytest_asyncio.fixture(loop_scope="package")
async def stage(chromium: Browser, make_stage: MakeStage) -> Stage:
    """An open page with an allowed microphone, two edges in the EEA, and a caller from Germany."""
    return await make_stage(chromium)
