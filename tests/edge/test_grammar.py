"""One grammar hears, understands and knows what is missing."""

from __future__ import annotations

import random

import pocketsphinx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.grammar import (
    MAX_WORDS,
    Alt,
    Completeness,
    Grammar,
    Node,
    Opt,
    Repeat,
    Seq,
    Tag,
    Tail,
    Words,
)

FIGURE = Alt(
    tuple(Tag(Words(word), "figure", str(n)) for n, word in enumerate(("oh", "one", "two")))
)
PIN = Grammar("pin", Repeat(FIGURE, 2, 3))
YES = Grammar("yes", Seq((Tag(Words("yes"), "answer", "y"), Tail(Words("thank you")))))
TIME = Grammar(
    "time",
    Seq((Opt(Words("at")), Tag(Words("three"), "hour", "3"), Opt(Words("thirty")))),
)


def words(text: str) -> list[str]:
    return text.split()


# --- parsing ----------------------------------------------------------------------------------


def test_a_sentence_means_its_tags_in_the_order_spoken() -> None:
    match = PIN.parse(words("two oh one"))

    assert match is not None
    assert match.all("figure") == ("2", "0", "1")
    assert match.first("figure") == "2"
    assert match.first("hour") is None


@pytest.mark.parametrize("text", ["", "two", "two oh one one", "two three", "at two"])
def test_what_is_no_sentence_has_no_meaning(text: str) -> None:
    assert PIN.parse(words(text)) is None


def test_the_earlier_option_wins_when_two_match() -> None:
    grammar = Grammar(
        "which", Alt((Tag(Words("march"), "month", "3"), Tag(Words("march"), "verb", "go")))
    )

    match = grammar.parse(["march"])

    assert match is not None
    assert match.tags == (("month", "3"),)


def test_a_tag_around_others_comes_before_them() -> None:
    grammar = Grammar("nested", Tag(Tag(Words("noon"), "half", "p"), "hour", "12"))

    match = grammar.parse(["noon"])

    assert match is not None
    assert match.tags == (("hour", "12"), ("half", "p"))


def test_the_longest_sentence_in_the_words_is_spotted() -> None:
    match = PIN.spot(words("well two one is it no oh one two thanks"))

    assert match is not None
    assert match.words == ("oh", "one", "two")
    assert PIN.spot(words("nothing of the kind")) is None


def test_of_two_equally_long_sentences_the_earlier_is_spotted() -> None:
    match = PIN.spot(words("one one and two two"))

    assert match is not None
    assert match.words == ("one", "one")


# --- completeness -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grammar", "text", "expected"),
    [
        (PIN, "", Completeness.OPEN),
        (PIN, "two", Completeness.OPEN),
        (PIN, "two oh", Completeness.COMPLETE),
        (PIN, "two oh one", Completeness.CLOSED),
        (PIN, "two oh one one", Completeness.DEAD),
        (PIN, "three", Completeness.DEAD),
        (TIME, "at", Completeness.OPEN),
        (TIME, "three", Completeness.COMPLETE),
        (TIME, "at three thirty", Completeness.CLOSED),
        (TIME, "thirty", Completeness.DEAD),
        (YES, "yes", Completeness.CLOSED),
        (YES, "yes thank", Completeness.OPEN),
        (YES, "yes thank you", Completeness.CLOSED),
    ],
)
def test_completeness_says_whether_more_may_follow(
    grammar: Grammar, text: str, expected: Completeness
) -> None:
    assert grammar.completeness(words(text)) is expected


def test_half_a_phrase_is_open() -> None:
    assert Grammar("x", Words("half past nine")).completeness(["half"]) is Completeness.OPEN


@pytest.mark.parametrize("tail_first", [True, False])
def test_a_node_may_be_a_polite_tail_here_and_required_there(tail_first: bool) -> None:
    please = Words("please")
    polite = Seq((Words("yes"), Tail(please)))
    required = Seq((Words("yes"), please, Words("wait")))
    options = (polite, required) if tail_first else (required, polite)

    assert Grammar("x", Alt(options)).completeness(["yes"]) is Completeness.COMPLETE


def test_a_required_word_after_the_same_word_as_a_tail_is_waited_for() -> None:
    please = Words("please")
    grammar = Grammar("x", Seq((Words("go"), Tail(please), please)))

    assert grammar.completeness(["go"]) is Completeness.OPEN


def test_a_tail_inside_a_sentence_does_not_close_it() -> None:
    grammar = Grammar("x", Seq((Words("go"), Tail(Words("please")), Opt(Words("now")))))

    assert grammar.completeness(["go"]) is Completeness.COMPLETE


