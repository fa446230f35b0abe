"""The document on the rules names each rule as it is."""

from __future__ import annotations

import re
from pathlib import Path

from infra.policy.not_shown import NOT_SHOWN
from infra.rules.registry import RULES

DOCUMENT = Path(__file__).parents[3] / "docs" / "residency-rules.md"


def test_the_document_lists_every_rule_and_what_it_says() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert dict(rows) == {name: rule.says for name, rule in RULES.items()}


def test_the_document_lists_what_a_pack_is_not_shown() -> None:
    rows = re.findall(r"^- `([a-z-]+)`: (.+)\. The gate sees it\.$", DOCUMENT.read_text(), re.M)
    assert dict(rows) == NOT_SHOWN
