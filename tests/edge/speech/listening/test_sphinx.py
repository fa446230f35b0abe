"""The embedded recogniser on people and on synthetic callers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr

from edge.events import Expectation
from edge.grammar import Alt, Node, Opt, Repeat, Seq, Tail, Words
from edge.media import g711
from edge.media.frames import LISTEN_RATE, Band, Samples
from edge.speech.channel import Channel
from edge.speech.recognizer import Recognition, RecognizerError
from edge.speech.sphinx import SphinxRecognizer
from edge.speech.sphinx_settings import SphinxSettings
from tests.fakes.hearing import expecting
from tests.fakes.recordings import flite, load, transcripts, with_silence


def one_of(*phrases: str) -> Alt:
    return Alt(tuple(Words(phrase) for phrase in phrases))


FIGURES = one_of(
    "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"
)
LETTERS = one_of(*"abcdefghijklmnopqrstuvwxyz")
MY = Opt(one_of("my", "the", "an"))
STEPS: dict[str, Node] = {
    "intent": Seq(
        (
            Opt(one_of("i want to", "i would like to", "i'd like to", "can i", "i need to")),
            Alt(
                (
                    Seq((one_of("book", "make"), one_of("an appointment", "a new appointment"))),
                    Seq(
                        (one_of("cancel", "move", "change", "reschedule"), MY, Words("appointment"))
                    ),
                    Seq((one_of("talk to", "speak to"), one_of("a person", "an agent"))),
                    one_of("what are your opening hours", "what are your prices"),
                )
            ),
            Tail(Words("please")),
        )
    ),
    "yesno": Alt(
        (
            Seq((Words("yes"), Tail(Words("please")))),
            Seq((Words("no"), Tail(one_of("thanks", "thank you")))),
            one_of("yeah", "sure", "nope", "that's right", "that is correct", "that's wrong"),
        )
    ),
    "digits6": Repeat(FIGURES, 6, 6),
    "dept": Seq(
        (
            Opt(Words("the")),
            one_of("billing", "sales", "technical support", "customer service", "reception"),
            Opt(Words("department")),
            Tail(Words("please")),
        )
    ),
}
YES_NO = expecting(STEPS["yesno"], "yes_no")


async def hear(
    recognizer: SphinxRecognizer,
    expectation: Expectation,
    samples: Samples,
    channel: Channel | None = None,
) -> Recognition:
    utterance = recognizer.begin(expectation, channel or Channel())
    for at in range(0, len(samples), 320):
        utterance.accept(samples[at : at + 320])
    return await utterance.finish()


def said(text: str) -> str:
    return text.replace("oh", "zero")


def by_telephone(samples: Samples) -> Samples:
    """16 kHz through G.711 at 8 kHz, as a phone leg delivers it."""
    narrow = np.asarray(soxr.resample(samples, LISTEN_RATE, g711.RATE), np.int16)
    return g711.G711Decoder("ulaw", LISTEN_RATE).decode(g711.ulaw_encode(narrow))


@pytest.mark.parametrize("band", ["wide", "narrow"])
@pytest.mark.parametrize("step", STEPS)
async def test_synthetic_callers_are_understood_step_by_step(
    sphinx: SphinxRecognizer, step: str, band: Band
) -> None:
    expectation = expecting(STEPS[step], step)
    calls: dict[str, Channel] = {}
    right = total = 0
    for path, text in transcripts("synth_flite16k"):
        if path.name.startswith(step) and expectation.grammar.parse(text.split()):
            samples = with_silence(load(path))
            if band == "narrow":
                samples = by_telephone(samples)
            call = calls.setdefault(path.stem.rsplit("_", 1)[1], Channel(band))
            heard = await hear(sphinx, expectation, samples, call)
            right += said(heard.text) == said(text) and heard.understood
            total += 1

    assert total >= 8
    assert right / total >= 0.85


@pytest.mark.parametrize(
    ("name", "root", "least"),
    [
        ("letters", LETTERS, 0.65),
        ("figures", FIGURES, 0.8),
        ("spelling", Repeat(LETTERS, 1, 12), 0.6),
    ],
)
async def test_single_letters_and_figures_of_people_are_recognised(
    sphinx: SphinxRecognizer, name: str, root: Node, least: float
) -> None:
    expectation = expecting(root, name)
    right = total = 0
    for path, text in transcripts("letters_digits_16k")[::3]:
        if expectation.grammar.parse([text]):
            heard = await hear(sphinx, expectation, with_silence(load(path)))
            right += heard.text == text
            total += 1

    assert right / total >= least


async def test_figures_over_the_telephone_are_recognised(sphinx: SphinxRecognizer) -> None:
    expectation = expecting(FIGURES, "figures")
    calls: dict[str, Channel] = {}
    right = total = 0
    for path, text in transcripts("fsdd8k")[::5]:
        call = calls.setdefault(path.stem.split("_")[1], Channel("narrow"))
        heard = await hear(sphinx, expectation, with_silence(load(path)), call)
        right += said(heard.text) == said(text)
        total += 1

    assert right / total >= 0.75


async def test_line_is_learnt_from_utterance_to_utterance_of_a_call(
    sphinx: SphinxRecognizer, tmp_path: Path
) -> None:
    """A caller whose microphone is 12 dB louder, and duller, than is usual."""
    spoken = with_silence(flite("seven three one five", tmp_path, "rms")).astype(float)
    muffled = np.clip(4 * np.convolve(spoken, [0.25, 0.5, 0.25], "same"), -32768, 32767)
    expectation = expecting(Repeat(FIGURES, 4, 4), "figures")
    call = Channel()

    first = await hear(sphinx, expectation, muffled.astype(np.int16), call)
    for _ in range(3):
        last = await hear(sphinx, expectation, muffled.astype(np.int16), call)

    assert last.confidence > first.confidence


@pytest.mark.parametrize("band", ["wide", "narrow"])
@pytest.mark.parametrize("step", ["intent", "yesno", "digits6", "dept"])
async def test_people_who_say_something_else_are_not_understood(
    sphinx: SphinxRecognizer, step: str, band: Band
) -> None:
    for path, _ in transcripts("human16k"):
        samples = with_silence(load(path))
        if band == "narrow":
            samples = by_telephone(samples)
        heard = await hear(sphinx, expecting(STEPS[step], step), samples, Channel(band))
        assert not heard.understood, path.name


@pytest.mark.parametrize("spelt", ["k o w a l s k i", "s m i t h", "j o n e s"])
async def test_a_spelt_name_is_heard_letter_by_letter(
    sphinx: SphinxRecognizer, tmp_path: Path, spelt: str
) -> None:
    samples = with_silence(flite(spelt.replace(" ", ", "), tmp_path, "awb"))

    heard = await hear(sphinx, expecting(Repeat(LETTERS, 2, 12), "spelling"), samples)

    assert len(set(heard.text.split()) & set(spelt.split())) >= len(set(spelt.split())) - 2


async def test_a_letter_a_and_an_article_live_in_one_decoder(
    sphinx: SphinxRecognizer, tmp_path: Path
) -> None:
    letter = with_silence(flite("a, b, a", tmp_path))
    article = with_silence(flite("i want a person", tmp_path))
    spelling = expecting(Repeat(LETTERS, 2, 4), "spelling")
    sentence = expecting(one_of("i want a person", "i want an agent"), "sentence")

    for _ in range(2):
        assert "a" in (await hear(sphinx, spelling, letter)).text.split()
        assert (await hear(sphinx, sentence, article)).text == "i want a person"


async def test_names_outside_the_dictionary_can_be_heard(
    sphinx: SphinxRecognizer, tmp_path: Path
) -> None:
    names = one_of("doctor zorbanek", "doctor quilmithar", "doctor vestrander")

    heard = await hear(
        sphinx, expecting(names, "names"), with_silence(flite("doctor vestrander", tmp_path))
    )

    assert heard.text == "doctor vestrander"


async def test_more_grammars_than_are_kept_can_be_heard_in_turn(tmp_path: Path) -> None:
    recognizer = SphinxRecognizer(settings=SphinxSettings(grammars=2, idle_decoders=1))
    samples = with_silence(flite("tomorrow", tmp_path))
    steps = [expecting(one_of("tomorrow", f"option {word}"), word) for word in ("a", "one", "two")]

    for step in steps * 2:
        assert (await hear(recognizer, step, samples)).text == "tomorrow"
    await recognizer.close()


async def test_more_callers_at_once_than_decoders_is_an_error_of_that_utterance() -> None:
    recognizer = SphinxRecognizer(settings=SphinxSettings(most_decoders=2, idle_decoders=1))
    first, second = recognizer.begin(YES_NO, Channel()), recognizer.begin(YES_NO, Channel())

    with pytest.raises(RecognizerError, match="too many"):
        recognizer.begin(YES_NO, Channel())
    first.discard()
    recognizer.begin(YES_NO, Channel()).discard()

    second.discard()
    await recognizer.close()


async def test_a_word_that_nobody_can_say_names_the_grammar(sphinx: SphinxRecognizer) -> None:
    odd = expecting(one_of("yes", "…"), "odd step")

    with pytest.raises(RecognizerError, match="odd step"):
        sphinx.begin(odd, Channel())
    with pytest.raises(RecognizerError, match="odd step"):
        sphinx.prepare(odd, Channel())
    sphinx.begin(YES_NO, Channel()).discard()


def test_a_wrong_lexicon_is_refused() -> None:
    with pytest.raises(RecognizerError, match="acme"):
        SphinxRecognizer(lexicon={"acme": "AE K QQ"})
