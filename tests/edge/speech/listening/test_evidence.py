"""What speaks for a sentence."""

from __future__ import annotations

import pytest

from edge.speech.evidence import Evidence, Segment, Weights, weigh

SIL = Segment("<sil>", 0, 10, -100.0)


def test_words_that_explain_the_audio_as_well_as_phones_do_have_nothing_against_them() -> None:
    sentence = [SIL, Segment("yes", 10, 30, -40.0)]
    phones = [Segment("SIL", 0, 10, -100.0), Segment("Y", 10, 20, -20.0), Segment("S", 20, 30, -20)]
    assert weigh(sentence, phones) == Evidence(mean=0.0, worst=0.0, missed=0.0)


def test_silence_dilutes_nothing() -> None:
    word, phone = Segment("yes", 10, 30, -60.0), Segment("AH", 10, 30, -40.0)
    short = weigh([SIL, word], [Segment("SIL", 0, 10, -100.0), phone])
    long = weigh(
        [SIL, word, Segment("<sil>", 30, 500, -9.0)],
        [Segment("SIL", 0, 10, -100.0), phone, Segment("SIL", 30, 500, -9.0)],
    )
    assert short is not None
    assert long == short
    assert short.mean == pytest.approx(-1.0)


def test_one_bad_word_among_good_ones_is_seen() -> None:
    sentence = [Segment("next", 0, 30, -30.0), Segment("tuesday", 30, 40, -30.0)]
    found = weigh(sentence, [Segment("AH", 0, 40, -40.0)])
    assert found is not None
    assert found.mean == pytest.approx(-0.5)
    assert found.worst == pytest.approx(-2.0)


def test_speech_that_the_sentence_leaves_out_counts_and_noise_does_not() -> None:
    sentence = [Segment("yes", 0, 20, -20.0), Segment("<sil>", 20, 40, -40.0)]
    spoken = weigh(sentence, [Segment("AH", 0, 30, -30.0), Segment("+NSN+", 30, 40, -10.0)])
    assert spoken is not None
    assert spoken.missed == pytest.approx(0.5)


@pytest.mark.parametrize("sentence", [[], [SIL], [Segment("yes", 5, 5, 0.0)]])
def test_no_words_are_no_sentence(sentence: list[Segment]) -> None:
    assert weigh(sentence, [SIL]) is None


def test_rule_gives_log_odds() -> None:
    rule = Weights(mean=10.0, worst=2.0, missed=-1.0, bias=3.0)
    assert rule.odds(Evidence(0.0, 0.0, 0.0)) == 3.0
    assert rule.odds(Evidence(-0.3, -0.5, 1.0)) == pytest.approx(-2.0)
