"""The Pulumi program of a region: checks the stack, then makes it."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi import ResourceOptions

from infra.components.place import Place
from infra.components.provider import provider_of
from infra.components.runtime import RegionalRuntime, RegionalRuntimeArgs
from infra.programs.configuration import project_folder, whole_configuration
from infra.settings.check import CLOUD, check_stack
from infra.settings.load import from_config, load_stack, stack_of
from infra.settings.names import parse_stack_name
from infra.settings.offered import load_offered
from infra.settings.project import stack_files, stacks_beside
from infra.settings.region import RegionStack
from regions.catalogue import load_catalogue
from regions.errors import ConfigError


def main() -> None:
    """Make the stack that Pulumi was asked for. Raises ``pulumi.RunError`` before anything runs."""
    try:
        args = checked(pulumi.get_stack(), whole_configuration(), project_folder())
    except ConfigError as error:
        raise pulumi.RunError(str(error)) from error
    provider = provider_of(args.place)
    made = RegionalRuntime("inland", args, ResourceOptions(providers=[provider]))
    _export(args, made)


def checked(name: str, configuration: dict[str, str], folder: Path) -> RegionalRuntimeArgs:
    """What the region is made from. Raises ``ConfigError`` with every problem and its cure.

    The stack is checked as it was configured, beside the stack files of ``folder``: what two may
    not share is refused for both. What else is wrong with the others is their own matter, unless
    they cannot be read.
    """
    stack = from_config(configuration)
    catalogue, offered = load_catalogue(), load_offered()
    siblings = stacks_beside(folder) | {
        stack_of(path): load_stack(path) for path in stack_files(folder) if stack_of(path) != name
    }
    problems = check_stack(name, stack, siblings, catalogue, offered)
    if problems:
        raise ConfigError("\n".join(map(str, problems)))
    place = _place(name, stack)
    return RegionalRuntimeArgs(
        place=place,
        stack=stack,
        zone_ids=offered.regions[place.region].zones,
        account_regions=tuple(
            region.id
            for region in catalogue.regions
            if region.cloud == CLOUD and region.jurisdiction == stack.jurisdiction
        ),
    )


def _place(name: str, stack: RegionStack) -> Place:
    return Place(
        stack=name,
        region=parse_stack_name(name).region,
        account_id=stack.account_id,
        jurisdiction=stack.jurisdiction,
    )


def _export(args: RegionalRuntimeArgs, made: RegionalRuntime) -> None:
    """Names and addresses for the operator; no secret, and nothing that opens one."""
    domain = args.stack.domain
    pulumi.export("stack", args.place.stack)
    pulumi.export("region", args.place.region)
    pulumi.export("domain", domain)
    pulumi.export("sipAddress", f"sip:sip.{domain}" if args.stack.sip else None)
    pulumi.export("turnAddress", f"turn.{domain}" if args.stack.turn else None)
    pulumi.export("recordingsBucket", made.recordings.name)
    pulumi.export("softwareBucket", made.software.name)
    pulumi.export("autoScalingGroups", [fleet.group_name for fleet in made.fleets])
    pulumi.export("secrets", list(made.secret_names.values()))
    pulumi.export("serviceControlPolicy", made.guardrails.service_control_policy)
