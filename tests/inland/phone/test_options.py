"""What may be asked of a telephone, and of an agent that is to telephone."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from edge.transport.sip.net.settings import PeerTls
from inland.caller.script import Press, Script, Speak, parse_plain
from inland.commands import call
from inland.phone.command import order_options, phone_options
from inland.phone.forms import BELONGS, check_options, form_of
from inland.phone.options import CODECS, PhoneOptions, check_script, credentials

TARGET = "sip:clinic@127.0.0.1"


def parse(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="inland call")
    call.configure(parser)
    return parser.parse_args(argv)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([TARGET, "--type", "hello"], "--type"),
        ([TARGET, "--drill", "cut-edge@1"], "--drill belongs to a call without a target"),
        ([TARGET, "--no-reconnect"], "--no-reconnect"),
        ([TARGET, "--from", "DE"], "--from"),
        ([TARGET, "--caller-id", "1"], "--caller-id belongs to an ordered call"),
        ([TARGET, "--ca", "/nowhere.pem"], "--ca"),
        ([TARGET, "--insecure"], "--insecure"),
        (["sips:x@y", "--ca", __file__, "--insecure"], "contradict"),
        ([TARGET, "--user", "u"], "--password-env"),
        ([TARGET, "--user", "u", "--password-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE"),
        ([TARGET, "--as", "a b"], "--as"),
        ([TARGET, "--press", "1x"], "--press"),
        ([TARGET, "--ring", "0"], "--ring"),
        ([TARGET, "--timeout", "0"], "--timeout"),
        ([TARGET, "--hold-after", "-1"], "--hold-after"),
        (["sip:"], "cannot be called"),
        (["sip:x@y;transport=sctp"], "transport is one of udp, tcp, tls"),
        (["+493023125001"], "needs --trunk"),
        (["--trunk", "carrier"], "whom to call"),
        (["+49302", "--trunk", "Not A Name"], "--trunk"),
        (["+49302", "--trunk", "t", "--caller-id", "a b"], "--caller-id"),
        (["+49302", "--trunk", "t", "--ring", "2"], "--ring"),
        (["+49302", "--trunk", "t", "--say", "x"], "--say, --wav, --type, --press and --script"),
        (["+49302", "--trunk", "t", "--edge", "http://127.0.0.1:1"], "--edge and --token"),
        (["--srtp", "off"], "--srtp belongs to a phone call"),
        (["--codec", "g722"], "--codec"),
        (["--ring", "10"], "--ring"),
    ],
)
def test_what_cannot_be_is_status_2_and_named(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call.run(parse(*argv)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1


def test_every_option_that_belongs_somewhere_exists() -> None:
    given = vars(parse())
    assert set(BELONGS) <= set(given)
    for form in ("browser", "telephone", "order"):
        check_options(form, given)


def test_the_target_says_what_kind_of_call_it_is() -> None:
    assert form_of(None, None) == "browser"
    assert form_of("sip:a@b", None) == "telephone"
    assert form_of("SIPS:a@b", None) == "telephone"
    assert form_of("+4930", "carrier") == "order"
    assert form_of("sip:a@b", "carrier") == "order"


def test_all_codecs_are_offered_unless_one_is_asked_for() -> None:
    assert phone_options(parse(TARGET), {}).codecs == CODECS
    assert phone_options(parse(TARGET, "--codec", "pcma"), {}).codecs == ("pcma",)


def test_the_caller_is_who_logs_in_unless_said_otherwise() -> None:
    login = ("--user", "100", "--password-env", "PW")
    options = phone_options(parse(TARGET, *login), {"PW": "secret"})
    assert options.caller == "100"
    assert options.credentials is not None
    assert options.credentials.password == "secret"
    assert phone_options(parse(TARGET, *login, "--as", "+49"), {"PW": "x"}).caller == "+49"
    assert phone_options(parse(TARGET), {}).caller == "caller"
    assert credentials(None, None, {}) is None


def test_a_password_is_not_in_the_options_repr() -> None:
    options = phone_options(parse(TARGET, "--user", "u", "--password-env", "P"), {"P": "hush"})
    assert "hush" not in repr(options)


def test_certificates_are_checked_unless_said_otherwise() -> None:
    assert phone_options(parse("sips:a@b"), {}).tls is None
    assert phone_options(parse("sips:a@b", "--insecure"), {}).tls == PeerTls(verify=False)
    own = phone_options(parse("sip:a@b;transport=tls", "--ca", __file__), {}).tls
    assert own == PeerTls(ca=Path(__file__))


def test_an_order_says_whom_by_what_and_for_how_long() -> None:
    options = order_options(
        parse("+493023125001", "--trunk", "carrier", "--ring", "30", "--from", "DE"), {}
    )
    order = options.order
    assert (order.to, order.trunk, order.caller_id, order.ring_seconds) == (
        "+493023125001",
        "carrier",
        None,
        30,
    )
    assert (options.call.country, options.call.agent) == ("DE", "clinic-reception")


@pytest.mark.parametrize(
    ("text", "message"),
    [("name => kerr", "a telephone shows none"), ("!repeat 2", "!repeat"), ("!type x", "!type")],
)
def test_a_script_that_needs_the_agents_words_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_script(parse_plain(text, Path("s.txt")))


def test_keys_may_stand_in_a_script() -> None:
    script = parse_plain("hello\n!press 12#", Path("s.txt"))
    assert script == Script((Speak("hello"), Press("12#")))
    check_script(script)


def test_a_number_is_no_target_of_a_telephone() -> None:
    with pytest.raises(ValueError, match="cannot be called"):
        PhoneOptions(target="tel:+4930")
