"""The whole endpoint over real sockets on loopback."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network

import pytest

from edge.transport.sip.core.flow import Destination, Transport
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.net.errors import BindError
from edge.transport.sip.net.settings import Limits, ListenSettings
from edge.transport.sip.wire.message import Request, Response
from tests.edge.transport.sip.net.desk import (
    LOOPBACK,
    Desk,
    NoDns,
    datagrams,
    needs_ipv6,
    options,
    options_headers,
)
from tests.edge.transport.sip.net.hostile import HOSTILE
from tests.fakes.clock import FakeClock

BOTH = ListenSettings(udp=((LOOPBACK, 0),), tcp=((LOOPBACK, 0),))
BOTH_6 = ListenSettings(udp=(("::1", 0),), tcp=(("::1", 0),))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_one_endpoint_asks_another_and_is_answered(transport: Transport) -> None:
    async with Desk(BOTH) as here, Desk(BOTH) as there:
        answer = await here.ask(Destination(transport, *there.address(transport)))
        assert isinstance(answer, Response)
        assert answer.status == 200
        seen = there.seen[0]
        assert isinstance(seen, Request)
        assert (seen.via.host, seen.via.port) == here.address(transport)


@needs_ipv6
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_ipv6_is_spoken_like_ipv4(transport: Transport) -> None:
    async with Desk(BOTH_6) as here, Desk(BOTH_6) as there:
        answer = await here.ask(Destination(transport, *there.address(transport)))
        assert isinstance(answer, Response)
        assert answer.via.host == "::1"


@pytest.mark.parametrize("kind", HOSTILE)
async def test_the_listener_still_answers_after_one_bad_datagram(kind: str) -> None:
    async with Desk(BOTH) as desk, datagrams() as phone:
        phone.send(HOSTILE[kind], desk.address())
        phone.send(options(branch="z9hG4bKafter", call_id="after"), desk.address())
        while b"z9hG4bKafter" not in (heard := await phone.hear()):
            pass  # a 400 to the bad one
        assert heard.startswith(b"SIP/2.0 200 ")
        assert desk.endpoint.intake.counts.faults == 0


async def test_a_fault_of_our_own_is_counted_and_the_listener_still_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Desk(BOTH) as desk, datagrams() as phone:
        desk.raises = True
        for _ in range(5):
            phone.send(options(), desk.address())
        while desk.endpoint.intake.counts.faults < 5:
            phone.send(options(), desk.address())
            await asyncio.sleep(0)
        desk.raises = False
        phone.send(options(), desk.address())
        assert (await phone.answer()).status == 200
    assert len(caplog.records) <= 4, "the first is written, the second, the fourth, and so on"
    assert "broken on purpose" not in caplog.text


async def test_a_broken_timer_does_not_stop_the_others() -> None:
    async with Desk(BOTH, FakeClock()) as desk:
        rang: list[int] = []

        def broken() -> None:
            raise RuntimeError("broken on purpose")

        assert isinstance(desk.clock, FakeClock)
        desk.timers.after(1.0, broken)
        desk.timers.after(1.0, lambda: rang.append(1))
        desk.clock.advance(1.0)
        desk.endpoint.timer_loop.run()
        desk.endpoint.timer_loop.run()
        assert rang == [1]
        assert desk.endpoint.timer_loop.faults == 1


async def test_a_source_above_its_rate_is_not_answered_and_another_is() -> None:
    settings = replace(
        BOTH, limits=Limits(source_rate=1, source_burst=3), trusted=(ip_network("127.0.0.2"),)
    )
    async with Desk(settings, FakeClock()) as desk, datagrams() as loud:
        async with datagrams("127.0.0.2") as trunk:
            for number in range(50):
                loud.send(options(branch=f"z9hG4bK{number}"), desk.address())
            trunk.send(options(branch="z9hG4bKtrunk"), desk.address())
            assert (await trunk.answer()).via.branch == "z9hG4bKtrunk"
        assert len(desk.seen) == 4
        assert desk.endpoint.budgets.refused == 47


async def test_a_datagram_that_cannot_be_sent_fails_its_request_and_raises_nothing() -> None:
    async with Desk(BOTH) as desk:
        nobody = Destination("udp", "255.255.255.255", 5060)
        assert await desk.ask(nobody) == "transport"
        huge = await desk.ask(Destination("udp", LOOPBACK, 9), subject="x" * 70_000)
        assert huge == "transport"
        assert desk.endpoint.outbox.problem(nobody) is not None


async def test_a_family_that_is_not_listened_on_is_said() -> None:
    async with Desk(BOTH) as desk:
        there = Destination("udp", "::1", 5060)
        assert await desk.ask(there) == "transport"
        problem = desk.endpoint.outbox.problem(there)
        assert problem is not None
        assert problem.code == "no_socket"


async def test_a_port_that_is_taken_is_named_and_nothing_stays_bound() -> None:
    async with Desk(BOTH) as desk:
        taken = desk.address("tcp")
        settings = ListenSettings(udp=((LOOPBACK, 0),), tcp=(taken,))
        late = Desk(settings)
        with pytest.raises(BindError, match=f"port {taken[1]} on 127.0.0.1: is used by another"):
            late.endpoint.start()
        assert all(each.send(b"x", taken) == "no_socket" for each in late.endpoint.sockets)


async def test_a_stopped_endpoint_leaves_no_task_and_takes_no_more() -> None:
    before = asyncio.all_tasks()
    async with Desk(BOTH, lookup=Silent()) as desk:
        desk.endpoint.send(Destination("tcp", "slow.example.com"), options("TCP"))
        await asyncio.sleep(0)
        assert len(desk.endpoint.outbox) == 1
    assert asyncio.all_tasks() == before
    desk.endpoint.send(Destination("tcp", "slow.example.com"), options("TCP"))
    desk.endpoint.send(Destination("udp", LOOPBACK, 9), options())
    assert len(desk.endpoint.connections) == 0


class Silent(NoDns):
    """DNS that never answers."""

    async def addresses(self, host: str) -> list[str]:
        await asyncio.Event().wait()
        return []


async def test_what_waits_for_one_destination_is_bounded_and_so_are_the_destinations() -> None:
    limits = Limits(waiting_bytes=2_000, waiting_destinations=3)
    async with Desk(replace(BOTH, limits=limits), lookup=Silent()) as desk:
        slow = Destination("udp", "slow.example.com")
        for _ in range(20):
            desk.endpoint.send(slow, options())
        lost = desk.endpoint.outbox.lost
        assert 10 < lost < 20
        for number in range(5):
            desk.endpoint.send(Destination("udp", f"n{number}.example.com"), options())
        assert len(desk.endpoint.outbox) == 3
        assert desk.endpoint.outbox.lost == lost + 3
        assert await desk.ask(slow, subject="x" * 2_000) == "transport"


async def test_a_slow_name_does_not_hold_up_another() -> None:
    class Half(Silent):
        async def addresses(self, host: str) -> list[str]:
            return [LOOPBACK] if host == "quick" else await super().addresses(host)

    async with Desk(BOTH) as there, Desk(BOTH, lookup=Half()) as here:
        here.endpoint.send(Destination("udp", "slow"), options())
        answer = await here.ask(Destination("udp", "quick", there.address()[1]))
        assert isinstance(answer, Response)


async def test_retransmissions_go_where_the_request_went() -> None:
    dns = NoDns({"trunk": [LOOPBACK, "127.0.0.2"]})
    async with (
        Desk(BOTH, FakeClock(), lookup=dns) as here,
        datagrams() as first,
    ):
        assert first.transport is not None
        port = first.transport.get_extra_info("sockname")[1]
        destination = Destination("udp", "trunk", port)
        request = Request("OPTIONS", "sip:trunk", headers=options_headers())
        here.layer.request(request, destination, lambda _: None, lambda _: None)
        await first.hear()
        assert isinstance(here.clock, FakeClock)
        here.clock.advance(0.5)
        here.timers.run()
        assert b"OPTIONS" in await first.hear()
        assert dns.asked == ["trunk"]
        target = here.endpoint.outbox.target_of(destination)
        assert target is not None
        here.endpoint.outbox.failed(target)
        assert here.endpoint.outbox.target_of(destination) is None
        found = await here.endpoint.resolve(destination)
        assert [each.host for each in found] == ["127.0.0.2", LOOPBACK]


async def test_the_next_target_is_connected_to_when_the_first_refuses() -> None:
    dns = NoDns({"trunk": ["127.0.0.3", LOOPBACK]})
    async with Desk(BOTH) as there, Desk(BOTH, lookup=dns) as here:
        destination = Destination("tcp", "trunk", there.address("tcp")[1])
        assert isinstance(await here.ask(destination), Response)
        target = here.endpoint.outbox.target_of(destination)
        assert target is not None
        assert target.host == LOOPBACK
        found = await here.endpoint.resolve(destination)
        assert [each.host for each in found] == [LOOPBACK, "127.0.0.3"]


async def test_a_large_request_leaves_udp_for_tcp_where_that_is_known_to_work() -> None:
    async with (
        Desk(BOTH) as there,
        Desk(replace(BOTH, large_requests_over_tcp=True)) as here,
    ):
        # One port for both, as SIP has it.
        port = there.address("tcp")[1]
        answer = await here.ask(Destination("udp", LOOPBACK, port), subject="x" * 1_400)
        assert isinstance(answer, Response)
        assert there.flows[0].transport == "tcp"
        assert there.seen[0].via.transport == "TCP"


async def test_what_ends_a_large_invite_follows_it_to_tcp() -> None:
    async with (
        Desk(BOTH) as there,
        Desk(replace(BOTH, large_requests_over_tcp=True)) as here,
    ):
        there.status = 180
        destination = Destination("udp", LOOPBACK, there.address("tcp")[1])
        headers = options_headers(subject="x" * 1_400)
        headers.set("cseq", "1 INVITE")
        invite = Request("INVITE", "sip:there@example.com", headers=headers)
        answers: list[object] = []
        asked = here.layer.request(invite, destination, answers.append, answers.append)
        await here.until(lambda: answers)
        asked.cancel()
        await there.until(lambda: len(there.seen) == 2)
        there.asked[0].respond(make_response(there.asked[0].request, 486))
        await there.until(lambda: len(there.seen) == 3)
        methods = [message.cseq.method for message in there.seen]
        assert methods == ["INVITE", "CANCEL", "ACK"]
        assert [flow.transport for flow in there.flows] == ["tcp"] * 3
        assert {message.via.transport for message in there.seen} == {"TCP"}


async def test_keep_alive_datagrams_are_no_messages() -> None:
    async with Desk(BOTH) as desk, datagrams() as phone:
        for keep_alive in (b"\r\n\r\n", b"\0\0\0\0", b" ", b"\r\n"):
            phone.send(keep_alive, desk.address())
        phone.send(options(), desk.address())
        await phone.answer()
        assert desk.endpoint.intake.counts.keep_alives == 4
        assert desk.endpoint.intake.counts.malformed == 0
