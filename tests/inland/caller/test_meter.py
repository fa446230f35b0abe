"""What the caller measures by itself."""

from __future__ import annotations

import numpy as np
import pytest

from inland.caller.meter import GapMeter, WireMeter, audible, audible_span, percentile
from tests.fakes.talking_edge import FRAME, tone


def test_a_tone_is_audible_and_faint_noise_is_not() -> None:
    assert audible(tone(0.02))
    assert not audible(np.full(FRAME, 50, np.int16))
    assert not audible(np.zeros(0, np.int16))


def test_the_audible_span_is_cut_at_frames() -> None:
    quiet = np.zeros(FRAME * 2, np.int16)
    sound = np.concatenate((quiet, tone(0.06), quiet))
    assert audible_span(sound, FRAME) == (FRAME * 2, FRAME * 5)
    assert audible_span(quiet, FRAME) is None


def test_an_answer_is_measured_once() -> None:
    meter = WireMeter()
    meter.moved()
    meter.asked(10.0)
    assert meter.agent_frame(10.2, loud=False) == ()
    (answer,) = meter.agent_frame(10.3, loud=True)
    assert (answer.kind, round(answer.ms)) == ("answer", 300)
    assert meter.agent_frame(10.32, loud=True) == ()
    assert meter.first_audible_since_move == 10.3


def test_an_agent_that_never_stopped_talking_answers_nothing() -> None:
    meter = WireMeter()
    meter.agent_frame(9.98, loud=True)
    meter.moved()
    meter.asked(10.0)
    assert meter.agent_frame(10.02, loud=True) == ()


def test_a_barge_in_is_measured_to_the_last_audible_frame() -> None:
    meter = WireMeter()
    meter.agent_frame(9.99, loud=True)
    meter.barged(10.0)
    meter.agent_frame(10.08, loud=True)
    assert meter.silence(10.15) == ()
    (silence,) = meter.silence(10.2)
    assert (silence.kind, round(silence.ms)) == ("silence", 80)
    assert meter.silence(10.4) == ()


def test_a_pause_of_the_sender_is_no_gap_and_a_late_packet_is() -> None:
    meter = GapMeter(48_000)
    meter.packet(1.000, 0)
    meter.packet(1.020, 960)
    meter.packet(1.075, 1920)
    meter.packet(3.000, 1920 + 48_000 * 2)
    assert [round(gap) for gap in meter.gaps] == [20, 55]
    assert meter.packets == 4


def test_timestamps_wrap() -> None:
    meter = GapMeter(48_000)
    meter.packet(1.00, 2**32 - 480)
    meter.packet(1.02, 480)
    assert len(meter.gaps) == 1


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [([], 0.5, None), ([3.0], 0.95, 3.0), ([1, 2, 3, 4], 0.5, 2), (range(1, 101), 0.95, 95)],
)
def test_percentiles_are_values_that_occurred(
    values: list[float], share: float, wanted: float | None
) -> None:
    assert percentile(values, share) == wanted
