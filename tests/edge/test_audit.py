"""Whoever changes an audit log is found out, and where: any one change, at the right entry."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.audit import START, Entry, read_line
from edge.audit_heads import Head, HeadKey, head_texts, read_head
from edge.audit_log import AuditError, AuditLog, Happened
from edge.audit_verify import Finding, Verdict, verify
from edge.session.receipt import ReceiptKey
from tests.edge.session.parts import EU, NOW, ManualClock

KEY = HeadKey(b"a" * 32)
KEYS = {KEY.key_id: KEY.public}
COUNT = 12
HEADS_AT = (4, 8, 12)


def chain(count: int = COUNT, log: str = "0123456789abcdef") -> list[Entry]:
    entries: list[Entry] = []
    for n in range(1, count + 1):
        entries.append(
            Entry(
                log=log,
                n=n,
                at=NOW + n,
                who="eu-central-1-a",
                event="session_begun",
                facts={"session": f"s_{n}", "tenant": "clinic"},
                prev=entries[-1].digest if entries else START,
            )
        )
    return entries


def head(entry: Entry, key: HeadKey = KEY) -> str:
    return key.sign(Head(log=entry.log, region=EU, n=entry.n, digest=entry.digest, at=NOW))


ENTRIES = chain()
LINES = [entry.line() for entry in ENTRIES]
HEADS = [head(ENTRIES[n - 1]) for n in HEADS_AT]


def judge(lines: list[bytes], heads: list[str] = HEADS, *, end: bytes = b"\n") -> Verdict:
    return verify(b"\n".join(lines) + (end if lines else b""), heads, KEYS)


def only(verdict: Verdict, kind: str) -> Finding:
    (finding,) = verdict.findings
    assert finding.kind == kind, finding
    return finding


def test_an_untouched_log_has_no_findings() -> None:
    assert judge(LINES) == Verdict((), COUNT, COUNT)
    assert judge(LINES, []) == Verdict((), COUNT, 0)
    assert judge(LINES, HEADS[:2]) == Verdict((), COUNT, 8)
    assert judge([], []) == Verdict((), 0, 0)


@given(st.integers(1, COUNT), st.data())
def test_any_byte_that_is_changed_is_found_at_its_entry(n: int, data: st.DataObject) -> None:
    line = bytearray(LINES[n - 1])
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] = data.draw(
        st.integers(0, 255).filter(lambda byte: byte not in (line[place], ord("\n")))
    )
    found = only(judge([*LINES[: n - 1], bytes(line), *LINES[n:]]), "edited")
    assert (found.first, found.last, found.line) == (n, n, n)


@given(st.integers(1, COUNT))
def test_an_entry_that_is_written_anew_with_its_digest_is_found(n: int) -> None:
    forged = ENTRIES[n - 1].model_copy(update={"facts": {"session": "s_other"}}).line()
    found = only(judge([*LINES[: n - 1], forged, *LINES[n:]]), "rewritten")
    # The last entry has no successor to name it: the heads say between which entries it was.
    assert (found.first, found.last) == ((n, n) if n < COUNT else (9, 12))


@given(st.integers(1, COUNT))
def test_a_log_that_is_written_anew_from_some_entry_on_is_found_between_two_heads(n: int) -> None:
    entries = list(ENTRIES[: n - 1])
    for old in ENTRIES[n - 1 :]:
        prev = entries[-1].digest if entries else START
        entries.append(old.model_copy(update={"prev": prev, "who": "nobody"}))
    found = only(judge([entry.line() for entry in entries]), "rewritten")
    assert found.first <= n <= found.last
    assert found.last - found.first == 3
    assert judge([entry.line() for entry in entries], []).findings == ()


@given(st.integers(1, COUNT - 1), st.integers(1, COUNT))
def test_entries_that_are_taken_out_are_named(first: int, count: int) -> None:
    last = min(first + count - 1, COUNT - 1)
    found = only(judge([*LINES[: first - 1], *LINES[last:]]), "deleted")
    assert (found.first, found.last) == (first, last)


@given(st.integers(0, COUNT - 1))
def test_a_log_that_is_cut_off_is_found_at_the_first_entry_that_lacks(kept: int) -> None:
    found = only(judge(LINES[:kept]), "truncated")
    assert (found.first, found.last) == (kept + 1, min(n for n in HEADS_AT if n > kept))


def test_what_was_cut_off_after_the_last_head_does_not_show() -> None:
    """Which is why a head is signed each minute: what is claimed ends with ``covered``."""
    assert judge(LINES[:9], HEADS[:2]) == Verdict((), 9, 8)


@given(st.integers(1, COUNT), st.data())
def test_a_line_that_is_cut_short_at_the_end_is_found(n: int, data: st.DataObject) -> None:
    keep = data.draw(st.integers(1, len(LINES[n - 1])))
    lines = [*LINES[: n - 1], LINES[n - 1][:keep]]
    kinds = {finding.kind: finding for finding in judge(lines, end=b"").findings}
    assert kinds["torn"].line == n
    if keep < len(LINES[n - 1]):
        assert kinds["truncated"].first == n
    else:
        assert kinds["torn"].first == n + 1


@given(st.integers(1, COUNT), st.integers(0, COUNT))
def test_a_copy_that_is_put_in_is_found(n: int, place: int) -> None:
    lines = [*LINES[:place], LINES[n - 1], *LINES[place:]]
    found = judge(lines).findings
    assert [each.kind for each in found if each.kind == "inserted"] == ["inserted"]
    assert all(each.first == n for each in found)


@given(st.integers(0, COUNT - 1))
def test_a_line_that_is_no_entry_is_found_where_it_was_put_in(place: int) -> None:
    found = only(judge([*LINES[:place], b"{}", *LINES[place:]]), "inserted")
    assert found.line == place + 1


@given(st.integers(1, COUNT))
def test_a_forged_entry_that_is_put_in_is_told_from_the_true_one(n: int) -> None:
    forged = ENTRIES[n - 1].model_copy(update={"who": "nobody"}).line()
    for lines in (
        [*LINES[: n - 1], forged, *LINES[n - 1 :]],
        [*LINES[:n], forged, *LINES[n:]],
    ):
        found = [each for each in judge(lines).findings if each.kind == "inserted"]
        assert [each.first for each in found] == [n]
        if n < COUNT:
            assert lines[(found[0].line or 0) - 1] == forged


@given(st.integers(1, COUNT), st.integers(1, COUNT))
def test_entries_that_change_places_are_found(a: int, b: int) -> None:
    first, second = min(a, b), max(a, b)
    lines = list(LINES)
    lines[first - 1], lines[second - 1] = lines[second - 1], lines[first - 1]
    found = judge(lines).findings
    moved = {each.first for each in found}
    assert {each.kind for each in found} == ({"moved"} if first != second else set())
    assert moved <= {first, second}
    assert bool(moved) == (first != second)


@given(st.permutations(range(COUNT)))
def test_any_other_order_is_found(order: list[int]) -> None:
    found = judge([LINES[place] for place in order]).findings
    assert bool(found) == (order != sorted(order))
    assert {each.kind for each in found} <= {"moved"}


def test_another_logs_entries_do_not_pass_for_this_one() -> None:
    other = chain(log="f" * 16)
    mixed = [*LINES[:6], *(entry.line() for entry in other[6:])]
    assert judge(mixed).findings
    whole = only(judge([entry.line() for entry in other]), "rewritten")
    assert (whole.first, whole.last) == (1, 4)


def test_a_head_that_nobody_signed_vouches_for_nothing() -> None:
    forged = head(ENTRIES[11], HeadKey(b"b" * 32))
    found = only(judge(LINES, [*HEADS[:2], forged]), "bad_head")
    assert found.line == 3
    assert judge(LINES, [*HEADS[:2], forged]).covered == 8
    changed = HEADS[0][:-4] + "AAAA"
    assert read_head(changed, KEYS) is None
    assert read_head("x" * 9000, KEYS) is None


def test_a_receipt_is_no_head() -> None:
    """The same region may sign with one key by mistake: the type keeps them apart."""
    import jwt
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
    assert ReceiptKey(b"a" * 32).key_id == KEY.key_id
    payload = Head(log="0" * 16, region=EU, n=1, digest=START, at=NOW).model_dump_json().encode()
    headers = {"kid": KEY.key_id, "typ": "inland-receipt+jws"}
    other = jwt.api_jws.encode(payload, key, algorithm="EdDSA", headers=headers)
    assert read_head(other, KEYS) is None


def test_heads_are_found_in_a_nodes_own_log_too() -> None:
    lines = [
        json.dumps({"message": "audit head", "head": HEADS[0]}),
        json.dumps({"message": "call opened"}),
        "{ not json",
        "",
        HEADS[1],
    ]
    assert head_texts(lines) == HEADS[:2]


def test_an_entry_has_one_spelling() -> None:
    line = LINES[0]
    assert read_line(line) == ENTRIES[0]
    fields = json.loads(line)
    for other in (
        json.dumps(fields).encode(),
        line + b" ",
        line.replace(b'"v":1', b'"v":1,"v":1'),
        b"[" * 8000,
        b"\xff",
        line[:-2] + b',"x":1}',
        b" " * 9000,
    ):
        assert read_line(other) is None


# --- appending --------------------------------------------------------------------------------


def log_in(folder: Path, who: str = "eu-central-1-a", **more: Callable[[str], None]) -> AuditLog:
    return AuditLog(
        folder / "log" / "audit.jsonl",
        folder / "heads" / "audit.heads",
        region=EU,
        who=who,
        key=KEY,
        clock=ManualClock(),
        **more,
    )


def began(number: int) -> Happened:
    return Happened(NOW + number, "session_begun", {"session": f"s_{number}"})


def verdict(folder: Path) -> Verdict:
    heads = folder / "heads" / "audit.heads"
    texts = head_texts(heads.read_text().splitlines()) if heads.exists() else []
    return verify((folder / "log" / "audit.jsonl").read_bytes(), texts, KEYS)


def test_a_log_begins_with_its_region_and_key_and_is_private(tmp_path: Path) -> None:
    assert log_in(tmp_path).append([began(1)], sign=True) == 2
    path = tmp_path / "log" / "audit.jsonl"
    first = read_line(path.read_bytes().split(b"\n")[0])
    assert first is not None
    assert (first.event, first.facts) == ("log_began", {"region": EU, "key": KEY.key_id})
    assert path.stat().st_mode & 0o777 == 0o600
    assert verdict(tmp_path) == Verdict((), 2, 2)


def test_a_log_goes_on_where_it_was_and_tells_its_heads(tmp_path: Path) -> None:
    told: list[str] = []
    log_in(tmp_path, tell=told.append).append([began(1), began(2)], sign=False)
    assert verdict(tmp_path) == Verdict((), 3, 0)
    log_in(tmp_path, who="operator", tell=told.append).append([began(3)], sign=True)
    log_in(tmp_path, tell=told.append).append([], sign=True)
    assert verdict(tmp_path) == Verdict((), 4, 4)
    assert told == (tmp_path / "heads" / "audit.heads").read_text().splitlines()


@pytest.mark.parametrize("whole", [0, 1, 3])
def test_a_line_that_a_crash_cut_short_is_told_and_nothing_is_lost(
    tmp_path: Path, whole: int
) -> None:
    path = tmp_path / "log" / "audit.jsonl"
    log = log_in(tmp_path)
    if whole:
        log.append([began(number) for number in range(whole)], sign=True)
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as file:
        file.write(b'{"at":1,"half a li')
    before = whole + 1 if whole else 0
    assert log.append([began(9)], sign=True) == before + (2 if whole else 3)
    found = verdict(tmp_path)
    assert found.findings == ()
    events = [read_line(line) for line in path.read_bytes().split(b"\n")]
    assert "log_recovered" in {entry.event for entry in events if entry}


@pytest.mark.parametrize("count", [0, 2])
def test_an_entry_that_lacks_only_the_end_of_its_line_counts(tmp_path: Path, count: int) -> None:
    path = tmp_path / "log" / "audit.jsonl"
    log = log_in(tmp_path)
    log.append([began(number) for number in range(count)], sign=True)
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    assert log.append([began(9)], sign=True) == count + 2
    assert verdict(tmp_path) == Verdict((), count + 2, count + 2)


def test_a_torn_line_that_was_changed_afterwards_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log" / "audit.jsonl"
    log = log_in(tmp_path)
    log.append([began(1)], sign=False)
    with path.open("ab") as file:
        file.write(b'{"at":1,"half a li')
    log.append([began(2)], sign=True)
    path.write_bytes(path.read_bytes().replace(b"half a li", b"half a la"))
    assert only(verdict(tmp_path), "inserted").line == 3


def test_a_log_whose_end_is_no_entry_is_not_written_on(tmp_path: Path) -> None:
    path = tmp_path / "log" / "audit.jsonl"
    log = log_in(tmp_path)
    log.append([began(1)], sign=False)
    content = path.read_bytes() + b"changed\n"
    path.write_bytes(content)
    with pytest.raises(AuditError, match="its last line is no entry"):
        log.append([began(2)], sign=True)
    path.write_bytes(b"x" * 100_000)
    with pytest.raises(AuditError, match="no audit log"):
        log.append([began(2)], sign=True)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    with pytest.raises(AuditError, match=str(tmp_path / "log")):
        log_in(tmp_path).append([began(1)], sign=True)


def _append_many(folder: Path, who: str) -> None:
    log = log_in(folder, who)
    for number in range(25):
        log.append([began(number)], sign=number % 5 == 0)


def test_processes_that_append_at_once_make_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_append_many, args=(tmp_path, f"node-{index}")) for index in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    found = verdict(tmp_path)
    assert (found.findings, found.entries) == ((), 101)
