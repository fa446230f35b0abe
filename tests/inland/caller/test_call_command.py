"""The command line: options in order, errors with the right status, help that tells all."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from inland.caller.errors import RefusedError
from inland.caller.options import (
    CallOptions,
    Drill,
    default_control_plane,
    default_key,
    parse_drill,
)
from inland.caller.script import PlayFile, Speak, TypeIn
from inland.commands import call


def parse(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="inland call")
    call.configure(parser)
    return parser.parse_args(argv)


def test_what_is_said_keeps_its_order(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "s.txt").write_text("from the script\nname => kerr\n!repeat 2")
    arguments = parse(
        "--say", "one", "--wav", str(tmp_path / "a.wav"), "--type", "two",
        "--script", str(tmp_path / "s.txt"), "--say", "three",
    )  # fmt: skip
    script = call._script(arguments.steps)
    assert script.lines == (
        Speak("one"),
        PlayFile(tmp_path / "a.wav"),
        TypeIn("two"),
        Speak("from the script"),
        Speak("three"),
    )
    assert (len(script.rules), script.repeats) == (1, 2)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--from", "germany"], "--from"),
        (["--agent", "No Such"], "--agent"),
        (["--edge", "http://127.0.0.1:1"], "--edge and --token"),
        (["--control-plane", "localhost"], "--control-plane"),
        (["--timeout", "0"], "--timeout"),
        (["--drill", "explode"], "--drill"),
        (["--drill", "cut-edge@1", "--no-reconnect"], "--no-reconnect"),
        (["--say", "  "], "--say"),
        (["--wav", "/nowhere.wav"], "--wav"),
        (["--script", "/nowhere.txt"], "/nowhere.txt"),
        (["--record", "/nowhere/at/all.wav"], "--record"),
        (["--voice", "siri"], "siri"),
    ],
)
def test_a_wrong_option_is_status_2_and_named(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call.run(parse(*argv)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1


def test_nobody_at_the_control_plane_is_status_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert call.run(parse("--control-plane", "http://127.0.0.1:9")) == 4
    assert "the control plane at http://127.0.0.1:9" in capsys.readouterr().err


def test_a_refusal_is_told_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    error = RefusedError("no_region_allowed", "nowhere")
    assert call._refused(error, as_json=True) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["record"], told["code"]) == ("refused", "no_region_allowed")
    assert call._refused(error, as_json=False) == 3
    assert "nowhere (no_region_allowed)" in capsys.readouterr().out


def test_the_help_shows_the_script_and_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    text = capsys.readouterr().out
    for word in ("!barge", "=>", "exit status", "INLAND_KEY", "--record"):
        assert word in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_the_environment_names_control_plane_and_key() -> None:
    environment = {"INLAND_CONTROL_PLANE": "http://cp", "INLAND_KEY": "sk_1"}
    assert default_control_plane(environment) == "http://cp"
    assert default_key(environment) == "sk_1"
    assert default_control_plane({}).startswith("http://127.0.0.1")
    assert default_key({}).endswith("local_only")


def test_drills() -> None:
    assert parse_drill("cut-edge@2") == Drill("cut-edge", 2)
    assert parse_drill("kill-worker@1") == Drill("kill-worker", 1)
    for wrong in ("cut-edge", "cut-edge@0", "cut-edge@x", "@1"):
        with pytest.raises(ValueError, match="--drill"):
            parse_drill(wrong)


def test_a_country_is_written_in_capitals() -> None:
    assert parse("--from", "in").country == "IN"
    with pytest.raises(ValueError, match="--from"):
        CallOptions(country="in")
