"""Finds and names what was done to an audit log. Pure: lines and heads in, findings out."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.audit import START, Entry, read_line
from edge.audit_heads import Head, read_head

Kind: TypeAlias = Literal[
    "edited", "deleted", "inserted", "moved", "rewritten", "truncated", "torn", "bad_head"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: with entries ``first`` to ``last``, at ``line`` of the file."""

    kind: Kind
    first: int
    last: int
    line: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """``entries`` is the number of the last one, ``covered`` that of the last that a good head
    vouches for."""

    findings: tuple[Finding, ...]
    entries: int
    covered: int


@dataclass(frozen=True, slots=True)
class _Placed:
    line: int
    entry: Entry


def verify(raw: bytes, heads: Sequence[str], keys: Mapping[str, Ed25519PublicKey]) -> Verdict:
    """Judge a log with the signed heads that were kept of it, in the order they were signed."""
    *lines, rest = raw.split(b"\n")
    findings: list[Finding] = []
    if rest:
        lines.append(rest)  # it counts as a line; if it is whole, only its end was cut off
    placed, bad = _parse(lines)
    if rest and bad[-1:] == [len(lines)]:
        bad.pop()  # told as torn
    chain = dict(_chosen(placed, findings))
    last = max(chain, default=0)
    findings += _gaps(chain, bad)
    findings += _links(chain)
    findings += _moves([each for each in placed if chain.get(each.entry.n) is each])
    if rest:
        text = "the last line is cut off: by a crash, or by somebody"
        findings.append(Finding("torn", last + 1, last + 1, len(lines), text))
    occupied = last + sum(line > _end(chain) for line in bad)
    covered = _against_heads(chain, occupied, heads, keys, findings)
    findings.sort(key=lambda finding: (finding.first, finding.last, finding.line or 0))
    return Verdict(tuple(findings), last, covered)


def _parse(lines: Sequence[bytes]) -> tuple[list[_Placed], list[int]]:
    """The entries, and the numbers of the lines that are none.

    A line that a crash tore is none, and the entry after it says so.
    """
    placed: list[_Placed] = []
    bad: list[int] = []
    for number, line in enumerate(lines, start=1):
        entry = read_line(line)
        if entry is None:
            bad.append(number)
            continue
        if entry.event == "log_recovered" and bad:
            # A log that a crash tore in its very first line begins between the two.
            near = number - (2 if entry.n == 2 else 1)
            torn = hashlib.sha256(lines[near - 1]).hexdigest()
            if bad[-1] == near and entry.facts.get("sha256") == torn:
                bad.pop()
        placed.append(_Placed(number, entry))
    return placed, bad


def _chosen(placed: Sequence[_Placed], findings: list[Finding]) -> Iterator[tuple[int, _Placed]]:
    """One entry for each number: of several the one that its neighbours name."""
    numbered: dict[int, list[_Placed]] = defaultdict(list)
    for each in placed:
        numbered[each.entry.n].append(each)
    for n, candidates in numbered.items():
        after = {each.entry.prev for each in numbered.get(n + 1, ())}
        before = {each.entry.digest for each in numbered.get(n - 1, ())} | {START}
        best = max(
            candidates, key=lambda each: (each.entry.digest in after, each.entry.prev in before)
        )
        for each in candidates:
            if each is not best:
                text = f"entry {n} stands there once more: a line was put in"
                findings.append(Finding("inserted", n, n, each.line, text))
        yield n, best


def _gaps(chain: Mapping[int, _Placed], bad: Sequence[int]) -> Iterator[Finding]:
    """Numbers that are missing, and lines that are no entries: an edited one is both."""
    unexplained = list(bad)
    present = sorted(chain)
    for before, n in zip([0, *present], present, strict=False):
        missing = list(range(before + 1, n))
        if not missing:
            continue
        low = chain[before].line if before else 0
        here = [line for line in unexplained if low < line < chain[n].line]
        for number, line in zip(missing, here, strict=False):
            unexplained.remove(line)
            yield Finding("edited", number, number, line, f"entry {number} was edited")
        gone = missing[len(here) :]
        if gone:
            yield Finding("deleted", gone[0], gone[-1], None, f"{_entries(gone)} missing")
    end = _end(chain)
    for line in unexplained:
        if line > end:
            n = max(chain, default=0) + line - end
            yield Finding("edited", n, n, line, f"entry {n} was edited")
        else:
            n = max((n for n, each in chain.items() if each.line < line), default=0)
            yield Finding("inserted", n, n, line, f"a line was put in after entry {n}")


