"""What is made of readings: windows, gaps, targets, tables, warnings."""

from __future__ import annotations

import dataclasses
import os

import psutil
import pytest

from inland.bench.errors import BenchError
from inland.bench.gaps import Gaps, gaps_of
from inland.bench.machine import Machine, describe
from inland.bench.media import MediaFigures, slipped
from inland.bench.media_part import MediaPart
from inland.bench.private_node import Engines
from inland.bench.target import Target, section_lines, target_lines
from inland.bench.turn import Spread, figures_of, spread
from inland.bench.usage import Reading, between, memory, read

MACHINE = Machine("a cpu", 2, "Linux", "3.11", {"av": "18"}, load=0.1)
PART = MediaPart(
    calls=50,
    seconds=20.0,
    cpu=0.012,
    cores=0.6,
    wire_gaps=Gaps(20.0, 24.0, 31.0),
    sender_gaps=Gaps(20.0, 23.0, 30.0),
    late_ticks=0,
    packets_in=50.0,
    packets_out=50.0,
    frames=50.0,
    lost=0,
    resident=130_000_000,
    resident_per_call=400_000,
    shared_out_per_call=390_000,
    connect_ms=40.0,
    callers_cores=0.2,
    callers_late_ticks=0,
    elsewhere=0.1,
)


def test_cpu_per_call_second_is_cpu_over_time_over_calls() -> None:
    before = Reading(10.0, {"server": 1.0, "callers": 2.0}, machine=100.0)
    after = Reading(20.0, {"server": 7.0, "callers": 3.0}, machine=112.0)
    window = between(before, after)
    assert window.seconds == 10.0
    assert window.cores("server") == pytest.approx(0.6)
    assert window.per_call("server", 50) == pytest.approx(0.012)
    assert window.elsewhere == pytest.approx(0.5)


def test_coarse_clocks_never_make_others_use_less_than_nothing() -> None:
    window = between(Reading(0.0, {"a": 0.0}, 0.0), Reading(1.0, {"a": 1.0}, 0.9))
    assert window.elsewhere == 0.0


def test_a_process_is_read_with_its_cpu_and_its_memory() -> None:
    me = psutil.Process(os.getpid())
    assert read({"me": me}).cpu["me"] > 0
    assert memory(me, "me").resident > 1_000_000


def test_a_process_that_ended_cannot_be_measured() -> None:
    gone = psutil.Popen(["true"])
    gone.wait()
    with pytest.raises(BenchError, match="the server ended"):
        read({"the server": gone})


def test_gaps_of_all_calls_count_together() -> None:
    assert gaps_of([[0.020] * 50, [0.020] * 49 + [0.100]]) == Gaps(20.0, 20.8, 100.0)
    assert gaps_of([[], []]) is None


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("cpu", 0.02, 0.02, "s"), True),
        (Target("cpu", 0.02, 0.0201, "s"), False),
        (Target("ratio", 3, 3.0, "times", "at least"), True),
        (Target("ratio", 3, 2.99, "times", "at least"), False),
    ],
)
def test_a_target_is_met_up_to_its_bound(target: Target, met: bool) -> None:
    assert target.met is met
    assert target.as_json()["met"] is met
    assert target_lines([target])[0].endswith("met" if met else "MISSED")


def test_tables_are_aligned() -> None:
    lines = target_lines([Target("short", 1, 2, "s"), Target("quite long", 100, 2, "MB")])
    assert {line.index("≤") for line in lines} == {len("  quite long  ")}
    _, title, *rows = section_lines("title", [("a", "one"), ("longer", "two")])
    assert (title, rows) == ("title", ["  a       one", "  longer  two"])


def test_a_busy_machine_is_told() -> None:
    assert MACHINE.warning is None
    busy = dataclasses.replace(MACHINE, load=1.5)
    assert busy.warning is not None
    assert "load 1.5 on 2 cores" in busy.warning
    assert "a cpu, 2 cores, load 0.10" in str(MACHINE)


def test_this_machine_can_be_described() -> None:
    machine = describe()
    assert machine.cpu
    assert machine.cores >= 1
    assert "aiortc" in machine.packages


def test_the_ratio_compares_one_call_with_one_call() -> None:
    stock = dataclasses.replace(PART, calls=10, cpu=0.048)
    few = dataclasses.replace(PART, calls=10, cpu=0.02)
    figures = MediaFigures(PART, few, stock, None, ())
    assert (figures.ratio, figures.ratio_same_calls) == (4.0, 2.4)
    assert [target.met for target in figures.targets] == [True, True, True, False]


def test_a_server_that_was_starved_is_not_called_cheap() -> None:
    starved = dataclasses.replace(PART, packets_out=40.0, elsewhere=1.4)
    assert slipped("media", PART) == ""
    note = slipped("media", starved)
    assert "media with 50 calls sent 80% of the packets that were due" in note
    assert "others used 1.4 cores" in note


def test_what_was_skipped_has_no_target() -> None:
    figures = MediaFigures(PART, None, None, None, ())
    assert figures.ratio is None
    assert [target.what for target in figures.targets] == [
        "media, 50 calls",
        "gap between packets, p99",
    ]


def test_percentiles_are_nearest_rank() -> None:
    assert spread([float(number) for number in range(1, 101)]) == Spread(50.0, 95.0, 100.0)
    assert spread([7.0]) == Spread(7.0, 7.0, 7.0)


def test_stages_of_the_edge_stand_beside_what_the_callers_measured() -> None:
    stages = ("endpoint", "recognise", "think", "voice", "playout", "total")
    tally = {
        "wire_ms": [250.0, 350.0],
        "stages": [dict.fromkeys(stages, 10.0), dict.fromkeys(stages, 30.0)],
        "said": 3,
        "heard": 2,
        "understood": 2,
        "word_for_word": 1,
        "calls_failed": 0,
    }
    figures = figures_of(tally, Engines(), 1, {"voice": "flite rms", "note": None})
    assert (figures.answers, figures.wire) == (2, Spread(250.0, 350.0, 350.0))
    assert figures.stages["voice"] == Spread(10.0, 30.0, 30.0)
    assert [target.met for target in figures.targets] == [True, True]
