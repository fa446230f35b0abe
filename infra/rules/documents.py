"""Where policy documents stand."""

from __future__ import annotations

from typing import Final

from infra.rules import allowed_types as types

DOCUMENTS: Final = {
    types.ROLE: ("assumeRolePolicy",),
    types.ROLE_POLICY: ("policy",),
    types.MANAGED_POLICY: ("policy",),
    types.KEY: ("policy",),
    types.BUCKET: ("policy",),
    types.BUCKET_POLICY: ("policy",),
    types.ENDPOINT: ("policy",),
    types.QUEUE: ("policy",),
    types.TOPIC: ("policy",),
    types.SECRET: ("policy",),
    "aws:kms/keyPolicy:KeyPolicy": ("policy",),
    "aws:secretsmanager/secretPolicy:SecretPolicy": ("policy",),
    "aws:sns/topicPolicy:TopicPolicy": ("policy",),
    "aws:sqs/queuePolicy:QueuePolicy": ("policy",),
}
"""Properties that say who may do what."""
