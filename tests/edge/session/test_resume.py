"""A resume token counts in its region, until it expires, and tells its holder nothing."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.session.errors import ResumeRefused
from edge.session.resume import MAX_TOKEN, PREFIX, ResumeClaims, ResumeTokens
from tests.edge.session.parts import EU, IN, NOW, SESSION, ManualClock, key_file

LIFETIME = 600
SECRET = bytes(range(32))


def issue(tokens: ResumeTokens, agent: str = "reception") -> tuple[str, int]:
    return tokens.issue(
        SESSION, "clinic", agent, EU, (EU, "eu-west-1"), "1#0123456789ab", ("eea",), LIFETIME
    )


def refusal(tokens: ResumeTokens, token: str) -> str:
    with pytest.raises(ResumeRefused) as caught:
        tokens.verify(token)
    return caught.value.code


def test_any_node_of_the_region_reads_the_token(tmp_path: Path) -> None:
    clock = ManualClock()
    token, expires_at = issue(ResumeTokens(key_file(tmp_path).subkey("resume"), clock))
    sibling = ResumeTokens(key_file(tmp_path).subkey("resume"), clock)
    assert expires_at == int(NOW) + LIFETIME
    assert sibling.verify(token) == ResumeClaims(
        session_id=SESSION,
        tenant="clinic",
        agent="reception",
        region=EU,
        allowed_regions=(EU, "eu-west-1"),
        policy="1#0123456789ab",
        jurisdictions=("eea",),
        expires_at=expires_at,
    )


def test_another_region_cannot_read_it(tmp_path: Path) -> None:
    clock = ManualClock()
    token, _ = issue(ResumeTokens(key_file(tmp_path).subkey("resume"), clock))
    foreign = ResumeTokens(key_file(tmp_path, IN).subkey("resume"), clock)
    assert refusal(foreign, token) == "bad_token"


def test_it_counts_until_the_second_it_expires() -> None:
    clock = ManualClock()
    tokens = ResumeTokens(SECRET, clock)
    token, expires_at = issue(tokens)
    clock.now = expires_at - 0.001
    tokens.verify(token)
    clock.now = expires_at
    assert refusal(tokens, token) == "token_expired"


def test_it_says_nothing_to_its_holder_and_fits_a_header() -> None:
    token, _ = issue(ResumeTokens(SECRET, ManualClock()))
    assert token.startswith(PREFIX)
    body = base64.urlsafe_b64decode(token.removeprefix(PREFIX) + "==")
    for word in (SESSION, "clinic", "reception", EU):
        assert word.encode() not in body
    assert len(token) < 1_000


def test_no_character_of_it_can_be_changed() -> None:
    tokens = ResumeTokens(SECRET, ManualClock())
    # A length that leaves no spare bits in the last base64 character.
    token = next(
        token for n in range(1, 4) if (len(token := issue(tokens, "a" * n)[0]) - 3) % 4 == 0
    )
    for position in range(len(token)):
        other = "A" if token[position] != "A" else "B"
        assert refusal(tokens, token[:position] + other + token[position + 1 :]) == "bad_token"


def test_no_part_of_it_counts() -> None:
    tokens = ResumeTokens(SECRET, ManualClock())
    token, _ = issue(tokens)
    for length in range(len(token)):
        assert refusal(tokens, token[:length]) == "bad_token"
    assert refusal(tokens, token + "A" * 4) == "bad_token"


def test_a_huge_token_is_refused_unread() -> None:
    assert refusal(ResumeTokens(SECRET, ManualClock()), PREFIX + "A" * MAX_TOKEN) == "bad_token"


@given(st.text(max_size=80))
def test_any_text_is_refused(text: str) -> None:
    tokens = ResumeTokens(SECRET, ManualClock())
    assert refusal(tokens, text) == "bad_token"
    assert refusal(tokens, PREFIX + text) == "bad_token"


def test_a_token_says_of_a_tenant_with_its_own_nodes_that_it_has_them_and_else_no_more() -> None:
    """Nodes of the version before refuse what they do not know."""
    tokens = ResumeTokens(SECRET, ManualClock())
    given = (SESSION, "clinic", "reception", EU, (EU,), "1#0123456789ab", ("eea",), LIFETIME)
    own, _ = tokens.issue(*given, dedicated=True)
    shared, _ = tokens.issue(*given)
    assert tokens.verify(own).dedicated
    assert "dedicated" not in tokens.verify(shared).model_fields_set
