"""What machines may do: their own work, their own tenants, their own region."""

from __future__ import annotations

import pytest

from infra.cloud_init.document import POLICY_OBJECT
from infra.documents.fence import (
    CEILING,
    INLINE_LIMIT,
    MANAGED_LIMIT,
    boundary,
    fenced,
    policies_of_role,
)
from infra.documents.network import flow_log_writer
from infra.documents.nodes import EdgeRights, control_plane_replica, edge_node, turn_node
from infra.documents.statements import Document, Statement, allow, text
from tests.infra.documents.asking import ACCOUNT, PLACE, actions, asked

SECRETS = ["inland/eu-central-1/node-secret", "inland/eu-central-1/region-key"]
DOMAIN = "voice.example.org"
ZONE = "arn:aws:route53:::hostedzone/Z0123456789ABC"
GROUP = (
    f"arn:aws:autoscaling:eu-central-1:{ACCOUNT}:autoScalingGroup:"
    "6d4c1a2e-0000-0000-0000-000000000000:autoScalingGroupName/inland-eu-central-1-edge"
)
RECORDINGS = f"arn:aws:s3:::inland-recordings-{ACCOUNT}-eu-central-1"
SOFTWARE = f"arn:aws:s3:::inland-software-{ACCOUNT}-eu-central-1"
ANY_KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def edge_rights(*tenants: str) -> list[Statement]:
    rights = EdgeRights(
        of="edge",
        tenants=tenants,
        secrets=SECRETS,
        group="inland-eu-central-1-edge",
        domain=DOMAIN,
        zone_id="Z0123456789ABC",
    )
    return edge_node(PLACE, rights)


def edge(*tenants: str) -> Document:
    return fenced(PLACE, edge_rights(*tenants))


def turn() -> Document:
    return fenced(
        PLACE, turn_node(PLACE, secrets=["inland/eu-central-1/turn"], group="inland-turn")
    )


def replica() -> Document:
    secrets = ["inland/control-plane/eu-central-1/a/signing-key"]
    return fenced(PLACE, control_plane_replica(PLACE, secrets=secrets, group="inland-a"))


EVERY_ROLE = pytest.mark.parametrize("policy", [edge("clinic"), turn(), replica()])


