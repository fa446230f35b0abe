"""How a phone call ended, in words and as an exit status."""

from __future__ import annotations

import pytest

from edge.transport.sip.core.events import EndCause, Ended
from edge.transport.sip.wire.grammar import MAX_PARTS
from edge.transport.sip.wire.message import Headers
from inland.phone.described import Described
from inland.phone.outcome import result, said, why_over
from inland.phone.redirects import redirections


def why(end: Ended, **told: object) -> tuple[str, str]:
    facts: dict[str, object] = {"stopped": None, "answered": False, "rung_out": False, **told}
    return why_over(end, **facts)  # type: ignore[arg-type]


def rejected(status: int, phrase: str = "", **headers: str) -> Ended:
    fields = Headers([(name.replace("_", "-"), value) for name, value in headers.items()])
    return Ended("rejected", status, phrase, fields)


@pytest.mark.parametrize(
    ("end", "told", "code", "words"),
    [
        (rejected(486, "Busy Here"), {}, "busy", "486 Busy Here"),
        (rejected(603, "Decline"), {}, "refused", "603 Decline"),
        (rejected(404, "Not Found"), {}, "unknown_number", "404 Not Found"),
        (rejected(480, "Gone"), {}, "no_answer", "480 Gone"),
        (rejected(488, "Not Acceptable"), {}, "refused", "no codec or encryption is common"),
        (rejected(503, "Full", retry_after="5;x=y"), {}, "unreachable", "try again after 5 s"),
        (rejected(401, "Unauthorized"), {"asked": False}, "refused", "--password-env"),
        (rejected(407, "Proxy"), {"asked": True}, "refused", "does not take these credentials"),
        (Ended("no_response"), {"problem": "no route"}, "unreachable", "no route"),
        (Ended("unreachable"), {"problem": "refused"}, "unreachable", "refused"),
        (Ended("cancelled"), {"rung_out": True}, "no_answer", "--ring"),
        (Ended("cancelled"), {"stopped": "interrupted"}, "interrupted", "keyboard"),
        (Ended("local_bye"), {"stopped": "hangup", "answered": True}, "hangup", "caller hung up"),
        (Ended("remote_bye"), {"answered": True}, "completed", "far end hung up"),
        (Ended("expired"), {"answered": True}, "lost", "RFC 4028"),
        (Ended("local_bye"), {"answered": True, "fault": "no key"}, "lost", "no key"),
        (Ended("cancelled"), {"fault": "no codec"}, "unreachable", "no codec"),
    ],
)
def test_an_end_has_a_code_and_words(
    end: Ended, told: dict[str, object], code: str, words: str
) -> None:
    found, text = why(end, **told)
    assert found == code
    assert words in text


@pytest.mark.parametrize("cause", ["no_ack", "expired", "unreachable", "failed", "replaced"])
def test_every_way_to_lose_a_call_has_words(cause: EndCause) -> None:
    assert why(Ended(cause), answered=True)[1]


def test_a_goodbye_tells_its_reason() -> None:
    end = Ended("remote_bye", headers=Headers([("reason", 'Q.850;cause=16;text="Clearing"')]))
    assert why(end, answered=True) == ("completed", "the far end hung up: Q.850 16 Clearing")


def test_headers_that_cannot_be_read_are_passed_over() -> None:
    many = [("reason", "SIP;cause=500")] * (MAX_PARTS + 1)
    end = Ended("rejected", 500, "Oops", Headers([*many, ("warning", '399 host "look here"')]))
    assert said(end) == "500 Oops, look here"
    assert len(said(rejected(500, "x", reason="y" * 5000))) <= 300


@pytest.mark.parametrize(
    ("code", "answered", "left", "status"),
    [
        ("hangup", True, 0, 0),
        ("completed", True, 0, 0),
        ("completed", True, 2, 5),
        ("interrupted", True, 0, 0),
        ("interrupted", False, 0, 5),
        ("timeout", True, 0, 5),
        ("busy", False, 3, 3),
        ("no_answer", False, 0, 3),
        ("refused", False, 0, 3),
        ("unknown_number", False, 0, 3),
        ("unreachable", False, 0, 4),
        ("lost", True, 0, 4),
        ("silent", True, 0, 4),
    ],
)
def test_exit_statuses(code: str, answered: bool, left: int, status: int) -> None:
    assert result(code, "why", lines_left=left, answered=answered).exit_status == status


def test_the_best_contact_comes_first_and_what_cannot_be_called_is_left_out() -> None:
    contacts = "<sip:a@h>;q=0.2, <sip:b@h>;q=0.9, <tel:1>, <sip:c@h?Subject=x>, <sip:d@h>;q=z"
    end = rejected(302, "Moved", contact=contacts)
    assert [str(uri) for uri in redirections(end)] == ["sip:c@h", "sip:b@h", "sip:a@h", "sip:d@h"]
    assert redirections(rejected(486, contact=contacts)) == ()
    assert redirections(rejected(302, contact="<" * 50)) == ()


SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 4000 {protocol} 0\r\na={direction}\r\n"
)
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + "\r\n"


def test_a_description_says_where_whether_held_and_how_encrypted() -> None:
    plain = SDP.format(protocol="RTP/AVP", direction="sendrecv").encode()
    assert Described.of(plain) == Described("192.0.2.1:4000", held=False, suite="")
    held = SDP.format(protocol="RTP/AVP", direction="sendonly").encode()
    assert Described.of(held) == Described("192.0.2.1:4000", held=True, suite="")
    secure = (SDP.format(protocol="RTP/SAVP", direction="sendrecv") + CRYPTO).encode()
    assert Described.of(secure) == Described(
        "192.0.2.1:4000", held=False, suite="AES_CM_128_HMAC_SHA1_80"
    )
    old = plain.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0")
    described = Described.of(old)
    assert described is not None
    assert described.held


@pytest.mark.parametrize("sdp", [None, b"", b"junk", b"v=0\r\nm=video 4000 RTP/AVP 96\r\n"])
def test_a_description_without_audio_says_nothing(sdp: bytes | None) -> None:
    assert Described.of(sdp) is None
