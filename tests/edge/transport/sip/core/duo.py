"""Two user agents on one simulated network, and owners that write down what they are told."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from edge.transport.sip.core.agent import AgentCore
from edge.transport.sip.core.events import Ended, SessionEvent
from edge.transport.sip.core.flow import Address, Destination, Transport
from edge.transport.sip.core.session import Session
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.wire.message import Headers, Request, Response
from edge.transport.sip.wire.values import NameAddr
from tests.fakes.sip_net import SipNet, describe

OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"
ANSWER = b"v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\n"
HOLD = b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\na=sendonly\r\n"
HELD = b"v=0\r\no=- 2 2 IN IP4 192.0.2.2\r\na=recvonly\r\n"
ALICE: Address = ("192.0.2.1", 5060)
BOB: Address = ("192.0.2.2", 5060)

_Event = TypeVar("_Event", bound=SessionEvent)


class Owner:
    """Hears one session. ``react`` sees each event after it was written down."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: list[SessionEvent] = []
        self.react: Callable[[SessionEvent], None] = lambda event: None
        session.on_event = self._hear

    def _hear(self, event: SessionEvent) -> None:
        assert self.end is None, "nothing comes after Ended"
        self.events.append(event)
        self.react(event)

    @property
    def end(self) -> Ended | None:
        """How it ended, if it has."""
        last = self.events[-1] if self.events else None
        return last if isinstance(last, Ended) else None

    def all(self, kind: type[_Event]) -> list[_Event]:
        """Every event of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind: type[_Event]) -> _Event:
        """The only event of one kind."""
        found = self.all(kind)
        assert len(found) == 1, self.events
        return found[0]


class Agent:
    """An AgentCore at an address. ``behave`` is given each session that comes in."""

    def __init__(
        self, net: SipNet, address: Address, settings: AgentSettings | None = None, seed: int = 1
    ) -> None:
        self.node = net.node(*address)
        self.address = address
        self.calls: list[Owner] = []
        self.behave: Callable[[Owner], None] = lambda owner: None
        self.core = AgentCore(
            clock=net.clock,
            timers=self.node.timers,
            send=self.node.send,
            local=self.node.local,
            contact=self._contact,
            user_agent="test",
            rng=random.Random(f"{address}{seed}"),
            settings=settings,
        )
        self.core.on_invite = self._invited
        self.node.attach(self.core)

    @property
    def uri(self) -> str:
        return f"sip:{self.address[0]}:{self.address[1]}"

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left."""
        return not self.core.sessions and not self.core.transactions and not len(self.node.timers)

    def invite(
        self,
        other: Agent,
        sdp: bytes | None = OFFER,
        *,
        transport: Transport = "udp",
        **more: Any,
    ) -> Owner:
        """Call ``other``."""
        named = {
            "destination": Destination(transport, *other.address),
            "from_": NameAddr(self.uri),
            **more,
        }
        return Owner(self.core.invite(f"sip:bob@{other.address[0]}", sdp=sdp, **named))

    def heard(self, what: str) -> list[Request | Response]:
        """The messages that arrived here, by their description."""
        return [message for message in self.node.heard if describe(message) == what]

    def _contact(self, destination: Destination) -> str:
        suffix = "" if destination.transport == "udp" else f";transport={destination.transport}"
        return f"{self.uri}{suffix}"

    def _invited(self, session: Session) -> None:
        owner = Owner(session)
        self.calls.append(owner)
        self.behave(owner)


class Duo:
    """Alice calls Bob. Unless told otherwise Bob rings and accepts."""

    def __init__(
        self,
        net: SipNet | None = None,
        alice: AgentSettings | None = None,
        bob: AgentSettings | None = None,
        seed: int = 1,
    ) -> None:
        self.net = net or SipNet()
        self.alice = Agent(self.net, ALICE, alice, seed)
        self.bob = Agent(self.net, BOB, bob, seed)
        self.bob.behave = accepts

    def established(self, **more: Any) -> tuple[Owner, Owner]:
        """A call that stands, and everything quiet about it."""
        ours = self.alice.invite(self.bob, **more)
        self.net.run(1.0)
        theirs = self.bob.calls[-1]
        assert ours.session.state == theirs.session.state == "confirmed", (ours, theirs)
        return ours, theirs

    def finish(self) -> None:
        """Let everything come to rest, and see that nothing is left."""
        self.net.run()
        for agent in (self.alice, self.bob):
            assert agent.is_clean, (
                agent.core.sessions,
                agent.core.transactions,
                len(agent.node.timers),
            )


def accepts(owner: Owner) -> None:
    """Ring and accept."""
    owner.session.ring()
    owner.session.accept(ANSWER)


def wire(
    method: str,
    uri: str = "sip:bob@192.0.2.2",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    branch: str = "z9hG4bKhand",
    call_id: str = "by-hand",
    to: str = "<sip:bob@192.0.2.2>",
    from_: str = "<sip:hand@192.0.2.9>;tag=hand",
    cseq: int = 1,
    contact: str | None = "<sip:hand@192.0.2.9:5060>",
) -> bytes:
    """A request made by hand at 192.0.2.9; ``headers`` come after the usual ones."""
    fields = [
        ("via", f"SIP/2.0/UDP 192.0.2.9:5060;branch={branch}"),
        ("from", from_),
        ("to", to),
        ("call-id", call_id),
        ("cseq", f"{cseq} {method}"),
    ]
    if contact is not None:
        fields.append(("contact", contact))
    return Request(method, uri, headers=Headers([*fields, *headers]), body=body).encode()
