"""Containers for secrets. Their values never pass through a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.known import known
from infra.components.place import Place
from infra.components.tags import holds
from infra.documents.secrets import secret_policy
from infra.documents.statements import text

RECOVERY_DAYS = 7
"""How long a deleted secret can be taken back: the shortest that Secrets Manager offers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretsArgs:
    """``names``: label in the program to name in the account, see ``infra.documents.names``."""

    place: Place
    key_arn: pulumi.Input[str]
    names: Mapping[str, str]


class Secrets(pulumi.ComponentResource):
    """Empty secrets, sealed with the region's key; ``inland regions supply`` fills them.

    ``names`` are known in a preview, and make whoever uses them wait for the secret.
    """

    def __init__(
        self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Secrets", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        self.secrets: dict[str, aws.secretsmanager.Secret] = {}
        self.names: dict[str, pulumi.Output[str]] = {}
        for label, secret_name in args.names.items():
            secret = aws.secretsmanager.Secret(
                f"{name}-{label}",
                name=secret_name,
                kms_key_id=args.key_arn,
                recovery_window_in_days=RECOVERY_DAYS,
                tags=holds("secrets"),
                opts=own,
            )
            policy = aws.secretsmanager.SecretPolicy(
                f"{name}-{label}",
                secret_arn=secret.arn,
                policy=text(secret_policy(args.place)),
                block_public_policy=True,
                opts=own,
            )
            self.secrets[label] = secret
            self.names[label] = known(secret_name, secret, policy)
        self.register_outputs({"names": self.names})
