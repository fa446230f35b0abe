"""``inland bench sip``: a real run, and what is made of its readings."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from inland.__main__ import main
from inland.bench import sip_stages
from inland.bench.gaps import Gaps
from inland.bench.sip import SipFigures, slipped
from inland.bench.sip_part import SipPart, rows, stage_rows

ROOT = Path(__file__).parents[3]
PATIENCE = 100.0
PART = SipPart(
    calls=100,
    seconds=20.0,
    codec="pcmu",
    srtp=False,
    cpu=0.002,
    cores=0.2,
    idle_cores=0.01,
    stages={sip_stages.RECEIVE: 0.75, sip_stages.SRTP: 0.0, sip_stages.SEND: 0.25},
    samples=1000,
    wire_gaps=Gaps(20.0, 24.0, 31.0),
    late_ticks=0,
    packets_in=50.0,
    packets_out=50.0,
    frames=50.0,
    lost=0,
    refused=0,
    resident=110_000_000,
    resident_per_call=35_000,
    setups_per_second=500.0,
    setup_ms=6.0,
    setup_cpu_ms=0.9,
    callers_cores=0.1,
    callers_late_ticks=0,
    elsewhere=0.1,
)


@pytest.mark.parametrize("options", [(), ("--srtp", "--codec", "pcma")])
def test_calls_are_set_up_measured_and_looked_into(options: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "inland", "bench", "sip", "--calls", "5", "--seconds", "2"]
    done = subprocess.run(
        [*command, "--json", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    part = figures["part"]
    assert (part["calls"], part["srtp"]) == (5, bool(options))
    assert part["cpu"] > 0
    # As many as were due, or fewer where the machine is busy; never more.
    for what in ("packets_in", "packets_out", "frames"):
        assert 25 <= part[what] <= 60
    assert (part["lost"], part["refused"]) == (0, 0)
    assert part["wire_gaps"]["p50"] > 0
    assert part["setups_per_second"] > 0
    assert list(part["stages"]) == list(sip_stages.STAGES)
    assert sum(part["stages"].values()) == pytest.approx(1, abs=0.01)
    assert len(figures["targets"]) == 2


@pytest.mark.parametrize(
    ("change", "met"),
    [
        ({"cpu": 0.003}, True),
        ({"cpu": 0.0031}, False),
        ({"cpu": 0.0031, "srtp": True}, True),
        ({"cpu": 0.0041, "srtp": True}, False),
        ({"cpu": 0.0031, "codec": "pcma"}, False),
    ],
)
def test_g711_may_cost_three_milliseconds_and_four_encrypted(
    change: dict[str, float | bool | str], met: bool
) -> None:
    part = dataclasses.replace(PART, **change)  # type: ignore[arg-type]
    assert SipFigures(part, ()).targets[0].met is met


def test_other_codecs_have_no_target_for_cpu() -> None:
    part = dataclasses.replace(PART, codec="opus", cpu=0.02)
    (target,) = SipFigures(part, ()).targets
    assert target.what == "gap between packets, p99"


@pytest.mark.parametrize("what", ["packets_out", "frames"])
def test_a_server_that_did_less_than_it_was_asked_for_is_not_called_cheap(what: str) -> None:
    assert slipped(PART) == ""
    starved = dataclasses.replace(PART, elsewhere=1.4, **{what: 40.0})  # type: ignore[arg-type]
    note = slipped(starved)
    assert note.startswith("80% of the packets that were due")
    assert "others used 1.4 cores" in note


def test_stages_are_shown_with_what_they_cost_and_without_those_that_cost_nothing() -> None:
    assert stage_rows(PART) == [
        (sip_stages.RECEIVE, " 75.0%   1.50 ms"),
        (sip_stages.SEND, " 25.0%   0.50 ms"),
    ]


def test_the_table_says_cpu_in_milliseconds() -> None:
    shown = dict(rows(PART))
    assert shown["CPU ms per call-second"] == "2.00"
    assert shown["calls set up"] == "500 per second, p50 6 ms, 0.9 ms CPU each"
    assert dict(rows(dataclasses.replace(PART, wire_gaps=None)))["gap on the wire"] == "-"


@pytest.mark.parametrize(
    "arguments", [["--calls", "0"], ["--calls", "401"], ["--seconds", "0"], ["--codec", "gsm"]]
)
def test_bad_arguments_are_refused_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["bench", "sip", *arguments])
    assert end.value.code == 2
    assert "inland bench sip" in capsys.readouterr().err
