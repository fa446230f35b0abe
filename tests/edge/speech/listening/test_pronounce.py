"""How words sound."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

import pocketsphinx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.speech.letter_to_sound import spell_out
from edge.speech.pronounce import LETTERS, PHONES, Pronunciations

CMUDICT = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"


@pytest.fixture(scope="module")
def sounds() -> Iterator[Pronunciations]:
    made = Pronunciations(CMUDICT, {"siobhan": "SH IH V AO N"})
    yield made
    made.close()


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("yes", ("Y EH S",)),
        ("o'clock", ("AH K L AA K",)),
        ("'bout", ("B AW T",)),
        ("tomorrow", ("T AH M AA R OW", "T UW M AA R OW")),
    ],
)
def test_the_dictionary_is_read_from_its_first_word_on(
    sounds: Pronunciations, word: str, phones: tuple[str, ...]
) -> None:
    assert sounds.of(word, spelling=False) == phones


def test_every_hundredth_word_of_the_dictionary_is_found(sounds: Pronunciations) -> None:
    lines = [line for line in CMUDICT.read_text().splitlines() if line]
    for line in (*lines[::100], lines[0], lines[-1]):
        word, _, phones = line.partition(" ")
        word = word.partition("(")[0]
        if word not in LETTERS:
            assert phones.strip() in sounds.of(word, spelling=False)


def test_an_agents_own_pronunciation_goes_first(sounds: Pronunciations) -> None:
    assert sounds.of("siobhan", spelling=False) == ("SH IH V AO N",)


def test_a_is_an_article_unless_letters_are_spelt(sounds: Pronunciations) -> None:
    assert sounds.of("a", spelling=True) == ("EY",)
    assert sounds.of("a", spelling=False) == ("AH", "EY")


def test_every_letter_has_a_name_that_the_model_can_hear() -> None:
    assert set(LETTERS) == set(string.ascii_lowercase)
    assert all(set(name.split()) <= PHONES for names in LETTERS.values() for name in names)


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("zweibrucken", "Z W AY B R AH K AH N"),
        ("follow-up-xqz", "F AA L OW AH P K S K Z"),
        ("müller's2", "M Y UW L ER Z T UW"),
    ],
)
def test_words_without_an_entry_are_sounded_out(
    sounds: Pronunciations, word: str, phones: str
) -> None:
    [heard] = sounds.of(word, spelling=False)

    assert set(heard.split()) <= PHONES
    assert abs(len(heard.split()) - len(phones.split())) <= 2


def test_signs_alone_cannot_be_pronounced(sounds: Pronunciations) -> None:
    with pytest.raises(ValueError, match="nothing to pronounce"):
        sounds.of("—", spelling=False)


def test_a_lexicon_with_unknown_phones_is_refused() -> None:
    for phones in ("SH QQ", ""):
        with pytest.raises(ValueError, match="siobhan"):
            Pronunciations(CMUDICT, {"siobhan": phones})


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("riverside", "R IH V ER S AY D"),
        ("schwartz", "SH W AA R T S"),
        ("knight", "N AY T"),
        ("phones", "F OW N Z"),
        ("station", "S T EY SH AH N"),
        ("patel", "P AE T AH L"),
        ("kowalski", "K AA W AE L S K IY"),
    ],
)
def test_spelling_rules_sound_out_names(word: str, phones: str) -> None:
    assert " ".join(spell_out(word)) == phones


@given(st.text(string.ascii_lowercase, min_size=1, max_size=64))
def test_any_letters_become_phones_of_the_model(word: str) -> None:
    assert set(spell_out(word)) <= PHONES


def _distance(left: list[str], right: list[str]) -> int:
    row = list(range(len(right) + 1))
    for i, phone in enumerate(left, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (phone != other))
    return row[-1]


def test_the_rules_get_four_of_five_phones_of_the_dictionary_right() -> None:
    words: dict[str, list[list[str]]] = {}
    for line in CMUDICT.read_text().splitlines():
        word, _, phones = line.partition(" ")
        words.setdefault(word.partition("(")[0], []).append(phones.split())
    sample = [word for word in words if word.isalpha() and len(word) > 2][::97]

    wrong = total = 0
    for word in sample:
        said = spell_out(word)
        best = min(words[word], key=lambda known: _distance(known, said))
        wrong += _distance(best, said)
        total += len(best)
    assert wrong / total < 0.20
