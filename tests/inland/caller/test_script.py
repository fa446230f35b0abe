"""Scripts in both forms, and what is said of the wrong ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.caller.errors import ScriptError
from inland.caller.script import (
    BargeIn,
    HangUp,
    Pause,
    PlayFile,
    Script,
    Speak,
    TypeIn,
    load_script,
    parse_plain,
)
from inland.caller.script_yaml import parse_yaml

PLAIN = """\
# a booking
!repeat 2
i would  like to book
!barge 400ms wait   please
!type next tuesday
!wait 1.5s
your name => my name is kerr
did you (say|mean) *=> yes
!hangup
"""

YAML = """\
repeat: 2
lines:
  - i would like to book
  - barge: wait please
    after: 400ms
  - type: next tuesday
  - wait: 1.5s
  - hangup
rules:
  - when: your name
    say: my name is kerr
  - when: did you (say|mean)
    say: "yes"
    repeat: true
"""


def plain(text: str) -> Script:
    return parse_plain(text, Path("a.txt"))


def yaml(text: str) -> Script:
    return parse_yaml(text, Path("a.yaml"))


def test_a_plain_script_has_lines_and_rules() -> None:
    script = plain(PLAIN)
    assert script.lines == (
        Speak("i would like to book"),
        BargeIn(0.4, "wait please"),
        TypeIn("next tuesday"),
        Pause(1.5),
        HangUp(),
    )
    assert [(rule.pattern.pattern, rule.repeat) for rule in script.rules] == [
        ("your name", False),
        ("did you (say|mean)", True),
    ]
    assert script.repeats == 2


def test_both_forms_mean_the_same() -> None:
    assert yaml(YAML) == plain(PLAIN)


def test_patterns_ignore_case() -> None:
    assert plain("your NAME => kerr").rules[0].pattern.search("What is Your Name?")


def test_an_empty_script_says_nothing() -> None:
    assert plain("") == yaml("") == Script()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n!dance now", r"a\.txt:2: !dance is not a directive"),
        ("\n\n( => yes", r"a\.txt:3: .* is not a regular expression"),
        ("=> yes", r"a\.txt:1: a rule needs a pattern"),
        ("name =>", r"a\.txt:1: there are no words"),
        ("name => !wait 2s", r"a\.txt:1: a rule answers with"),
        ("!barge soon stop", r"a\.txt:1: 'soon' is not a time"),
        ("!barge 400ms", r"a\.txt:1: there are no words"),
        ("!wav nothing.wav", r"a\.txt:1: there is no file nothing\.wav"),
        ("!press 1x", r"a\.txt:1: '1x' are not keys of a telephone"),
        ("!press", r"a\.txt:1: '' are not keys"),
        ("!press " + "1" * 33, r"a\.txt:1: more than 32 keys"),
        ("!wav", r"a\.txt:1: there is no file to play"),
        ("!hangup now", r"a\.txt:1: !hangup takes nothing"),
        ("!repeat often", r"a\.txt:1: repeat takes a number"),
        ("!repeat 99", r"a\.txt:1: repeat takes a number"),
        ("x " * 300, r"a\.txt:1: longer than 500"),
        ("x\n" * 1001, r"a\.txt:1001: more than 1000 lines"),
    ],
)
def test_a_wrong_plain_script_names_file_and_line(text: str, message: str) -> None:
    with pytest.raises(ScriptError, match=message) as caught:
        plain(text)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lines: [a, b", r"a\.yaml:\d: not YAML"),
        ("lines:\n  - a\nrule: []", r"a\.yaml:3: unknown key 'rule'"),
        ("lines: a", r"a\.yaml:1: a list belongs here"),
        ("lines:\n  - say: a\n    type: b", r"a\.yaml:2: exactly one of"),
        ("lines:\n  - shout: a", r"a\.yaml:2: unknown key 'shout'"),
        ("lines:\n  - say: a\n    after: 1s", r"a\.yaml:3: 'after' belongs to 'barge'"),
        ("lines:\n  - say: [a]", r"a\.yaml:2: text belongs here"),
        ("lines:\n  - say: ''", r"a\.yaml:2: there are no words"),
        ("rules:\n  - say: a", r"a\.yaml:2: a rule needs 'when'"),
        ("rules:\n  - when: '('\n    say: a", r"a\.yaml:2: .* is not a regular expression"),
        ("rules:\n  - when: a\n    wait: 1s", r"a\.yaml:2: a rule answers with"),
        ("rules:\n  - when: a\n    say: b\n    repeat: maybe", r"a\.yaml:4: repeat is true or"),
        ("repeat: x", r"a\.yaml:1: repeat takes a number"),
        ("lines: []\nlines: []", r"a\.yaml:2: 'lines' is here twice"),
        ("- a", r"a\.yaml:1: keys and values belong here"),
        ("a: !!python/object:os.system {}", r"a\.yaml:1: unknown key 'a'"),
    ],
)
def test_a_wrong_yaml_script_names_file_and_line(text: str, message: str) -> None:
    with pytest.raises(ScriptError, match=message):
        yaml(text)


def test_sound_files_are_found_beside_the_script(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "s.txt").write_text("!wav a.wav")
    (tmp_path / "s.yml").write_text("lines: [{wav: a.wav}]")
    wanted = (PlayFile(tmp_path / "a.wav"),)
    assert load_script(tmp_path / "s.txt").lines == wanted
    assert load_script(tmp_path / "s.yml").lines == wanted


def test_a_missing_or_binary_script_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="No such file"):
        load_script(tmp_path / "none.txt")
    (tmp_path / "b.txt").write_bytes(b"hello\n\xff\xfe")
    with pytest.raises(ScriptError, match=r"b\.txt:2: not UTF-8"):
        load_script(tmp_path / "b.txt")
    (tmp_path / "big.txt").write_text("# " + "x" * 300_000)
    with pytest.raises(ScriptError, match="larger than"):
        load_script(tmp_path / "big.txt")


@given(st.text(max_size=200))
def test_any_text_is_a_script_or_an_error_with_a_line(text: str) -> None:
    for parse, name in ((plain, "a.txt"), (yaml, "a.yaml")):
        try:
            assert isinstance(parse(text), Script)
        except ScriptError as error:
            assert re.match(rf"{name}:\d+: ", str(error))