def _end(chain: Mapping[int, _Placed]) -> int:
    """The last line that is an entry."""
    return max((each.line for each in chain.values()), default=0)


def _links(chain: Mapping[int, _Placed]) -> Iterator[Finding]:
    """Entries that do not name the one before: one of the two was written anew."""
    broken = {
        n
        for n, each in chain.items()
        if (n == 1 and each.entry.prev != START)
        or (
            n - 1 in chain
            and (each.entry.prev, each.entry.log)
            != (chain[n - 1].entry.digest, chain[n - 1].entry.log)
        )
    }
    for n in sorted(broken):
        if n - 1 in broken and n - 1 in chain:
            continue  # both of its links are broken: told with the one before
        # With its own link and its successor's broken it is this entry, else the one before.
        culprit = n if n + 1 in broken or n == 1 else n - 1
        text = f"entry {culprit} was written anew: its neighbours name another one"
        yield Finding("rewritten", culprit, culprit, chain[culprit].line, text)


def _moves(placed: Sequence[_Placed]) -> Iterator[Finding]:
    """Entries that do not stand in the order of their numbers: the fewest that explain it."""
    numbers = [each.entry.n for each in placed]
    if all(a < b for a, b in pairwise(numbers)):
        return
    strayed = set(numbers) - _longest_rise(numbers)
    swapped = {n for n, home in zip(numbers, sorted(numbers), strict=True) if n != home}
    moved = min(swapped, strayed, key=len)
    for each in placed:
        n = each.entry.n
        if n in moved:
            yield Finding("moved", n, n, each.line, f"entry {n} stands out of its place")


def _longest_rise(numbers: Sequence[int]) -> set[int]:
    """The longest increasing subsequence (patience sorting)."""
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        place = bisect_left(ends, number)
        before[number] = ends[place - 1] if place else None
        ends[place : place + 1] = [number]
    kept: set[int] = set()
    step: int | None = ends[-1] if ends else None
    while step is not None:
        kept.add(step)
        step = before[step]
    return kept


def _against_heads(
    chain: Mapping[int, _Placed],
    last: int,
    heads: Sequence[str],
    keys: Mapping[str, Ed25519PublicKey],
    findings: list[Finding],
) -> int:
    """Compare with what was signed; returns the number of the last entry that a head vouches for.

    The first head that does not fit says where: between the last one that did and itself.
    """
    good = 0
    for number, text in enumerate(heads, start=1):
        head = read_head(text, keys)
        if head is None:
            words = f"head {number} is signed by none of the given keys"
            findings.append(Finding("bad_head", 0, 0, number, words))
            continue
        problem = _misfit(chain, last, head, good)
        if problem is None:
            good = max(good, head.n if head.n in chain else good)
        elif (problem.kind, head.n, head.n) not in {(f.kind, f.first, f.last) for f in findings}:
            findings.append(problem)
            return good
    return good


def _misfit(chain: Mapping[int, _Placed], last: int, head: Head, good: int) -> Finding | None:
    if head.n > last:
        gone = list(range(last + 1, head.n + 1))
        text = f"{_entries(gone)} missing at the end: a head of {head.n} entries was signed"
        return Finding("truncated", last + 1, head.n, None, text)
    found = chain.get(head.n)
    if found is None:  # told as edited or deleted
        return None
    if (found.entry.digest, found.entry.log) == (head.digest, head.log):
        return None
    text = f"entries {good + 1} to {head.n} were written anew: another end was signed"
    return Finding("rewritten", good + 1, head.n, None, text)


def _entries(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"entry {numbers[0]} is"
    return f"entries {numbers[0]} to {numbers[-1]} are"
