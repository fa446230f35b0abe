"""A monthly budget that warns before it is spent."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.place import Place
from infra.documents import names

FORECAST_PERCENT = 80
ACTUAL_PERCENT = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetArgs:
    """Without ``alarm_email`` the budget is kept, and nobody is told."""

    place: Place
    monthly_usd: int
    alarm_email: str | None
    regions: tuple[str, ...] = ()
    """Counted together; by default the place's own."""


class Budget(pulumi.ComponentResource):
    """What the account's region may cost a month.

    Counts the region and not the stack's tags: a tag counts only after somebody has made it a
    cost allocation tag, and until then such a budget would stay at zero and never warn. What
    belongs to no region (the hosted zone) is not in it.
    """

    def __init__(
        self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Budget", name, None, opts)
        warnings = (("FORECASTED", FORECAST_PERCENT), ("ACTUAL", ACTUAL_PERCENT))
        self.budget = aws.budgets.Budget(
            name,
            name=names.prefixed(args.place),
            account_id=args.place.account_id,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(args.monthly_usd),
            limit_unit="USD",
            cost_filters=[
                aws.budgets.BudgetCostFilterArgs(
                    name="Region", values=list(args.regions or (args.place.region,))
                )
            ],
            notifications=[
                aws.budgets.BudgetNotificationArgs(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    subscriber_email_addresses=[args.alarm_email],
                )
                for kind, percent in warnings
                if args.alarm_email is not None
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
