"""A configuration file is either exactly what its schema says, or refused with the cure."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from regions.models import Strict
from regions.strict_yaml import MAX_BYTES, ConfigError, key_lines, load_yaml, parse_yaml


class Opening(Strict):
    day: str
    hours: tuple[str, ...] = ()


class Clinic(Strict):
    name: str
    country: str = "DE"
    beds: int = 1
    height: float = 1.0
    open: bool = True
    since: date | None = None
    openings: tuple[Opening, ...] = ()
    lines: dict[str, str] = Field(default_factory=dict)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "clinic.yaml", Clinic)
    return str(caught.value)


def test_a_correct_file_becomes_its_model() -> None:
    clinic = parse_yaml(
        """
name: Ost
country: "NO"
beds: -12
height: 1.5e1
open: false
since: 2026-11-21
openings:
  - {day: monday, hours: ["08:00", 09:30]}
lines: {1: desk, "2": ward}
""",
        "clinic.yaml",
        Clinic,
    )
    assert clinic == Clinic(
        name="Ost",
        country="NO",
        beds=-12,
        height=15.0,
        open=False,
        since=date(2026, 11, 21),
        openings=(Opening(day="monday", hours=("08:00", "09:30")),),
        lines={"1": "desk", "2": "ward"},
    )


@pytest.mark.parametrize("text", ["NO", "no", "on", "Off", "YES"])
def test_norway_must_be_quoted(text: str) -> None:
    words = refusal(f"name: x\ncountry: {text}\n")
    assert words.startswith("clinic.yaml:2: country: ")
    assert f'quote it "{text}"' in words


@pytest.mark.parametrize("key", ["on", "NO", "true", "null", "~"])
def test_a_key_that_yaml_takes_for_a_boolean_must_be_quoted(key: str) -> None:
    words = refusal(f"name: x\nlines:\n  {key}: y\n")
    assert words.startswith("clinic.yaml:3: lines: ")
    assert f'quote it "{key}"' in words


def test_a_number_where_text_is_meant_says_quotes() -> None:
    assert refusal("name: 123\n") == "clinic.yaml:1: name: should be text: put it in quotes"
    assert refusal("name: true\n") == "clinic.yaml:1: name: should be text: put it in quotes"


def test_text_where_a_number_is_meant_is_not_converted() -> None:
    assert refusal('name: x\nbeds: "2"\n') == "clinic.yaml:2: beds: should be a whole number"


@pytest.mark.parametrize("number", ["0123", "-007", "0_1"])
def test_leading_zeros_are_refused(number: str) -> None:
    assert f'quote it "{number}"' in refusal(f"name: {number}\n")


def test_a_duplicate_key_names_both_lines() -> None:
    words = refusal("name: x\nbeds: 1\nname: y\n")
    assert words == "clinic.yaml:3: name: the key is already on line 1: keep one"


def test_an_unknown_key_suggests_the_one_that_was_meant() -> None:
    assert refusal("nmae: x\n").splitlines() == [
        "clinic.yaml:1: name: is missing: add it",
        "clinic.yaml:1: nmae: unknown key: did you mean 'name'?",
    ]
    deep = refusal("name: x\nopenings:\n  - day: monday\n    huors: []\n")
    assert deep == "clinic.yaml:4: openings[0].huors: unknown key: did you mean 'hours'?"


def test_an_unknown_key_that_resembles_nothing_lists_the_keys() -> None:
    words = refusal("name: x\nopenings:\n  - day: monday\n    qqq: 1\n")
    assert words.endswith("openings[0].qqq: unknown key: the keys here are day, hours")


def test_every_problem_is_listed_with_its_line() -> None:
    words = refusal("name: 1\nopenings:\n  - day: 2\n  - day: x\n    hours: 3\n")
    assert words.splitlines() == [
        "clinic.yaml:1: name: should be text: put it in quotes",
        "clinic.yaml:3: openings[0].day: should be text: put it in quotes",
        "clinic.yaml:5: openings[1].hours: should be a list",
    ]


def test_a_long_list_of_problems_is_cut() -> None:
    lines = refusal("name: x\n" + "".join(f"k{i}: 1\n" for i in range(25))).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "clinic.yaml: and 15 more problems"


def test_a_missing_key_points_at_the_mapping_that_lacks_it() -> None:
    words = refusal("name: x\nopenings:\n  - hours: []\n")
    assert words == "clinic.yaml:3: openings[0].day: is missing: add it"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: &a x\n", "anchors are refused"),
        ("name: *a\n", "aliases are refused"),
        ("name: !!python/object:os.system x\n", "the tag"),
        ("name: !!str 12\n", "the tag"),
        ("<<: {name: x}\n", "merge keys are refused"),
        ("name: x\n---\nname: y\n", "a second document"),
        ("[name]: x\n", "a key must be a word"),
        ("- name\n", "should be a mapping"),
        ("", "should be a mapping"),
        ("name: [x\n", "not YAML"),
        ("name: x\n\tbeds: 1\n", "not YAML"),
        ("name: x\x00\n", "not YAML"),
    ],
)
def test_what_is_no_plain_mapping_is_refused(text: str, words: str) -> None:
    message = refusal(text)
    assert message.startswith("clinic.yaml")
    assert words in message


def test_a_bomb_of_brackets_is_refused_before_it_goes_off() -> None:
    assert "nested deeper" in refusal("name: " + "[" * 5_000)


def test_an_endless_number_is_refused_without_reading_it() -> None:
    words = refusal("name: x\nbeds: " + "9" * 100_000)
    assert words == "clinic.yaml:2: beds: should be a whole number"


def test_secrets_are_not_quoted_in_messages() -> None:
    assert "hunter2" not in refusal("name: {password: hunter2}\n")
    assert "hunter2" not in refusal("name: x\nbeds: hunter2\n")


def test_a_file_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "clinic.yaml"
    path.write_text("\ufeffname: Öst\n", encoding="utf-8")
    assert load_yaml(path, Clinic).name == "Öst"


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load_yaml(tmp_path / "nowhere.yaml", Clinic)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_yaml(tmp_path, Clinic)


def test_a_file_larger_than_the_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than 1024 KiB"):
        load_yaml(path, Clinic)


def test_a_file_that_is_not_utf_8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"name: x\ncountry: \xd6\n")
    with pytest.raises(ConfigError, match=r"latin\.yaml:2: not UTF-8"):
        load_yaml(path, Clinic)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        parse_yaml(text, "f", Clinic)
    except ConfigError as error:
        assert str(error).startswith("f:")


def test_the_lines_of_keys_are_told_after_reading(tmp_path: Path) -> None:
    path = tmp_path / "clinic.yaml"
    path.write_text("name: Ost\nopenings:\n  - day: monday\n    hours: [a, b]\n")
    lines = key_lines(path)
    assert lines[("name",)] == 1
    assert lines[("openings", 0)] == 3
    assert lines[("openings", 0, "hours")] == 4
    with pytest.raises(ConfigError, match="cannot be read"):
        key_lines(tmp_path / "none.yaml")
