"""The stages of a phone call: which code belongs to which, and how it is sampled."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import numpy as np
import pytest

from edge.media.g711 import G711Encoder
from edge.media.playout import Playout
from edge.transport.rtp.packet import pack, parse
from edge.transport.sip.media.carrier import RtpCarrier
from edge.transport.sip.media.poll import SocketPoll
from inland.bench import sip_stages
from inland.bench.sip_stages import MEAN_SECONDS, RULES, STAGES, Rule, StageSampler, stage_of

ROOT = Path(__file__).parents[3]
LIBRARY = {"asyncio/": Path(asyncio.__file__).parent, "selectors.py": Path(selectors.__file__)}


def names(code: CodeType) -> Iterator[str]:
    """Qualified names of everything that a module defines."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant.co_qualname
            yield from names(constant)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.file}:{rule.name}")
def test_each_rule_names_code_that_exists(rule: Rule) -> None:
    path = LIBRARY.get(rule.file, ROOT / rule.file)
    assert path.exists()
    if rule.name:
        found = names(compile(path.read_text(), str(path), "exec"))
        assert any(name.startswith(rule.name) for name in found)


def test_each_stage_that_is_shown_has_a_rule() -> None:
    ruled = {rule.stage for rule in RULES} | {sip_stages.OTHER}
    assert ruled == {*STAGES, sip_stages.SLEEPING}


def test_code_belongs_to_the_stage_of_what_it_does() -> None:
    assert stage_of(RtpCarrier.send_rtp.__code__) == sip_stages.SEND
    assert stage_of(RtpCarrier.send_rtcp.__code__) == sip_stages.RTCP
    assert stage_of(RtpCarrier._drain.__code__) == sip_stages.RECEIVE
    assert stage_of(pack.__code__) == sip_stages.SEND
    assert stage_of(parse.__code__) == sip_stages.RECEIVE
    assert stage_of(Playout.pull.__code__) == sip_stages.PLAYOUT
    assert stage_of(SocketPoll.poll.__code__) == sip_stages.POLL
    assert stage_of(stage_of.__code__) is None


def test_work_is_put_down_to_its_stage() -> None:
    encoder, speech = G711Encoder("ulaw"), np.zeros(160_000, np.int16)
    sampler = StageSampler()
    sampler.start()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        encoder.encode(speech)
    counts = sampler.stop()
    assert counts[sip_stages.ENCODE] > 0.5 * sum(counts.values()) > 0


def test_sleep_in_the_event_loop_counts_for_nothing() -> None:
    sampler = StageSampler()

    async def sleep() -> None:
        sampler.start()
        await asyncio.sleep(100 * MEAN_SECONDS)

    asyncio.run(sleep())
    assert sum(sampler.stop().values()) < 50


def test_looking_at_the_sockets_is_no_sleep() -> None:
    poll = SocketPoll()
    sampler = StageSampler()
    sampler.start()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        for _ in range(1000):  # the clock costs as much as one look
            poll.poll()
    counts = sampler.stop()
    poll.close()
    assert counts[sip_stages.POLL] > 0.5 * sum(counts.values()) > 0
