"""The keys that everything of a region is sealed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from infra.components.place import Place
from infra.components.tags import holds
from infra.documents import names
from infra.documents.keys import (
    recordings_key_policy,
    region_key_policy,
    tenant_key_policy,
)
from infra.documents.statements import Document, text

WINDOW_DAYS = 30
"""How long a deleted key can be taken back: the longest that KMS offers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeysArgs:
    """``tenants`` get a key each, for their sessions; with ``recordings`` those have one too. A
    control plane has neither."""

    place: Place
    tenants: Mapping[str, str] = field(default_factory=dict)
    """Tenant to the role of the nodes that serve it."""
    recordings: bool = False


class Keys(pulumi.ComponentResource):
    """The region's own key and one per tenant. They never leave the region and are rotated."""

    def __init__(
        self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Keys", name, None, opts)
        place = args.place
        self.region = self._key(
            name,
            names.region_alias(place),
            f"Inland {place.stack}: logs, disks, secrets, store, software",
            region_key_policy(place),
        )
        self.tenants = {
            tenant: self._key(
                f"{name}-{tenant}",
                names.tenant_alias(place, tenant),
                f"Inland {place.stack}: sessions of {tenant}",
                tenant_key_policy(place, tenant, role),
            )
            for tenant, role in args.tenants.items()
        }
        self.recordings = (
            self._key(
                "recordings-key",
                names.recordings_alias(place),
                f"Inland {place.stack}: recordings",
                recordings_key_policy(place),
            )
            if args.recordings
            else None
        )
        self.region_arn: pulumi.Output[str] = self.region.arn
        self.register_outputs({"regionArn": self.region_arn})

    def _key(self, name: str, alias: str, description: str, policy: Document) -> aws.kms.Key:
        key = aws.kms.Key(
            name,
            description=description,
            multi_region=False,
            enable_key_rotation=True,
            deletion_window_in_days=WINDOW_DAYS,
            policy=text(policy),
            tags=holds("keys"),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        aws.kms.Alias(
            name,
            name=alias,
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key
