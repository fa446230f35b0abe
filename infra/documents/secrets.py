"""The policy of a secret."""

from __future__ import annotations

from infra.components.place import Place
from infra.documents.statements import EVERYONE, Document, deny, document

USE = (
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecret",
)


def secret_policy(place: Place) -> Document:
    """Refuses other accounts, other regions and replicas; who may read is the roles' matter."""
    return document(
        [
            deny(
                "OnlyThisAccount",
                USE,
                principal=EVERYONE,
                condition={"StringNotEquals": {"aws:PrincipalAccount": place.account_id}},
            ),
            deny(
                "OnlyThisRegion",
                USE,
                principal=EVERYONE,
                condition={"StringNotEquals": {"aws:RequestedRegion": place.region}},
            ),
            deny(
                "NoReplicas",
                ["secretsmanager:ReplicateSecretToRegions"],
                principal=EVERYONE,
            ),
        ]
    )
