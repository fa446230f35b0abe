"""What is told of a far end that describes its media anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

from edge.transport.sip.core.events import Agreed, Answered, Offered
from edge.transport.sip.wire.message import Headers
from inland.phone.records import Held, PhoneAnswered, PhoneRecord
from inland.phone.talk import PhoneTalk
from inland.phone.telephone import PhoneLine
from inland.phone.watch import LineWatch


@dataclass
class Talk:
    """Notes what it is asked for."""

    now: float = 1.0
    asked: list[str] = field(default_factory=list)

    def pause(self) -> None:
        self.asked.append("pause")

    def go_on(self) -> None:
        self.asked.append("go on")

    def moved(self, before: str, after: str) -> None:
        self.asked.append(f"{before} to {after}")


def described(port: int, direction: str = "sendrecv", host: str = "192.0.2.1") -> bytes:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na={direction}\r\n"
    ).encode()


class Watched:
    """A call that was answered with media at port 4000."""

    def __init__(self) -> None:
        self.talk = Talk()
        self.records: list[PhoneRecord] = []
        codec = SimpleNamespace(receiver=SimpleNamespace(codec=SimpleNamespace(name="pcmu")))
        self.line = SimpleNamespace(fault="", leg=SimpleNamespace(encrypted=False, media=codec))
        self.watch = LineWatch(
            cast(PhoneLine, self.line), cast(PhoneTalk, self.talk), self.records.append
        )
        self.talk.now = 1.25
        self.watch.happened(Answered(described(4000), Headers([])))


def test_an_answer_tells_how_long_it_took_and_where_the_media_is() -> None:
    (answered,) = Watched().records
    assert answered == PhoneAnswered(1.25, 250.0, "pcmu", "", "192.0.2.1:4000")


def test_another_address_is_a_move_and_the_same_one_is_none() -> None:
    watched = Watched()
    watched.watch.happened(Offered(described(4000)))
    assert watched.talk.asked == []
    watched.watch.happened(Offered(described(4002)))
    assert watched.talk.asked == ["192.0.2.1:4000 to 192.0.2.1:4002"]


def test_a_hold_of_old_is_a_hold_and_no_move() -> None:
    watched = Watched()
    watched.watch.happened(Offered(described(4000, host="0.0.0.0")))
    assert watched.talk.asked == ["pause"]
    assert watched.records[1:] == [Held(1.25, "agent", True)]
    watched.watch.happened(Offered(described(4000, "inactive")))
    assert watched.talk.asked == ["pause"], "told once"
    watched.watch.happened(Offered(described(4000)))
    assert watched.talk.asked == ["pause", "go on"]


def test_an_answer_to_our_hold_is_no_hold_of_theirs() -> None:
    watched = Watched()
    watched.watch.happened(Agreed(described(4000, "recvonly")))
    assert watched.records[1:] == []


def test_nothing_is_told_of_a_call_that_we_ended_for_its_description() -> None:
    watched = Watched()
    watched.line.fault = "no codec in common"
    watched.watch.happened(Offered(described(4002)))
    assert watched.talk.asked == []
