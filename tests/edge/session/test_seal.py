"""A sealed entry opens in its place, for its class, in its session: nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.session.errors import SealError
from edge.session.keyring import SEALED, one_key
from edge.session.seal import Sealer, new_data_key
from regions.models import DataClass
from tests.edge.session.parts import OTHER, tag_for

KEY = new_data_key()
SEALER = Sealer(one_key(KEY, tag_for()), "reception")
ENTRY = SEALER.seal(DataClass.TRANSCRIPT, "turn", 3, b"words")


@given(st.binary(max_size=300), st.sampled_from(SEALED), st.integers(1, 9))
def test_what_is_sealed_opens_again(plain: bytes, data_class: DataClass, number: int) -> None:
    sealed = SEALER.seal(data_class, "turn", number, plain)
    assert SEALER.open(data_class, "turn", number, sealed) == plain


def test_the_words_do_not_show_and_no_two_seals_are_alike() -> None:
    assert b"words" not in ENTRY
    assert SEALER.seal(DataClass.TRANSCRIPT, "turn", 3, b"words") != ENTRY


@pytest.mark.parametrize(
    ("data_class", "kind", "place"),
    [
        (DataClass.VARIABLES, "turn", 3),  # the wrong class
        (DataClass.TRANSCRIPT, "state", 3),  # the wrong kind
        (DataClass.TRANSCRIPT, "turn", 4),  # replayed as another turn
        (DataClass.TRANSCRIPT, "turn", "3x"),
    ],
)
def test_an_entry_does_not_open_in_another_place(
    data_class: DataClass, kind: str, place: int | str
) -> None:
    with pytest.raises(SealError):
        SEALER.open(data_class, kind, place, ENTRY)


def test_an_entry_does_not_open_in_another_session_or_under_a_rewritten_tag() -> None:
    for tag in (
        tag_for(OTHER),
        tag_for(regions=("eu-west-1",)),
        tag_for().model_copy(update={"jurisdictions": ("in",)}),
        tag_for().model_copy(update={"policy": "2026-11-22.1#0123456789ab"}),
    ):
        with pytest.raises(SealError):
            Sealer(one_key(KEY, tag), "reception").open(DataClass.TRANSCRIPT, "turn", 3, ENTRY)


def test_an_entry_does_not_open_for_another_agent() -> None:
    with pytest.raises(SealError):
        Sealer(one_key(KEY, tag_for()), "sales").open(DataClass.TRANSCRIPT, "turn", 3, ENTRY)


def test_an_entry_does_not_open_under_another_data_key() -> None:
    with pytest.raises(SealError):
        Sealer(one_key(new_data_key(), tag_for()), "reception").open(
            DataClass.TRANSCRIPT, "turn", 3, ENTRY
        )


def test_an_entry_cut_short_or_changed_does_not_open() -> None:
    for length in range(len(ENTRY)):
        with pytest.raises(SealError):
            SEALER.open(DataClass.TRANSCRIPT, "turn", 3, ENTRY[:length])
    for position in range(len(ENTRY)):
        changed = bytearray(ENTRY)
        changed[position] ^= 0x80
        with pytest.raises(SealError):
            SEALER.open(DataClass.TRANSCRIPT, "turn", 3, bytes(changed))


def test_a_digest_tells_repeats_from_rewrites_and_needs_the_key() -> None:
    digest = SEALER.digest(DataClass.TRANSCRIPT, "turn", 3, b"words")
    assert digest == Sealer(one_key(KEY, tag_for()), "reception").digest(
        DataClass.TRANSCRIPT, "turn", 3, b"words"
    )
    assert digest != SEALER.digest(DataClass.TRANSCRIPT, "turn", 3, b"other words")
    assert digest != SEALER.digest(DataClass.TRANSCRIPT, "turn", 4, b"words")
    assert digest != Sealer(one_key(new_data_key(), tag_for()), "reception").digest(
        DataClass.TRANSCRIPT, "turn", 3, b"words"
    )
