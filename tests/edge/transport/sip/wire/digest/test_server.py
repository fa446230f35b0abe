"""Who knows a password is told from who does not; who does not learns nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.transport.sip.wire.digest import Authorization, Credentials, DigestClient, DigestServer
from edge.transport.sip.wire.digest import server as server_module
from edge.transport.sip.wire.digest.hashing import ALGORITHMS, DigestInput
from edge.transport.sip.wire.digest.replay import UsedNonces
from edge.transport.sip.wire.digest.server import LIFETIME, Outcome
from edge.transport.sip.wire.headers import Headers

USERS = {"alice": "secret", "jäsøn": "päss"}
ALICE = Credentials("alice", "secret")
NOW = 1000.0


def make(**more: object) -> DigestServer:
    return DigestServer("example.com", secret=b"s" * 32, **more)  # type: ignore[arg-type]


def answer(
    server: DigestServer,
    credentials: Credentials = ALICE,
    client: DigestClient | None = None,
    headers: Headers | None = None,
) -> str:
    headers = headers or challenge(server)
    found = (client or DigestClient()).answer(headers, credentials, "INVITE", "sip:h")
    assert found is not None
    return found[1]


def challenge(server: DigestServer, now: float = NOW) -> Headers:
    return Headers(("www-authenticate", value) for value in server.challenge(now))


def outcome(server: DigestServer, text: str, now: float = NOW, method: str = "INVITE") -> Outcome:
    return server.verify(text, method, USERS.get, now).outcome


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_right_password_is_let_in(algorithm: str) -> None:
    server = make(algorithms=(algorithm,))
    verdict = server.verify(answer(server), "INVITE", USERS.get, NOW)
    assert (verdict.outcome, verdict.username) == ("ok", "alice")


def test_both_algorithms_are_offered_under_one_nonce_the_stronger_first() -> None:
    first, second = make().challenge(NOW)
    assert "algorithm=SHA-256" in first
    assert "algorithm=MD5" in second
    assert first.replace("SHA-256", "MD5") == second


def test_an_algorithm_that_is_not_there_is_a_mistake_of_configuration() -> None:
    with pytest.raises(ValueError, match="SHA-1"):
        make(algorithms=("SHA-1",))
    with pytest.raises(ValueError):
        make(algorithms=())


def test_a_user_of_another_script_is_let_in() -> None:
    server = make()
    assert outcome(server, answer(server, Credentials("jäsøn", "päss"))) == "ok"


def test_a_wrong_password_and_an_unknown_user_are_told_apart_only_inside() -> None:
    server = make()
    assert outcome(server, answer(server, Credentials("alice", "wrong"))) == "bad"
    assert outcome(server, answer(server, Credentials("mallory", "secret"))) == "unknown"
    assert outcome(server, answer(server, Credentials("mallory", ""))) == "unknown"


def test_an_unknown_user_costs_as_many_hashes_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computed: list[str] = []

    class Counted(DigestInput):
        def response(self, username: str, password: str) -> str:
            computed.append(username)
            return super().response(username, password)

    server = make()
    wrong = answer(server, Credentials("alice", "wrong"))
    unknown = answer(server, Credentials("mallory", "wrong"))
    monkeypatch.setattr(server_module, "DigestInput", Counted)
    outcome(server, wrong)
    outcome(server, unknown)
    assert computed == ["alice", "mallory"]


def test_another_method_or_realm_or_uri_spoils_the_answer() -> None:
    server = make()
    text = answer(server)
    assert outcome(server, text, method="REGISTER") == "bad"
    assert outcome(server, str(replace(Authorization.parse(text), uri="sip:other"))) == "bad"
    assert outcome(server, str(replace(Authorization.parse(text), realm="other"))) == "bad"


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "SHA-512"},
        {"algorithm": None},
        {"qop": None},
        {"qop": "auth-int"},
        {"count": "1"},
        {"count": "0x000001"},
        {"cnonce": ""},
        {"userhash": True},
        {"response": "é"},
        {"response": ""},
    ],
)
def test_what_answers_no_challenge_of_ours_is_bad(change: dict[str, str | bool | None]) -> None:
    server = make()
    given = Authorization.parse(answer(server))
    assert outcome(server, str(replace(given, **change))) == "bad"  # type: ignore[arg-type]


def test_only_md5_may_be_answered_the_old_way() -> None:
    server = make()
    for value, expected in zip(server.challenge(NOW), ("bad", "ok"), strict=True):
        old = Headers([("www-authenticate", value.replace(', qop="auth"', ""))])
        assert outcome(server, answer(server, headers=old)) == expected


@pytest.mark.parametrize("text", ["", "Digest", "Basic x", 'Digest username="a', "Digest \0"])
def test_nonsense_is_bad(text: str) -> None:
    assert outcome(make(), text) == "bad"


class TestNonces:
    def test_a_nonce_is_stale_after_its_lifetime(self) -> None:
        server = make()
        text = answer(server)
        assert outcome(server, text, NOW + LIFETIME) == "ok"
        assert outcome(server, answer(server), NOW + LIFETIME + 0.1) == "stale"
        assert outcome(server, answer(server), NOW - 0.1) == "stale"
        assert "stale=true" in server.challenge(NOW, stale=True)[0]

    def test_a_wrong_password_is_not_told_that_its_nonce_is_stale(self) -> None:
        server = make()
        wrong = answer(server, Credentials("alice", "wrong"))
        assert outcome(server, wrong, NOW + 2 * LIFETIME) == "bad"

    @pytest.mark.parametrize("other", ["realm", "secret"])
    def test_a_nonce_of_somebody_else_is_stale(self, other: str) -> None:
        theirs = DigestServer(
            "elsewhere" if other == "realm" else "example.com",
            secret=b"t" * 32 if other == "secret" else b"s" * 32,
        )
        nonce = Authorization.parse(answer(theirs)).nonce
        headers = Headers(
            [("www-authenticate", f'Digest realm="example.com", nonce="{nonce}", qop="auth"')]
        )
        assert outcome(make(), answer(make(), headers=headers)) == "stale"

    @pytest.mark.parametrize("nonce", ["00", "x" * 112, "0" * 112, "é"])
    def test_a_made_up_nonce_is_stale(self, nonce: str) -> None:
        headers = Headers(
            [("www-authenticate", f'Digest realm="example.com", nonce="{nonce}", qop="auth"')]
        )
        assert outcome(make(), answer(make(), headers=headers)) == "stale"

    def test_an_answer_is_taken_once(self) -> None:
        server = make()
        text = answer(server)
        assert [outcome(server, text) for _ in range(2)] == ["ok", "stale"]

    def test_a_nonce_is_used_on_with_higher_counts(self) -> None:
        server, client = make(), DigestClient()
        headers = challenge(server)
        texts = [answer(server, client=client, headers=headers) for _ in range(5)]
        assert [outcome(server, text) for text in texts] == ["ok"] * 5

    def test_counts_may_overtake_one_another(self) -> None:
        server, client = make(), DigestClient()
        headers = challenge(server)
        first, second, third = (answer(server, client=client, headers=headers) for _ in "123")
        assert [outcome(server, text) for text in (third, first, second)] == ["ok"] * 3
        assert outcome(server, first) == "stale"

    def test_an_answer_without_a_count_uses_its_nonce_up(self) -> None:
        server = make()
        nonce = Authorization.parse(answer(server)).nonce
        old = Headers([("www-authenticate", f'Digest realm="example.com", nonce="{nonce}"')])
        text = answer(server, headers=old)
        assert [outcome(server, text) for _ in range(2)] == ["ok", "stale"]
        with_count = Headers(
            [("www-authenticate", f'Digest realm="example.com", nonce="{nonce}", qop=auth')]
        )
        assert outcome(server, answer(server, headers=with_count)) == "stale"


class TestUsedNonces:
    def test_it_never_holds_more_than_its_limit_and_never_admits_what_it_forgot(self) -> None:
        used = UsedNonces(10)
        nonces = [(b"%d" % number, float(number)) for number in range(1, 100)]
        assert all(used.admit(nonce, issued, 1, 0.0) for nonce, issued in nonces)
        assert len(used) == 10
        assert not any(used.admit(nonce, issued, 1, 0.0) for nonce, issued in nonces)

    def test_what_is_too_old_anyhow_is_forgotten_without_harm(self) -> None:
        used = UsedNonces(10)
        assert used.admit(b"old", 1.0, 1, 0.0)
        assert used.admit(b"new", 2.0, 1, 1.5)
        assert len(used) == 1
        assert used.admit(b"other", 1.6, 1, 1.5)

    @pytest.mark.parametrize(
        ("counts", "admitted"),
        [
            ((1, 1), (True, False)),
            ((0, 1), (False, True)),
            ((5, 0), (True, False)),
            ((64, 1, 1), (True, True, False)),
            ((65, 1), (True, False)),
            ((1, 64, 1, 2), (True, True, False, True)),
            ((1, 65, 1), (True, True, False)),
            ((1, 2**32 - 1, 2), (True, True, False)),
            ((7, None, 8), (True, False, True)),
            ((None, 1, None), (True, False, False)),
        ],
    )
    def test_each_count_is_admitted_once_within_the_window(
        self, counts: tuple[int | None, ...], admitted: tuple[bool, ...]
    ) -> None:
        used = UsedNonces(10)
        assert tuple(used.admit(b"n", 1.0, count, 0.0) for count in counts) == admitted


def test_the_answer_for_our_realm_is_found_among_others() -> None:
    server = make()
    text = answer(server)
    headers = Headers(
        [
            ("Authorization", "Basic x"),
            ("Authorization", str(replace(Authorization.parse(text), realm="other"))),
            ("Authorization", text),
        ]
    )
    assert server.find(headers) == text
    assert server.find(headers, "proxy-authorization") is None
