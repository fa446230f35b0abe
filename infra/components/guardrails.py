"""What keeps every role inside the region, even one that was given too much."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.known import known
from infra.components.place import Place
from infra.documents import arns, names
from infra.documents.control import service_control_policy
from infra.documents.fence import boundary
from infra.documents.statements import text


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardrailsArgs:
    """``regions``: every region that the account may use, for the service control policy."""

    place: Place
    regions: tuple[str, ...]


class Guardrails(pulumi.ComponentResource):
    """The permissions boundary of every role, and the text of a service control policy.

    The latter is for the organisation's administrator: the account cannot attach it to itself.
    """

    def __init__(
        self, name: str, args: GuardrailsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Guardrails", name, None, opts)
        policy_name = names.prefixed(args.place, "boundary")
        self.policy = aws.iam.Policy(
            name,
            name=policy_name,
            description=f"The most that a role of Inland's stack {args.place.stack} may do",
            policy=text(boundary(args.place)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.boundary = known(arns.policy(args.place, policy_name), self.policy)
        self.service_control_policy = text(service_control_policy(args.regions))
        self.register_outputs({"boundary": self.boundary})
