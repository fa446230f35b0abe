"""How each type of resource is made, changed and deleted: a module per service of AWS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.infra.rehearsal.kind import Kind
from tests.infra.rehearsal.services import (
    acm,
    autoscaling,
    budgets,
    cloudwatch,
    ec2,
    elasticache,
    elbv2,
    iam,
    kms,
    route53,
    s3,
    secretsmanager,
    sns,
)

KINDS: Final[Mapping[str, Kind]] = {
    **acm.KINDS,
    **autoscaling.KINDS,
    **budgets.KINDS,
    **cloudwatch.KINDS,
    **ec2.KINDS,
    **elasticache.KINDS,
    **elbv2.KINDS,
    **iam.KINDS,
    **kms.KINDS,
    **route53.KINDS,
    **s3.KINDS,
    **secretsmanager.KINDS,
    **sns.KINDS,
}

NOT_IN_MOTO: Final[Mapping[str, str]] = {
    type_: kind.absent for type_, kind in KINDS.items() if kind.absent
}
"""Types that only the double's state knows, and why."""
