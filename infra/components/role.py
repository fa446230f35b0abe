"""A role of IAM that cannot leave its region, and its instance profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.known import known
from infra.components.place import Place
from infra.documents import arns, names
from infra.documents.fence import policies_of_role
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
    """A role with its policies. ``arn`` and ``name`` are known in a preview."""

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
        granted = self._grant(name, args, role_name)
        self.arn = known(arns.role(args.place, role_name), self.role, *granted)
        self.name = known(role_name, self.role, *granted)
        self.profile: aws.iam.InstanceProfile | None = None
        if args.for_instances:
            self.profile = aws.iam.InstanceProfile(
                name, name=role_name, role=known(role_name, self.role), opts=own
            )
        self.register_outputs({"arn": self.arn})

    def _grant(self, name: str, args: RoleArgs, role_name: str) -> list[pulumi.Resource]:
        """The policies; whoever uses the role waits for them."""
        own = pulumi.ResourceOptions(parent=self)
        role = known(role_name, self.role)
        inline, *others = policies_of_role(args.place, args.statements)
        granted: list[pulumi.Resource] = [
            aws.iam.RolePolicy(name, name=role_name, role=role, policy=text(inline), opts=own)
        ]
        for number, document in enumerate(others, start=2):
            policy_name = f"{role_name}-{number}"
            policy = aws.iam.Policy(
                f"{name}-{number}", name=policy_name, policy=text(document), opts=own
            )
            granted.append(
                aws.iam.RolePolicyAttachment(
                    f"{name}-{number}",
                    role=role,
                    policy_arn=known(arns.policy(args.place, policy_name), policy),
                    opts=own,
                )
            )
        return granted
