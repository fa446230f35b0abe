"""The Pulumi program of the control plane: checks the stack, then makes it in all its regions."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi import ResourceOptions

from infra.components.budget import Budget, BudgetArgs
from infra.components.control_plane import ControlPlaneRegion, ControlPlaneRegionArgs
from infra.components.place import Place
from infra.components.provider import provider_of
from infra.programs.configuration import project_folder, whole_configuration
from infra.settings.check import check_stack
from infra.settings.control_plane import ControlPlaneStack
from infra.settings.load import control_plane_from_config
from infra.settings.neighbours import replica_urls
from infra.settings.offered import load_offered
from infra.settings.project import stacks_beside
from regions.catalogue import load_catalogue
from regions.errors import ConfigError

NO_JURISDICTION = "none"
"""Its tag: the control plane holds no caller's data, so no law says where it stands."""


def main() -> None:
    """Make the stack that Pulumi was asked for. Raises ``pulumi.RunError`` before anything runs."""
    try:
        parts = checked(pulumi.get_stack(), whole_configuration(), project_folder())
    except ConfigError as error:
        raise pulumi.RunError(str(error)) from error
    made: list[ControlPlaneRegion] = []
    stack = parts[0].stack
    for number, args in enumerate(parts):
        providers = ResourceOptions(providers=[provider_of(args.place)])
        made.append(ControlPlaneRegion(args.place.region, args, providers))
        if number == 0:
            Budget(
                "budget",
                BudgetArgs(
                    place=args.place,
                    monthly_usd=stack.monthly_budget_usd,
                    alarm_email=stack.alarm_email,
                    regions=tuple(one.region for one in stack.regions),
                ),
                providers,
            )
    pulumi.export("domain", stack.domain)
    pulumi.export("regions", [args.place.region for args in parts])
    pulumi.export("replicas", list(replica_urls(stack)))
    pulumi.export("softwareBuckets", [one.software.name for one in made])
    pulumi.export("secrets", [name for one in made for name in one.secret_names.values()])
    pulumi.export("serviceControlPolicy", made[0].guardrails.service_control_policy)


def checked(
    name: str, configuration: dict[str, str], folder: Path
) -> tuple[ControlPlaneRegionArgs, ...]:
    """What each region is made from. Raises ``ConfigError`` with every problem and its cure."""
    stack: ControlPlaneStack = control_plane_from_config(configuration)
    offered = load_offered()
    problems = check_stack(name, stack, stacks_beside(folder), load_catalogue(), offered)
    if problems:
        raise ConfigError("\n".join(map(str, problems)))
    return tuple(
        ControlPlaneRegionArgs(
            place=Place(name, replicas.region, stack.account_id, NO_JURISDICTION),
            stack=stack,
            replicas=replicas,
            zone_ids=offered.regions[replicas.region].zones,
        )
        for replicas in stack.regions
    )
