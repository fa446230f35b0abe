"""A role of IAM that cannot leave its region, and its instance profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.known import known
from infra.components.place import Place
from infra.documents import arns, names
from infra.documents.fence import fenced
from infra.documents.statements import Document, Statement, text


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleArgs:
    """``name`` is what follows ``inland-<slug>-``: ``edge``, ``edge-clinic``, ``turn``."""

    place: Place
    name: str
    trust: Document
    """Who may assume it, see ``infra.documents.trust``."""
    statements: Sequence[Statement]
    """What it may do, without the fence: that is added here, so that no role lacks it."""
    boundary: pulumi.Input[str]
    """ARN of the permissions boundary, see ``Guardrails``."""
    for_instances: bool = True
    """Whether machines carry it."""


class Role(pulumi.ComponentResource):
    """A role with one inline policy. ``arn`` and ``name`` are known in a preview."""

    def __init__(
        self, name: str, args: RoleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Role", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        role_name = names.prefixed(args.place, args.name)
        self.role = aws.iam.Role(
            name,
            name=role_name,
            assume_role_policy=text(args.trust),
            permissions_boundary=args.boundary,
            opts=own,
        )
        self.policy = aws.iam.RolePolicy(
            name,
            name=role_name,
            role=known(role_name, self.role),
            policy=text(fenced(args.place, args.statements)),
            opts=own,
        )
        self.arn = known(arns.role(args.place, role_name), self.role, self.policy)
        self.name = known(role_name, self.role, self.policy)
        self.profile: aws.iam.InstanceProfile | None = None
        if args.for_instances:
            self.profile = aws.iam.InstanceProfile(
                name, name=role_name, role=known(role_name, self.role), opts=own
            )
        self.register_outputs({"arn": self.arn})