# --- limits -----------------------------------------------------------------------------------


def test_words_beyond_the_longest_utterance_are_ignored() -> None:
    grammar = Grammar("long", Repeat(Words("one"), 1, MAX_WORDS))

    assert grammar.parse(["one"] * MAX_WORDS + ["noise"] * 1_000) is not None


def test_an_ambiguous_grammar_stays_cheap() -> None:
    node: Node = Words("a")
    for _ in range(30):
        node = Alt((node, Seq((Opt(node), Opt(node)))))
    grammar = Grammar("ambiguous", node)

    assert grammar.parse(["a"] * 40) is not None
    assert grammar.parse([*["a"] * 40, "b"]) is None


@pytest.mark.parametrize("text", ["", " yes", "Yes", "yes  no", "yes\n"])
def test_a_phrase_that_is_not_normalised_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a normalised phrase"):
        Words(text)


@pytest.mark.parametrize("text", ["a | b", "x;", "</s>", "{tag}", 'say "it"', "and/or", "[noise]"])
def test_a_phrase_cannot_smuggle_signs_into_the_recogniser(text: str) -> None:
    with pytest.raises(ValueError, match="signs"):
        Words(text)


@pytest.mark.parametrize(("least", "most"), [(-1, 2), (3, 2), (0, 0), (1, MAX_WORDS + 1)])
def test_a_repeat_without_sense_is_refused(least: int, most: int) -> None:
    with pytest.raises(ValueError, match="bad repeat"):
        Repeat(Words("one"), least, most)


def test_empty_nodes_are_refused() -> None:
    with pytest.raises(ValueError, match="empty sequence"):
        Seq(())
    with pytest.raises(ValueError, match="no options"):
        Alt(())


# --- JSGF -------------------------------------------------------------------------------------


def test_the_vocabulary_is_every_word() -> None:
    assert YES.vocabulary == {"yes", "thank", "you"}


def test_a_grammar_name_becomes_a_safe_identifier() -> None:
    assert "grammar ask_date_;" in Grammar("ask date!", Words("today")).jsgf


_LEAVES = st.sampled_from([Words("one"), Words("two"), Words("three four")])
_NODES: st.SearchStrategy[Node] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda items: Seq(tuple(items))),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: Alt(tuple(options))),
        inner.map(Opt),
        inner.map(Tail),
        inner.map(lambda item: Tag(item, "k", "v")),
        st.tuples(inner, st.integers(0, 2), st.integers(1, 2)).map(
            lambda made: Repeat(made[0], min(made[1], made[2]), made[2])
        ),
    ),
    max_leaves=6,
)


def _sentence(node: Node, dice: random.Random) -> list[str]:
    """One sentence of the node."""
    match node:
        case Words(text):
            return text.split()
        case Seq(items):
            return [word for item in items for word in _sentence(item, dice)]
        case Alt(options):
            return _sentence(dice.choice(options), dice)
        case Opt(item) | Tail(item):
            return _sentence(item, dice) if dice.random() < 0.5 else []
        case Tag(item):
            return _sentence(item, dice)
        case Repeat(item, least, most):
            times = dice.randint(least, most)
            return [word for _ in range(times) for word in _sentence(item, dice)]


@given(_NODES, st.integers(0, 1_000))
def test_every_sentence_of_a_grammar_is_parsed_and_every_start_is_alive(
    node: Node, seed: int
) -> None:
    grammar = Grammar("any", node)
    sentence = _sentence(node, random.Random(seed))[:MAX_WORDS]

    assert grammar.parse(sentence) is not None
    for length in range(len(sentence)):
        assert grammar.completeness(sentence[:length]) is not Completeness.DEAD
    whole = grammar.completeness(sentence)
    assert whole in (Completeness.COMPLETE, Completeness.CLOSED)


@given(_NODES, st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=5))
def test_completeness_and_parse_agree(node: Node, said: list[str]) -> None:
    grammar = Grammar("any", node)

    whole = grammar.completeness(said) in (Completeness.COMPLETE, Completeness.CLOSED)

    assert whole == (grammar.parse(said) is not None)


_DECODER = pocketsphinx.Decoder(lm=None, dict=None, loglevel="FATAL")


@given(_NODES, st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=5))
def test_what_the_engine_hears_is_what_the_grammar_understands(node: Node, said: list[str]) -> None:
    grammar = Grammar("any grammar", node)
    heard = _DECODER.parse_jsgf(grammar.jsgf)

    assert bool(heard.accept(" ".join(said))) == (grammar.parse(said) is not None)
