"""The budget of a region."""

from __future__ import annotations

from pathlib import Path

from infra.components.budget import Budget, BudgetArgs
from infra.rules.model import Resource
from tests.infra.components.harness import PLACE, graph_of, only


def budget(folder: Path, email: str | None) -> Resource:
    args = BudgetArgs(place=PLACE, monthly_usd=900, alarm_email=email)
    found = graph_of(folder, lambda opts: Budget("budget", args, opts))
    return only(found, "aws:budgets/budget:Budget")


def test_the_operator_hears_before_and_when_the_budget_is_spent(tmp_path: Path) -> None:
    found = budget(tmp_path, "ops@example.org").properties
    assert (found["limitAmount"], found["limitUnit"], found["timeUnit"]) == (
        "900",
        "USD",
        "MONTHLY",
    )
    told = {
        (warning["notificationType"], warning["threshold"]): warning["subscriberEmailAddresses"]
        for warning in found["notifications"]
    }
    assert told == {
        ("FORECASTED", 80): ["ops@example.org"],
        ("ACTUAL", 100): ["ops@example.org"],
    }


def test_without_an_address_nobody_is_told(tmp_path: Path) -> None:
    assert not budget(tmp_path, None).properties.get("notifications")


def test_it_counts_the_region_whatever_the_tags_say(tmp_path: Path) -> None:
    (counted,) = budget(tmp_path, None).properties["costFilters"]
    assert counted == {"name": "Region", "values": ["eu-central-1"]}