def secret(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:secretsmanager:eu-central-1:{account}:secret:{name}-a1B2c3"


def key_use(policy: Document, action: str, alias: str, service: str) -> str:
    context = {
        "kms:ResourceAliases": [alias],
        "kms:ViaService": f"{service}.eu-central-1.amazonaws.com",
    }
    return asked(policy, action, ANY_KEY, context=context)


def record(name: str, kind: str = "A", action: str = "UPSERT", zone: str = ZONE) -> str:
    prefix = "route53:ChangeResourceRecordSets"
    context = {
        f"{prefix}NormalizedRecordNames": [name],
        f"{prefix}RecordTypes": [kind],
        f"{prefix}Actions": [action],
    }
    return asked(edge("clinic"), prefix, zone, region="us-east-1", context=context)


@pytest.mark.parametrize(("tenant", "expected"), [("clinic", "allow"), ("bank", "none")])
def test_a_fleet_logs_in_to_the_store_as_its_own_tenants_only(tenant: str, expected: str) -> None:
    user = f"arn:aws:elasticache:eu-central-1:{ACCOUNT}:user:inland-{tenant}"
    store = f"arn:aws:elasticache:eu-central-1:{ACCOUNT}:replicationgroup:inland-eu-central-1"
    assert asked(edge("clinic"), "elasticache:Connect", user) == expected
    assert asked(edge("clinic"), "elasticache:Connect", store) == "allow"


@pytest.mark.parametrize(("tenant", "expected"), [("clinic", "allow"), ("bank", "none")])
def test_a_fleet_records_under_the_prefix_of_its_own_tenants_only(
    tenant: str, expected: str
) -> None:
    policy = edge("clinic")
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert asked(policy, action, f"{RECORDINGS}/edge/{tenant}/call") == expected
        assert asked(policy, action, f"{RECORDINGS}/edge-other/{tenant}/call") == "none"
        assert asked(policy, action, f"{RECORDINGS}/edge/.ends/1/clinic/call") == "allow"


def test_recordings_are_sealed_by_their_own_key_and_a_node_opens_none_with_it() -> None:
    policy, alias = edge("clinic"), "alias/inland-recordings/eu-central-1"
    assert key_use(policy, "kms:GenerateDataKey", alias, "s3") == "allow"
    assert key_use(policy, "kms:Decrypt", alias, "s3") == "none"
    assert (
        key_use(policy, "kms:GenerateDataKey", "alias/inland/eu-central-1/clinic", "s3") == "none"
    )


@pytest.mark.parametrize(("tenant", "expected"), [("clinic", "allow"), ("bank", "none")])
def test_a_fleet_wraps_keys_of_sessions_of_its_own_tenants_only(tenant: str, expected: str) -> None:
    policy = edge("clinic", "spa")
    context: dict[str, str | list[str]] = {
        "kms:ResourceAliases": [f"alias/inland/eu-central-1/{tenant}"],
        "kms:EncryptionContext:inland:tenant": tenant,
        "kms:EncryptionContext:inland:region": "eu-central-1",
    }
    for action in ("kms:Encrypt", "kms:Decrypt"):
        assert asked(policy, action, ANY_KEY, context=context) == expected
        for key in context:
            less = {name: value for name, value in context.items() if name != key}
            assert asked(policy, action, ANY_KEY, context=less) == "none"
    aliases = {"kms:ResourceAliases": context["kms:ResourceAliases"]}
    assert asked(policy, "kms:DescribeKey", ANY_KEY, context=aliases) == expected


def test_a_tenant_whose_name_begins_like_anothers_is_another() -> None:
    assert asked(edge("bank"), "s3:PutObject", f"{RECORDINGS}/edge/bank2/call") == "none"


def test_a_node_cannot_read_recordings_back() -> None:
    for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObjectVersion"):
        assert asked(edge("clinic"), action, f"{RECORDINGS}/edge/clinic/call") == "none"
    for action in ("s3:ListBucket", "s3:GetBucketLocation"):
        assert asked(edge("clinic"), action, RECORDINGS) == "allow"
        assert asked(edge("clinic"), action, SOFTWARE) == "none"


@pytest.mark.parametrize("service", ["ec2", "lambda"])
def test_a_nodes_keys_are_of_use_through_the_services_that_hold_its_data(service: str) -> None:
    policy = edge("clinic")
    assert key_use(policy, "kms:Decrypt", "alias/inland/eu-central-1", "secretsmanager") == "allow"
    assert key_use(policy, "kms:Decrypt", "alias/inland/eu-central-1", service) == "none"


def test_a_node_reads_the_secrets_that_it_is_named_and_no_other() -> None:
    policy = edge("clinic")
    read = "secretsmanager:GetSecretValue"
    assert asked(policy, read, secret("inland/eu-central-1/node-secret")) == "allow"
    assert asked(policy, read, secret("inland/eu-central-1/turn")) == "none"
    assert asked(policy, read, secret("inland/eu-central-1/node-secret2")) == "none"
    assert asked(policy, read, secret("inland/eu-central-1/node-secret", "444455556666")) == "none"


@EVERY_ROLE
def test_no_machine_writes_to_the_software_that_machines_install(policy: Document) -> None:
    bundle = f"{SOFTWARE}/software/{'0' * 64}.tar"
    assert asked(policy, "s3:GetObject", bundle) == "allow"
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:PutBucketPolicy"):
        assert asked(policy, action, bundle) == "none"


@EVERY_ROLE
def test_machines_send_metrics_into_our_namespace_only(policy: Document) -> None:
    action = "cloudwatch:PutMetricData"
    assert asked(policy, action, context={"cloudwatch:namespace": "Inland"}) == "allow"
    assert asked(policy, action, context={"cloudwatch:namespace": "AWS/EC2"}) == "none"


def test_a_node_acts_on_its_own_fleet_only() -> None:
    policy = edge("clinic")
    action = "autoscaling:CompleteLifecycleAction"
    assert asked(policy, action, GROUP) == "allow"
    assert asked(policy, action, GROUP.removesuffix("-edge") + "-turn") == "none"
    assert asked(policy, action, f"{GROUP}-clinic") == "none"


def test_a_node_exports_the_certificate_of_its_domain_and_no_other() -> None:
    policy = edge("clinic")
    arn = f"arn:aws:acm:eu-central-1:{ACCOUNT}:certificate/1234abcd"
    for names, expected in (
        ([f"*.{DOMAIN}"], "allow"),
        ([f"*.{DOMAIN}", "bank.example.org"], "none"),
        (["other.example.org"], "none"),
        ([f"x.{DOMAIN}"], "none"),
    ):
        context = {"acm:DomainNames": names}
        assert asked(policy, "acm:ExportCertificate", arn, context=context) == expected
    assert asked(policy, "acm:ExportCertificate", arn) == "none"


def test_a_node_sets_the_address_of_a_node_of_its_region_and_no_other_record() -> None:
    own = f"eu-central-1-i-0123456789abcdef0.{DOMAIN}"
    assert record(own) == "allow"
    assert record(own, action="DELETE") == "allow"
    assert record(own, kind="CNAME") == "none"
    assert record(own, action="CREATE") == "none"
    assert record(own, zone="arn:aws:route53:::hostedzone/Z0000000000000") == "none"
    for name in (f"sip.{DOMAIN}", f"turn.{DOMAIN}", DOMAIN, f"ap-south-1-i-0123.{DOMAIN}"):
        assert record(name) == "none"


def test_a_change_of_records_that_says_nothing_of_itself_is_not_let_through() -> None:
    action = "route53:ChangeResourceRecordSets"
    assert asked(edge("clinic"), action, ZONE, region="us-east-1") == "none"


@EVERY_ROLE
def test_no_machine_acts_in_another_region(policy: Document) -> None:
    everything = {**policy, "Statement": [*policy["Statement"], ALLOW_ALL]}
    for action in (*CEILING, "s3:CreateBucket", "iam:PassRole", "sts:AssumeRole"):
        there = asked(everything, action, region="us-east-1")
        assert there == ("allow" if action.startswith("route53:") else "deny"), action
        assert asked(everything, action) == "allow"


ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@EVERY_ROLE
def test_machines_are_allowed_single_actions_that_the_boundary_knows(policy: Document) -> None:
    assert set(actions(policy)) <= set(CEILING)
    assert not any("*" in action for action in actions(policy))


def test_the_boundary_holds_nothing_that_no_role_uses() -> None:
    flow = fenced(PLACE, flow_log_writer(PLACE, "/inland/eu-central-1/flow"))
    used = {a for policy in (edge("clinic"), turn(), replica(), flow) for a in actions(policy)}
    assert used == set(CEILING)


def test_a_replica_reads_the_law_that_the_operator_publishes_and_writes_none() -> None:
    bundle = f"{SOFTWARE}/{POLICY_OBJECT}"
    assert asked(replica(), "s3:GetObject", bundle) == "allow"
    assert asked(replica(), "s3:PutObject", bundle) == "none"
    for policy in (edge("clinic"), turn()):
        assert asked(policy, "s3:GetObject", bundle) == "none"


def test_a_node_adds_to_its_audit_log_and_takes_nothing_back() -> None:
    group = f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/inland/eu-central-1/audit"
    for action, expected in (
        ("logs:PutLogEvents", "allow"),
        ("logs:CreateLogStream", "allow"),
        ("logs:DeleteLogStream", "none"),
        ("logs:DeleteLogGroup", "none"),
        ("logs:PutRetentionPolicy", "none"),
        ("logs:GetLogEvents", "none"),
    ):
        assert asked(edge("clinic"), action, f"{group}:log-stream:i-1/audit") == expected
        assert asked(turn(), action, f"{group}:log-stream:i-1/audit") == "none"


def test_the_boundary_stops_at_the_border() -> None:
    policy = boundary(PLACE)
    assert asked(policy, "s3:PutObject") == "allow"
    assert asked(policy, "s3:PutObject", region="eu-west-1") == "deny"
    assert asked(policy, "iam:CreateRole") == "none"


def test_the_rights_to_fifty_tenants_are_spread_over_policies_that_fit() -> None:
    tenants = [f"{'t' * 14}-{number:02}" for number in range(50)]
    inline, *managed = policies_of_role(PLACE, edge_rights(*tenants))
    assert len(text(inline)) <= INLINE_LIMIT
    assert managed
    assert all(len(text(policy)) <= MANAGED_LIMIT for policy in managed)
    spread = [statement for policy in (inline, *managed) for statement in policy["Statement"]]
    fence = inline["Statement"][-1]
    assert all(policy["Statement"][-1] == fence for policy in managed)
    assert [one for one in spread if one != fence] == edge_rights(*tenants)


def test_a_statement_that_fits_nowhere_is_refused() -> None:
    endless = allow("Endless", ["s3:GetObject"], ["arn:aws:s3:::bucket/x"] * 1_000)
    with pytest.raises(ValueError, match="Endless: too long"):
        policies_of_role(PLACE, [endless])


def test_a_boundary_fits_into_a_managed_policy() -> None:
    assert len(text(boundary(PLACE))) <= MANAGED_LIMIT
