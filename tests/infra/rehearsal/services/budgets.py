"""Budgets, which belong to no region."""

from __future__ import annotations

from typing import Any, Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values


def _create(aws: Aws, inputs: Values) -> Made:
    name, account = inputs["name"], inputs["accountId"]
    budget = {
        "BudgetName": name,
        "BudgetType": inputs["budgetType"],
        "TimeUnit": inputs["timeUnit"],
        "BudgetLimit": {"Amount": inputs["limitAmount"], "Unit": inputs["limitUnit"]},
        "CostFilters": {item["name"]: item["values"] for item in inputs.get("costFilters") or ()},
    }
    told = [_notification(item) for item in inputs.get("notifications") or ()]
    aws.budgets.create_budget(AccountId=account, Budget=budget, NotificationsWithSubscribers=told)
    return Made(f"{account}:{name}", {"arn": f"arn:aws:budgets::{account}:budget/{name}"})


def _notification(inputs: Values) -> dict[str, Any]:
    return {
        "Notification": {
            "NotificationType": inputs["notificationType"],
            "ComparisonOperator": inputs["comparisonOperator"],
            "Threshold": inputs["threshold"],
            "ThresholdType": inputs["thresholdType"],
        },
        "Subscribers": [
            {"SubscriptionType": "EMAIL", "Address": address}
            for address in inputs.get("subscriberEmailAddresses") or ()
        ],
    }


def _update(aws: Aws, kept: Kept, inputs: Values) -> Values:
    """moto has no UpdateBudget: here the budget is made anew."""
    _delete(aws, kept)
    _create(aws, inputs)
    return {}


def _delete(aws: Aws, kept: Kept) -> None:
    aws.budgets.delete_budget(AccountId=kept.inputs["accountId"], BudgetName=kept.inputs["name"])


KINDS: Final = {
    "aws:budgets/budget:Budget": Kind(
        _create, _delete, _update, frozenset({"accountId", "name"}), tagged=True
    )
}
