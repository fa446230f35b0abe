"""What the machines of a stack may do. ``infra.components.role.Role`` adds the fence.

Condition keys: AWS Service Authorization Reference, the pages of ACM, Amazon CloudWatch, AWS KMS
and Amazon Route 53 (read 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.cloud_init.document import (
    METRIC_NAMESPACE,
    POLICY_OBJECT,
    audit_log_group,
    node_log_group,
)
from infra.components.place import Place
from infra.documents import arns, names
from infra.documents.keys import SESSION_REGION, SESSION_TENANT, SESSION_USE
from infra.documents.statements import Statement, allow

POLICY_PREFIX = POLICY_OBJECT.partition("/")[0] + "/"
RECORD_NAMES = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
RECORD_TYPES = "route53:ChangeResourceRecordSetsRecordTypes"
RECORD_ACTIONS = "route53:ChangeResourceRecordSetsActions"


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeRights:
    """What an edge fleet reaches: its own tenants' data and nothing of anybody else's."""

    of: str
    """What the names of the fleet's recordings begin with."""
    tenants: Sequence[str]
    """Those that the fleet serves."""
    secrets: Sequence[str]
    """Names of secrets."""
    group: str
    """Its Auto Scaling group."""
    domain: str
    """Its nodes are called ``<region>-<instance>.<domain>``."""
    zone_id: str


def edge_node(place: Place, rights: EdgeRights) -> list[Statement]:
    """A node that takes calls. It writes recordings, deletes those that are over, and cannot read
    them back. Names, which are opaque, it may list: S3 asks for that to say where a bucket is."""
    recordings = names.recordings_bucket(place)
    kept = [f"{rights.of}/{each}/" for each in (*rights.tenants, ".ends")]
    aliases = [names.tenant_alias(place, tenant) for tenant in rights.tenants]
    return [
        *_machine(place, rights.secrets, rights.group),
        allow(
            "SessionsOfItsTenants",
            ["elasticache:Connect"],
            [arns.store(place), *(arns.store_user(place, tenant) for tenant in rights.tenants)],
        ),
        allow(
            "RecordingsOfItsTenants",
            ["s3:DeleteObject", "s3:PutObject"],
            [arns.objects(place, recordings, prefix) for prefix in kept],
        ),
        allow(
            "BucketOfRecordings",
            ["s3:GetBucketLocation", "s3:ListBucket"],
            arns.bucket(place, recordings),
        ),
        _key_use(
            place,
            "KeyOfRecordings",
            ["kms:GenerateDataKey"],
            [names.recordings_alias(place)],
            {"kms:ViaService": _services(place, ["s3"])},
        ),
        _key_use(
            place,
            "KeysOfSessions",
            SESSION_USE,
            aliases,
            {SESSION_TENANT: rights.tenants, SESSION_REGION: place.region},
        ),
        # No encryption context comes with this question, which a node asks of each key at start.
        _key_use(place, "StateOfKeys", ["kms:DescribeKey"], aliases),
        allow(
            "ItsCertificate",
            ["acm:ExportCertificate"],
            arns.certificates(place),
            condition={
                "ForAllValues:StringEquals": {"acm:DomainNames": f"*.{rights.domain}"},
                "Null": {"acm:DomainNames": "false"},
            },
        ),
        _shipped(place, "AuditLog", audit_log_group(place.stack)),
        _own_record(place, rights),
    ]


def turn_node(place: Place, *, secrets: Iterable[str], group: str) -> list[Statement]:
    """A relay: it holds nothing of a tenant."""
    return _machine(place, secrets, group)


def control_plane_replica(place: Place, *, secrets: Iterable[str], group: str) -> list[Statement]:
    """A replica of the control plane: its own secrets, the software it runs, and the law."""
    policy = arns.objects(place, names.software_bucket(place), POLICY_PREFIX)
    return [*_machine(place, secrets, group), allow("Policy", ["s3:GetObject"], policy)]


def _machine(place: Place, secrets: Iterable[str], group: str) -> list[Statement]:
    """What every machine needs to start, to say how it is, and to go."""
    return [
        allow("Secrets", ["secretsmanager:GetSecretValue"], _secret_arns(place, secrets)),
        allow(
            "Software",
            ["s3:GetObject"],
            arns.objects(place, names.software_bucket(place), "software/"),
        ),
        _key_use(
            place,
            "KeyOfTheRegion",
            ["kms:Decrypt"],
            [names.region_alias(place)],
            {"kms:ViaService": _services(place, ["s3", "secretsmanager"])},
        ),
        allow(
            "OwnLifecycle",
            [
                "autoscaling:CompleteLifecycleAction",
                "autoscaling:RecordLifecycleActionHeartbeat",
                "autoscaling:SetInstanceProtection",
            ],
            arns.scaling_group(place, group),
        ),
        allow(
            "Metrics",
            ["cloudwatch:PutMetricData"],
            condition={"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}},
        ),
        _shipped(place, "Logs", node_log_group(place.stack)),
    ]


def _shipped(place: Place, sid: str, group: str) -> Statement:
    """To add to a log group: what is in it no machine reads, changes or deletes."""
    return allow(sid, ["logs:CreateLogStream", "logs:PutLogEvents"], arns.log_group(place, group))


def _secret_arns(place: Place, secrets: Iterable[str]) -> list[str]:
    return [arns.secret(place, name) for name in secrets]


def _services(place: Place, services: Iterable[str]) -> list[str]:
    """As KMS calls those that ask it for somebody else."""
    return [f"{service}.{place.region}.amazonaws.com" for service in services]


def _key_use(
    place: Place,
    sid: str,
    actions: Sequence[str],
    aliases: Sequence[str],
    only: Mapping[str, str | Sequence[str]] | None = None,
) -> Statement:
    """Keys by their aliases, as their ids are unknown until they exist; ``only`` with these
    condition keys."""
    return allow(
        sid,
        actions,
        arns.keys(place),
        condition={
            "ForAnyValue:StringEquals": {"kms:ResourceAliases": aliases},
            **({} if only is None else {"StringEquals": only}),
        },
    )


def _own_record(place: Place, rights: EdgeRights) -> Statement:
    """A node's address under its own name: never ``sip.``, ``turn.`` or any other."""
    return allow(
        "ItsAddress",
        ["route53:ChangeResourceRecordSets"],
        arns.hosted_zone(place, rights.zone_id),
        condition={
            "ForAllValues:StringLike": {RECORD_NAMES: f"{place.region}-i-*.{rights.domain}"},
            "ForAllValues:StringEquals": {
                RECORD_TYPES: "A",
                RECORD_ACTIONS: ("DELETE", "UPSERT"),
            },
            "Null": {RECORD_NAMES: "false", RECORD_TYPES: "false", RECORD_ACTIONS: "false"},
        },
    )
