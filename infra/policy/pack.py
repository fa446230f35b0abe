"""The pack: the residency rules on each resource, and on the whole stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from infra.policy.adapter import alone, whole
from infra.policy.configuration import RESOURCE_POLICY, STACK_POLICY
from infra.policy.marks import keep_marks
from infra.programs.configuration import whole_configuration
from infra.rules.model import Scope
from infra.rules.registry import check, check_resource
from infra.settings.load import control_plane_from_config, from_config
from infra.settings.problems import CONTROL_PLANE_PROJECT
from infra.settings.scope import scope_of
from regions.errors import ConfigError

NAME: Final = "inland-residency"
SCHEMA: Final = PolicyConfigSchema(
    {
        "kind": {"type": "string", "enum": ["region", "control-plane"]},
        "regions": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "accountId": {"type": "string", "pattern": "^[0-9]{12}$"},
    }
)
"""What a stack may be. All three or none: without them the stack's own settings say it."""


class ScopeUnknown(Exception):
    """Nobody says what the stack may be."""


def scope_from(config: Mapping[str, Any]) -> Scope:
    """From the policy's configuration, else from the stack's. Raises ``ScopeUnknown``."""
    given = {name: config[name] for name in SCHEMA.properties if name in config}
    if len(given) == len(SCHEMA.properties):
        return Scope(config["kind"], frozenset(config["regions"]), config["accountId"])
    if given:
        missing = ", ".join(sorted(set(SCHEMA.properties) - set(given)))
        raise ScopeUnknown(f"the policy's configuration lacks {missing}")
    try:
        values = whole_configuration()
        if pulumi.get_project() == CONTROL_PLANE_PROJECT:
            return scope_of(pulumi.get_stack(), control_plane_from_config(values))
        return scope_of(pulumi.get_stack(), from_config(values))
    except ConfigError as error:
        raise ScopeUnknown(str(error)) from error


def one_resource(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Before a resource is made: what it shows by itself."""
    try:
        scope = scope_from(args.get_config())
    except ScopeUnknown as error:
        report(f"scope-unknown: {error}", None)
        return
    resource, graph = alone(args)
    for found in sorted(check_resource(resource, graph, scope)):
        report(f"{found.rule}: {found.message}", None)


def every_resource(args: StackValidationArgs, report: ReportViolation) -> None:
    """After the last step: what the whole stack shows."""
    try:
        scope = scope_from(args.get_config())
    except ScopeUnknown as error:
        report(f"scope-unknown: {error}", None)
        return
    for found in check(whole(args.resources), scope):
        report(f"{found.rule}: {found.message}", found.urn or None)


def serve() -> None:
    """Serve the engine until it ends this process."""
    keep_marks()
    PolicyPack(
        NAME,
        [
            ResourceValidationPolicy(
                RESOURCE_POLICY,
                "A resource keeps its data in the stack's region.",
                one_resource,
                config_schema=SCHEMA,
            ),
            StackValidationPolicy(
                STACK_POLICY,
                "A stack keeps its data in its region.",
                every_resource,
                config_schema=SCHEMA,
            ),
        ],
        enforcement_level=EnforcementLevel.MANDATORY,
    )
