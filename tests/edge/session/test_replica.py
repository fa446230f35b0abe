"""A replica opens where it was sealed for, as it was sealed, while it counts, and nowhere else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge.events import ToolRecord, Turn
from edge.session.contents import Contents, LiveContents, encode_contents
from edge.session.errors import RegionRefused, ReplicaRefused, SealError, TooLarge
from edge.session.history import History, PendingTool
from edge.session.replica import MAX_REPLICA, ReplicaHead, ReplicaKey, replica_public_key
from regions.models import DataClass
from tests.edge.session.parts import EU, IN, NOW, key_file, tag_for, tool, turn

IE = "eu-west-1"
SE = "eu-north-1"
KEYS = {region: ReplicaKey(region, bytes([number]) * 32) for number, region in
        enumerate((EU, IE, SE, IN), start=1)}  # fmt: skip
LAW = {region: key.public for region, key in KEYS.items()}
SETTLED = ToolRecord("s:2:1", "book", {"day": "monday"}, True, {"id": 7})
PENDING = PendingTool("s:3:1", "pay", {"cents": 100})
CONTENTS = Contents(
    (turn(1, ""), turn(2, "ünï \U0001f600 \ud800", (SETTLED,))),
    {"step": "confirm", "slots": [1, None, True]},
    (SETTLED, PENDING),
)


def head(**changes: Any) -> ReplicaHead:
    facts: dict[str, Any] = {
        "source": EU,
        "tag": tag_for(regions=(EU, IE, SE)),
        "agent": "reception",
        "turn": len(CONTENTS.turns),
        "at": int(NOW),
        "expires_at": int(NOW) + 600,
        "ends": {DataClass.TRANSCRIPT: int(NOW) + 900, DataClass.VARIABLES: int(NOW) + 900},
    }
    return ReplicaHead(**(facts | changes))


def sealed(*regions: str, contents: Contents = CONTENTS, **changes: Any) -> str:
    keys = {region: LAW[region] for region in regions or (IE,)}
    return KEYS[EU].seal(head(**changes), contents, keys).text


def opened(text: str, region: str = IE, now: float = NOW) -> Contents:
    key = KEYS[region]
    return key.open(key.verify(text, LAW, now=now)).contents


def refused(text: str, region: str = IE, now: float = NOW) -> str:
    with pytest.raises(ReplicaRefused) as caught:
        opened(text, region, now)
    return caught.value.code


def test_each_region_opens_what_was_sealed_for_it_and_reads_the_same() -> None:
    text = sealed(IE, SE)
    assert text.isascii()
    assert opened(text, IE) == opened(text, SE) == CONTENTS
    verified = KEYS[IE].verify(text, LAW, now=NOW)
    assert verified.head == head()
    assert KEYS[IE].open(verified).sizes == KEYS[EU].seal(head(), CONTENTS, {IE: LAW[IE]}).sizes


def test_nothing_of_the_conversation_is_readable_on_the_way() -> None:
    text = sealed()
    envelope = json.loads(text)
    seen = text.encode() + base64.b64decode(envelope["body"])
    for word in (b"monday", b"book", b"confirm", b"you said", "ünï".encode()):
        assert word not in seen


def test_two_seals_of_the_same_share_no_key() -> None:
    one, other = json.loads(sealed()), json.loads(sealed())
    assert one["body"] != other["body"]
    assert one["wraps"][IE]["key"] != other["wraps"][IE]["key"]


def test_the_public_key_follows_from_the_key_file_and_says_nothing_else(tmp_path: Path) -> None:
    keys = key_file(tmp_path)
    public = replica_public_key(keys)
    assert public == ReplicaKey.of(keys).public == replica_public_key(key_file(tmp_path))
    assert len(public) == 32
    assert public not in (keys.subkey("replica"), keys.subkey("receipt"))


class TestSealing:
    @pytest.mark.parametrize("region", [IN, EU], ids=["not in the tag", "its own"])
    def test_no_replica_is_sealed_for(self, region: str) -> None:
        with pytest.raises(RegionRefused):
            sealed(IE, region)

    def test_a_key_that_is_none_is_refused(self) -> None:
        for public in (bytes(32), b"short"):
            with pytest.raises(SealError):
                KEYS[EU].seal(head(), CONTENTS, {IE: public})

    def test_what_is_too_long_is_not_sealed(self) -> None:
        noise = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(60_000))
        long = Contents((turn(1, noise),), None, ())
        with pytest.raises(TooLarge):
            sealed(contents=long, turn=1)
        many = Contents(tuple(turn(number) for number in range(1, 1002)), None, ())
        with pytest.raises(TooLarge):
            sealed(contents=many, turn=1001)


class TestRefusals:
    def test_a_region_it_is_not_for(self) -> None:
        assert refused(sealed(IE), SE) == "wrong_region"

    def test_expired(self) -> None:
        text = sealed()
        assert opened(text, now=NOW + 599)
        assert refused(text, now=NOW + 600) == "replica_expired"

    @pytest.mark.parametrize(
        "changes",
        [
            {"ends": {DataClass.TRANSCRIPT: int(NOW) + 900, DataClass.VARIABLES: int(NOW)}},
            {"tag": tag_for(regions=(EU, IE)).model_copy(update={"expires_at": int(NOW)})},
        ],
        ids=["a class is over", "the session is over"],
    )
    def test_of_what_is_not_kept_any_more(self, changes: dict[str, Any]) -> None:
        assert refused(sealed(**changes)) == "replica_expired"

    def test_too_long(self) -> None:
        assert refused(sealed() + " " * MAX_REPLICA) == "body_too_large"

    def test_sealed_by_nobody_that_the_law_knows(self) -> None:
        text = sealed()
        key = KEYS[IE]
        for law, code in (
            ({}, "not_ready"),
            ({IE: key.public}, "not_ready"),
            ({**LAW, EU: LAW[SE]}, "bad_replica"),
            ({**LAW, EU: bytes(32)}, "bad_replica"),
        ):
            with pytest.raises(ReplicaRefused) as caught:
                key.verify(text, law, now=NOW)
            assert caught.value.code == code

    def test_made_by_whoever_knows_the_public_keys(self) -> None:
        """The keys of a bundle are no secret: with them alone nothing can be made that counts."""
        stranger = ReplicaKey(EU, b"s" * 32)
        text = stranger.seal(head(), CONTENTS, {IE: LAW[IE]}).text
        assert refused(text) == "bad_replica"

    def test_another_region_of_the_law_in_the_name_of_the_first(self) -> None:
        text = ReplicaKey(EU, b"\x03" * 32).seal(head(), CONTENTS, {IE: LAW[IE]}).text
        assert refused(text) == "bad_replica"

    def test_a_region_does_not_take_its_own_for_anothers(self) -> None:
        text = KEYS[IE].seal(head(source=IE), CONTENTS, {SE: LAW[SE]}).text
        moved = json.loads(text)
        moved["wraps"] = {IE: moved["wraps"][SE]}
        assert refused(json.dumps(moved)) == "bad_replica"

    @pytest.mark.parametrize(
        "text", ["", "{}", "[]", "null", "{" * 5000, '{"head":{},"wraps":{},"body":""}', "é"]
    )
    def test_what_is_no_replica(self, text: str) -> None:
        assert refused(text) == "bad_replica"

    @pytest.mark.parametrize(
        "many",
        [
            {f"k{number}": 1 for number in range(9000)},
            {"head": {"tag": {"jurisdictions": [1] * 40_000}}},
            {"wraps": {f"r-{number}": {} for number in range(7000)}},
        ],
        ids=["members", "a list", "wraps"],
    )
    def test_nobody_is_told_what_is_wrong_with_each_of_thousands(self, many: object) -> None:
        """That took fifty times the time that a well-made forgery takes."""
        with pytest.raises(ReplicaRefused) as caught:
            opened(json.dumps(many))
        assert (caught.value.code, caught.value.__cause__) == ("bad_replica", None)

    def test_a_replica_for_every_region_that_there_may_be_is_looked_at(self) -> None:
        names = (IE, *(f"region-{number}" for number in range(30)))
        tag = tag_for(regions=(EU, *names))
        text = KEYS[EU].seal(head(tag=tag), CONTENTS, dict.fromkeys(names, LAW[IE])).text
        assert opened(text) == CONTENTS


def change(path: str) -> Callable[[dict[str, Any]], None]:
    def apply(envelope: dict[str, Any]) -> None:
        *outer, last = path.split("/")
        place = envelope
        for name in outer:
            place = place[name]
        value = place[last]
        match value:
            case int():
                place[last] = value + 1
            case list():
                place[last] = [*value, "me-central-1"]
            case str() if last in ("body", "key", "mac"):
                raw = bytearray(base64.b64decode(value))
                raw[len(raw) // 2] ^= 1
                place[last] = base64.b64encode(raw).decode()
            case str():
                place[last] = {"data_class": "variables", "policy": "1#0123456789ab"}.get(
                    last, "other"
                )
            case _:
                raise AssertionError(path)

    return apply


@pytest.mark.parametrize(
    "path",
    [
        "body",
        f"wraps/{IE}/key",
        f"wraps/{IE}/mac",
        "head/agent",
        "head/turn",
        "head/at",
        "head/expires_at",
        "head/ends/transcript",
        "head/ends/variables",
        "head/tag/tenant",
        "head/tag/jurisdictions",
        "head/tag/allowed_regions",
        "head/tag/data_class",
        "head/tag/policy",
        "head/tag/session",
        "head/tag/expires_at",
    ],
)
def test_whatever_is_changed_on_the_way_is_noticed(path: str) -> None:
    envelope = json.loads(sealed())
    change(path)(envelope)
    assert refused(json.dumps(envelope)) == "bad_replica"


def test_parts_of_two_replicas_do_not_go_together() -> None:
    one, other = json.loads(sealed(IE)), json.loads(sealed(IE))
    assert refused(json.dumps({**one, "body": other["body"]})) == "bad_replica"
    assert refused(json.dumps({**one, "wraps": other["wraps"]})) == "bad_replica"


def test_the_wrap_of_one_region_is_of_no_use_to_another() -> None:
    envelope = json.loads(sealed(IE, SE))
    envelope["wraps"][SE] = envelope["wraps"][IE]
    assert refused(json.dumps(envelope), SE) == "bad_replica"


def test_a_region_that_may_read_it_cannot_put_other_words_into_it() -> None:
    """Each region has the one key of the body; only the sealing one can vouch for what is in it."""
    envelope = json.loads(sealed(IE, SE))
    bound = b"inland replica 1\0" + head().canonical()
    wrapped = base64.b64decode(envelope["wraps"][SE]["key"])
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    reader = X25519PrivateKey.from_private_bytes(b"\x03" * 32)
    key = suite.decrypt(wrapped, reader, info=bound + b"\0" + SE.encode())
    body = base64.b64decode(envelope["body"])
    AESGCM(key).decrypt(body[:12], body[12:], bound)
    other = encode_contents(Contents(CONTENTS.turns, {"step": "transfer"}, ()))
    assert other is not None
    forged = body[:12] + AESGCM(key).encrypt(body[:12], other.body, bound)
    envelope["body"] = base64.b64encode(forged).decode()
    assert refused(json.dumps(envelope)) == "bad_replica"


def test_contents_that_say_another_number_of_turns_are_refused() -> None:
    assert refused(sealed(turn=3)) == "bad_replica"
    gap = Contents((turn(1), turn(3)), None, ())
    assert refused(sealed(contents=gap)) == "bad_replica"


def test_contents_that_would_fill_the_memory_are_refused() -> None:
    from edge.session import contents as module

    before, module.MAX_PLAIN = module.MAX_PLAIN, 1 << 26
    try:
        bomb = sealed(contents=Contents((turn(1, "a" * (1 << 22)),), None, ()), turn=1)
    finally:
        module.MAX_PLAIN = before
    assert len(bomb) < MAX_REPLICA
    assert refused(bomb) == "bad_replica"


class TestLiveContents:
    def test_it_grows_as_the_journal_does(self) -> None:
        live = LiveContents()
        told: list[bool] = []
        live.on_change = told.append
        live.committed(turn(1, ""), {"step": "greet"})
        live.tool_pending("s:2:1", "book", {"day": "monday"})
        assert live.pending
        live.tool_settled(SETTLED)
        assert not live.pending
        live.committed(turn(2), {"step": "confirm"})
        assert live.now() == Contents((turn(1, ""), turn(2)), {"step": "confirm"}, (SETTLED,))
        assert told == [False, True, True, False]

    def test_repeats_and_stale_news_change_nothing(self) -> None:
        live = LiveContents()
        live.committed(turn(1), {"step": "one"})
        live.tool_pending("s:2:1", "book", {"day": "monday"})
        live.tool_settled(SETTLED)
        before = live.now()
        live.on_change = lambda urgent: pytest.fail("nothing changed")
        live.committed(turn(1, "other"), {"step": "other"})
        live.committed(turn(3), {"step": "later"})
        live.tool_pending("s:2:1", "book", {"day": "monday"})
        live.tool_settled(tool("s:2:1", ok=False))
        live.tool_settled(tool("s:9:9"))
        assert live.now() == before

    def test_it_goes_on_from_a_history(self) -> None:
        history = History(
            "reception", tag_for(), (turn(1),), {"step": "x"}, (PENDING,), (SETTLED,), False
        )
        live = LiveContents(history)
        live.tool_settled(ToolRecord(PENDING.call_id, "pay", {"cents": 100}, True, {}))
        live.committed(Turn(2, "yes", "", False, NOW, ()), {"step": "y"})
        assert [each.number for each in live.now().turns] == [1, 2]
        assert [tool.call_id for tool in live.now().tools] == ["s:2:1", "s:3:1"]
        assert not live.pending

    def test_what_was_given_out_does_not_change_any_more(self) -> None:
        live = LiveContents()
        live.committed(turn(1), {"step": "one"})
        kept = live.now()
        live.committed(turn(2), {"step": "two"})
        assert len(kept.turns) == 1
