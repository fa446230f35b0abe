"""A registration against a scripted registrar."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.transport.sip.core.flow import Destination, Flow
from edge.transport.sip.core.registration import Registration, RegistrationSettings
from edge.transport.sip.wire.digest import Credentials
from edge.transport.sip.wire.message import Request, Response
from tests.edge.transport.sip.core.far_end import (
    PBX,
    TARGET,
    Answer,
    FarEnd,
    accept,
    answer,
    nothing,
    refusal,
    silence,
)

SETTINGS = RegistrationSettings(
    registrar="sip:pbx.example.com",
    address="sip:200@pbx.example.com",
    destination=PBX,
    contact_user="200",
    credentials=Credentials("200", "secret"),
    expires=300,
)
CHALLENGE = 'Digest realm="pbx", nonce="n1", algorithm=MD5, qop="auth"'
STALE = 'Digest realm="pbx", nonce="n2", algorithm=MD5, qop="auth", stale=true'
SECOND = Destination("udp", "192.0.2.11", 5060, None, "pbx.example.com")


def registered(far: FarEnd, settings: RegistrationSettings = SETTINGS) -> Registration:
    registration = Registration(settings, far.means)
    registration.start()
    far.settle()
    return registration


def test_a_registration_binds_our_contact_and_says_until_when() -> None:
    far = FarEnd(accept(300))
    registration = registered(far)
    first = far.asked[0]
    assert first.request.uri == "sip:pbx.example.com"
    assert first.header("to") == "<sip:200@pbx.example.com>"
    assert first.header("contact") == "<sip:200@10.0.0.1:5060;transport=udp>;expires=300"
    assert registration.status.state == "registered"
    assert registration.status.until == pytest.approx(far.clock.wall() + 300)
    assert str(registration.status).startswith("registered until ")


def test_a_binding_is_renewed_before_it_ends_with_the_next_number_of_the_same_call() -> None:
    far = FarEnd(accept(100))
    registered(far)
    far.advance(84.9)
    assert len(far.asked) == 1
    far.advance(5.2)
    assert len(far.asked) == 2
    assert far.asked[1].header("call-id") == far.asked[0].header("call-id")
    assert [asked.request.cseq.number for asked in far.asked] == [1, 2]


def test_what_the_registrar_grants_counts_not_what_was_asked() -> None:
    far = FarEnd(accept(40))
    registered(far)
    far.advance(36)
    assert len(far.asked) == 2


def test_the_expires_header_counts_where_no_contact_is_listed() -> None:
    far = FarEnd(answer(200, expires="40"))
    registered(far)
    far.advance(36)
    assert len(far.asked) == 2


def test_a_contact_listed_in_another_order_is_found() -> None:
    listed = "<sip:200@10.9.9.9>;expires=3600, <sip:200@10.0.0.1:5060>;q=0.5;expires=40"
    far = FarEnd(answer(200, contact=listed))
    registered(far)
    far.advance(36)
    assert len(far.asked) == 2


def test_a_grant_of_no_time_is_no_registration() -> None:
    far = FarEnd(accept(0))
    registration = registered(far)
    assert registration.status.state == "waiting"
    assert "no binding" in registration.status.problem


def test_a_grant_of_a_second_makes_no_storm() -> None:
    far = FarEnd(accept(1))
    registered(far)
    far.advance(60)
    assert len(far.asked) <= 13


def test_a_challenge_is_answered_and_its_nonce_used_again() -> None:
    far = FarEnd(answer(401, www_authenticate=CHALLENGE), accept(100))
    registration = registered(far)
    assert registration.registered
    assert 'nonce="n1"' in far.asked[1].header("authorization")
    assert "nc=00000001" in far.asked[1].header("authorization")
    far.advance(95)
    assert len(far.asked) == 3
    assert "nc=00000002" in far.asked[2].header("authorization")


def test_a_stale_nonce_is_replaced_without_a_failure() -> None:
    far = FarEnd(
        answer(401, www_authenticate=CHALLENGE),
        accept(100),
        answer(401, www_authenticate=STALE),
        accept(100),
    )
    registration = registered(far)
    far.advance(95)
    assert registration.failures == 0
    assert 'nonce="n2"' in far.asked[3].header("authorization")


def test_a_nonce_that_is_too_old_without_saying_so_is_replaced_too() -> None:
    far = FarEnd(
        answer(401, www_authenticate=CHALLENGE),
        accept(100),
        answer(401, www_authenticate=CHALLENGE.replace("n1", "n2")),
        accept(100),
    )
    registration = registered(far)
    far.advance(95)
    assert registration.failures == 0
    assert registration.registered


def test_a_proxy_and_a_registrar_may_both_ask() -> None:
    far = FarEnd(
        answer(407, proxy_authenticate=CHALLENGE.replace('"pbx"', '"proxy"')),
        answer(401, www_authenticate=CHALLENGE),
        accept(100),
    )
    registration = registered(far)
    assert registration.registered
    assert far.asked[2].header("proxy-authorization")
    assert far.asked[2].header("authorization")


def test_a_wrong_password_is_tried_once_and_said_in_words() -> None:
    far = FarEnd(answer(401, www_authenticate=CHALLENGE))
    registration = registered(far)
    assert len(far.asked) == 2
    assert "username or password" in registration.status.problem
    assert str(registration.status).startswith("not registered: 401 Unauthorized")


def test_after_a_refused_password_the_next_try_begins_without_one() -> None:
    far = FarEnd(answer(401, www_authenticate=CHALLENGE))
    registered(far)
    far.advance(31)
    assert [bool(asked.header("authorization")) for asked in far.asked] == [False, True] * 2


def test_a_challenge_without_a_password_says_what_is_missing() -> None:
    far = FarEnd(answer(401, www_authenticate=CHALLENGE))
    registration = registered(far, replace(SETTINGS, credentials=None))
    assert len(far.asked) == 1
    assert "asks for a password" in registration.status.problem


def test_a_challenge_in_an_unknown_scheme_is_a_failure_and_no_crash() -> None:
    far = FarEnd(answer(401, www_authenticate='Kerberos "'))
    assert registered(far).status.state == "waiting"


def test_an_interval_that_is_too_brief_is_lengthened() -> None:
    far = FarEnd(answer(423, min_expires="1800"), accept(1800))
    registration = registered(far)
    assert registration.registered
    assert far.asked[1].header("expires") == "1800"


def test_a_registrar_that_is_never_content_with_the_interval_is_not_asked_for_ever() -> None:
    far = FarEnd(answer(423, min_expires="1800"))
    registration = registered(far)
    assert len(far.asked) == 2
    assert registration.status.state == "waiting"


def test_failures_are_followed_by_longer_and_longer_waits_up_to_half_an_hour() -> None:
    far = FarEnd(silence)
    registration = registered(far)
    waits = []
    for _ in range(9):
        wait = registration.status.retry_in
        assert wait is not None
        waits.append(wait)
        far.advance(wait + 0.01)
    for number, wait in enumerate(waits):
        longest = min(1800.0, 30.0 * 2**number)
        assert longest / 2 <= wait <= longest
    assert registration.status.problem == "nothing answered"


def test_retry_after_is_kept_and_bounded() -> None:
    far = FarEnd(answer(503, retry_after="600 (busy);duration=9"))
    assert registered(far).status.retry_in == 600
    far = FarEnd(answer(503, retry_after="999999"))
    assert registered(far).status.retry_in == 3600


def test_a_failed_renewal_is_tried_again_before_the_binding_ends() -> None:
    far = FarEnd(accept(300), silence, accept(300))
    registration = registered(far)
    far.advance(271)
    assert registration.status.state == "waiting"
    assert registration.registered
    assert "registered until" in str(registration.status)
    assert "nothing answered" in str(registration.status)
    far.advance(28)
    assert (str(registration.status.state), registration.status.problem) == ("registered", "")


def test_a_binding_that_ends_soon_is_fought_for() -> None:
    far = FarEnd(accept(300), silence)
    registration = registered(far)
    far.advance(299)
    assert registration.registered
    assert len(far.asked) >= 4
    far.advance(2)
    assert not registration.registered
    assert str(registration.status).startswith("not registered: nothing answered")


@pytest.mark.parametrize("expires", ["99999999999999999999", "604800"])
def test_no_registrar_grants_more_than_a_day(expires: str) -> None:
    far = FarEnd(answer(200, expires=expires))
    assert registered(far).status.until == pytest.approx(far.clock.wall() + 86_400)


def test_the_next_target_is_asked_when_the_first_does_not_answer() -> None:
    far = FarEnd(silence, accept(300))
    far.targets = (TARGET, SECOND)
    registration = registered(far)
    assert [asked.target for asked in far.asked] == [TARGET, SECOND]
    assert far.failed == [TARGET]
    assert registration.target == SECOND


def test_a_target_without_service_is_passed_over_but_a_refusal_is_final() -> None:
    far = FarEnd(answer(503), answer(403))
    far.targets = (TARGET, SECOND, TARGET)
    registration = registered(far)
    assert len(far.asked) == 2
    assert registration.status.problem.startswith("403 Forbidden")


def test_a_name_that_is_not_found_is_said_and_tried_again() -> None:
    far = FarEnd(accept(300))
    far.targets = ()
    registration = registered(far)
    assert registration.status.problem == far.problem
    far.targets = (TARGET,)
    far.advance(30)
    assert registration.registered


def test_the_reason_of_a_lost_message_is_passed_on() -> None:
    far = FarEnd(refusal)
    assert registered(far).status.problem == "the connection was refused"


def test_the_contact_becomes_what_the_registrar_sees_and_the_wrong_one_is_taken_back() -> None:
    seen = ("203.0.113.5", 41000)
    far = FarEnd(accept(300, seen))
    registration = registered(far)
    contacts = [asked.header("contact") for asked in far.asked]
    assert contacts == [
        "<sip:200@10.0.0.1:5060;transport=udp>;expires=300",
        "<sip:200@10.0.0.1:5060;transport=udp>;expires=0",
        "<sip:200@203.0.113.5:41000;transport=udp>;expires=300",
    ]
    assert registration.status.state == "registered"
    far.advance(275)
    assert far.asked[3].header("contact").startswith("<sip:200@203.0.113.5:41000")
    assert len(far.asked) == 4


def test_between_the_wrong_contact_and_the_right_one_we_are_not_registered() -> None:
    seen = ("203.0.113.5", 41000)
    far = FarEnd(accept(300, seen), accept(0, seen), silence)
    registration = registered(far)
    assert not registration.registered
    assert registration.status.state == "waiting"


def test_a_new_connection_is_not_called_by_the_port_of_the_old_one() -> None:
    far = FarEnd(accept(300, ("203.0.113.5", 41000)))
    far.targets = (replace(TARGET, transport="tcp"),)
    registration = registered(far, replace(SETTINGS, destination=replace(PBX, transport="tcp")))
    assert ":41000" in far.asked[-1].header("contact")
    far.script.clear()
    far.script.append(accept(300, ("203.0.113.5", 42000)))
    registration.flow_lost(Flow("tcp", ("10.0.0.1", 40000), ("192.0.2.10", 5060), 5))
    far.advance(2.1)
    assert ":42000" in far.asked[-1].header("contact")


def test_a_contact_that_may_not_be_rewritten_stays() -> None:
    far = FarEnd(accept(300, ("203.0.113.5", 41000)))
    registered(far, replace(SETTINGS, follow_nat=False))
    assert len(far.asked) == 1


def test_the_source_port_of_a_connection_is_no_reason_to_move() -> None:
    far = FarEnd(accept(300, ("10.0.0.1", 51234)))
    far.targets = (replace(TARGET, transport="tcp"),)
    registered(far, replace(SETTINGS, destination=replace(PBX, transport="tcp")))
    assert len(far.asked) == 1


def test_a_nat_that_never_shows_the_same_port_twice_is_not_chased_for_ever() -> None:
    ports = iter(range(40000, 50000))
    far = FarEnd(lambda request: accept(300, ("203.0.113.5", next(ports)))(request))
    registration = registered(far)
    assert registration.status.state == "registered"
    assert len(far.asked) == 7


@pytest.mark.parametrize("received", ["", "not a host", "[::1", "1.2.3.4:5", "x" * 3000])
def test_a_received_parameter_that_makes_no_sense_changes_nothing(received: str) -> None:
    def odd(request: Request) -> Response:
        response = accept(300)(request)
        assert isinstance(response, Response)
        via = (response.headers.get("via") or "") + f";received={received}"
        response.headers.replace_first("via", via)
        return response

    far = FarEnd(odd)
    assert registered(far).registered
    assert len(far.asked) == 1


@pytest.mark.parametrize(
    "contact", ['"open <sip:x>', "<sip:200@10.0.0.1", "tel:+49", "*", "<sip:200@[zz]>;expires=9"]
)
def test_a_contact_list_that_cannot_be_read_is_no_crash(contact: str) -> None:
    far = FarEnd(answer(200, contact=contact, expires="60"))
    assert registered(far).registered


def test_routes_of_the_registrar_are_kept() -> None:
    far = FarEnd(accept(300, service_route="<sip:p1;lr>, <sip:p2;lr>", path="<sip:edge;lr>"))
    registration = registered(far)
    assert registration.service_route == ("<sip:p1;lr>", "<sip:p2;lr>")
    assert registration.path == ("<sip:edge;lr>",)


def test_a_lost_connection_is_followed_by_a_new_registration_soon() -> None:
    far = FarEnd(accept(300))
    far.targets = (replace(TARGET, transport="tcp"),)
    registration = registered(far, replace(SETTINGS, destination=replace(PBX, transport="tcp")))
    registration.flow_lost(Flow("tcp", ("10.0.0.1", 40000), ("192.0.2.99", 5060), 4))
    far.advance(2.1)
    assert len(far.asked) == 1, "that was another connection"
    registration.flow_lost(Flow("tcp", ("10.0.0.1", 40000), ("192.0.2.10", 5060), 5))
    assert registration.status.state == "waiting"
    far.advance(2.1)
    assert len(far.asked) == 2
    assert str(registration.status.state) == "registered"


def test_stopping_takes_back_only_our_own_binding() -> None:
    far = FarEnd(answer(401, www_authenticate=CHALLENGE), accept(300))
    registration = registered(far)
    registration.stop()
    assert registration.status.state == "removing"
    far.settle()
    last = far.asked[-1]
    assert last.header("contact") == "<sip:200@10.0.0.1:5060;transport=udp>;expires=0"
    assert last.header("expires") == "0"
    assert str(registration.status) == "not registered"
    assert len(far.timers) == 0


def test_what_is_still_being_asked_for_is_taken_back_too() -> None:
    far = FarEnd(nothing, accept(0))
    registration = registered(far)
    registration.stop()
    far.settle()
    assert far.asked[-1].header("expires") == "0"
    assert far.asked[-1].request.cseq.number == 2
    late = accept(300)(far.asked[0].request)
    assert isinstance(late, Response)
    far.asked[0].on_response(late)
    assert registration.status.state == "stopped"


def test_what_may_have_been_given_is_taken_back() -> None:
    far = FarEnd(silence, accept(0))
    registration = registered(far)
    registration.stop()
    far.settle()
    assert far.asked[-1].header("expires") == "0", "the 200 may have got lost"


def test_a_challenge_after_the_stop_is_not_answered() -> None:
    far = FarEnd(nothing, accept(0))
    registration = registered(far)
    registration.stop()
    far.settle()
    late = answer(401, www_authenticate=CHALLENGE)(far.asked[0].request)
    assert isinstance(late, Response)
    far.asked[0].on_response(late)
    assert len(far.asked) == 2


@pytest.mark.parametrize("first", [answer(403), refusal])
def test_nothing_is_taken_back_that_was_never_given(first: Answer) -> None:
    far = FarEnd(first)
    registration = registered(far)
    registration.stop()
    assert registration.status.state == "stopped"
    assert len(far.asked) == 1
    assert len(far.timers) == 0


def test_stopping_ends_when_nobody_answers() -> None:
    far = FarEnd(accept(300), silence)
    registration = registered(far)
    registration.stop()
    far.settle()
    assert registration.status.state == "stopped"
    assert registration.status.problem == "nothing answered"


def test_a_registration_can_be_started_again() -> None:
    far = FarEnd(accept(300))
    registration = registered(far)
    registration.stop()
    far.settle()
    registration.start()
    far.settle()
    assert registration.registered


def test_datagrams_keep_the_nat_open_while_registered_over_udp() -> None:
    far = FarEnd(accept(300))
    registration = registered(far)
    sent: list[Destination] = []
    registration.keep_alive = sent.append
    far.advance(120)
    assert sent == [TARGET] * len(sent)
    assert 4 <= len(sent) <= 5
    registration.stop()
    far.advance(120)
    assert len(sent) <= 5


def test_every_change_is_told() -> None:
    far = FarEnd(silence, accept(300))
    registration = Registration(SETTINGS, far.means)
    told: list[str] = []
    registration.on_change = lambda status: told.append(status.state)
    registration.start()
    far.advance(31)
    registration.stop()
    far.settle()
    assert told == ["registering", "waiting", "registering", "registered", "removing", "stopped"]
