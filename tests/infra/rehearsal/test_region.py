"""Rehearsals against moto: two regions in one account, the control plane in another.

What a rehearsal cannot show is said in ``tests.infra.rehearsal``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from infra.graph.capture import capture
from infra.rules.model import Graph
from infra.settings.load import load_control_plane_stack
from tests.infra.rehearsal.cloud import Aws, Cloud
from tests.infra.rehearsal.engine import Run
from tests.infra.rehearsal.rehearsal import Rehearsal
from tests.infra.rehearsal.services import KINDS, NOT_IN_MOTO
from tests.infra.rehearsal.shipped import CONTROL_PLANE, REGION, account_of, rehearsed
from tests.infra.rehearsal.state import Entry
from tests.infra.rehearsal.sweep import SERVICES, Found, sweep

pytestmark = pytest.mark.timeout(600)

HOME, SIBLING, CONTROL = "eu-central-1", "eu-west-1", "control-plane"
OURS, THEIRS = account_of(REGION, HOME), account_of(CONTROL_PLANE, CONTROL)
NOWHERE: Final = {"iam", "route53", "budgets"}
"""Services whose things belong to no region."""
DATA: Final = ("aws:s3/bucket", "aws:kms/key:", "aws:elasticache/replicationGroup:")
GROUP = "aws:autoscaling/group:Group"


@dataclass(frozen=True, slots=True)
class Story:
    """What was done, in this order, and what was seen."""

    graph: Graph
    planned: Run
    after_plan: dict[str, Entry]
    up: Run
    again: Run
    ups_beside: tuple[Run, Run]
    inside: frozenset[Found]
    abroad: frozenset[Found]
    planted: frozenset[Found]
    larger: Run
    entries: tuple[dict[str, Entry], dict[str, Entry]]
    """Before and after the fleet was made larger."""
    most_machines: int
    fewer_tenants: Run
    refused: Run
    destroyed: tuple[Run, Run, Run]
    left: frozenset[Found]
    left_abroad: frozenset[Found]


def plant(cloud: Cloud) -> None:
    """A thing each where no stack is: what a forgotten ``parent=`` might make."""
    cloud.client("sns", "ap-southeast-2").create_topic(Name="planted")
    cloud.client("s3", "us-east-1").create_bucket(Bucket="planted")
    cloud.client("ec2", "eu-north-1").create_vpc(CidrBlock="10.200.0.0/16")
    cloud.client("kms", "sa-east-1").create_key()
    cloud.client("secretsmanager", "ca-central-1").create_secret(Name="planted")


def uproot(cloud: Cloud, planted: frozenset[Found]) -> None:
    """Take away what was planted."""
    for found in planted:
        client = cloud.client(found.service, found.region)
        match found.kind:
            case "Topics":
                client.delete_topic(TopicArn=found.id)
            case "Buckets":
                client.delete_bucket(Bucket=found.id)
            case "Vpcs":
                client.delete_vpc(VpcId=found.id)
            case "Keys":
                client.schedule_key_deletion(KeyId=found.id)
            case "SecretList":
                client.delete_secret(SecretId=found.id)


@pytest.fixture(scope="module")
def story(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("state")
    with closing(Cloud(endpoint, OURS)) as ours, closing(Cloud(endpoint, THEIRS)) as theirs:
        home = rehearsed(REGION, HOME, ours, folder)
        sibling = rehearsed(REGION, SIBLING, ours, folder)
        other = rehearsed(CONTROL_PLANE, CONTROL, theirs, folder)
        before, before_abroad = sweep(ours, OURS), sweep(theirs, THEIRS)
        planned = home.preview()
        after_plan = dict(home.state.entries)
        up, again = home.up(), home.up()
        beside = sibling.up(), other.up()
        inside = frozenset(sweep(ours, OURS) - before)
        plant(ours)
        planted = frozenset(sweep(ours, OURS) - before) - inside
        uproot(ours, planted)
        abroad = frozenset(sweep(theirs, THEIRS) - before_abroad)
        made = dict(home.state.entries)
        larger = home.up(
            edge={
                "instanceType": "c7g.xlarge",
                "nodes": {"min": 3, "max": 30, "warm": 1},
                "callsPerNode": 60,
            }
        )
        changed = dict(home.state.entries)
        groups = Aws(ours, HOME).autoscaling.describe_auto_scaling_groups(
            AutoScalingGroupNames=[f"inland-{HOME}-edge"]
        )["AutoScalingGroups"]
        fewer = sibling.preview(tenants=[{"id": "another"}])
        refused = home.destroy()
        for stack in (home, sibling, other):
            stack.state.unprotect()
        destroyed = home.destroy(), sibling.destroy(), other.destroy()
        yield Story(
            graph=capture(REGION, HOME),
            planned=planned,
            after_plan=after_plan,
            up=up,
            again=again,
            ups_beside=beside,
            inside=inside,
            abroad=abroad,
            planted=planted,
            larger=larger,
            entries=(made, changed),
            most_machines=groups[0]["MaxSize"],
            fewer_tenants=fewer,
            refused=refused,
            destroyed=destroyed,
            left=frozenset(sweep(ours, OURS) ^ before),
            left_abroad=frozenset(sweep(theirs, THEIRS) ^ before_abroad),
        )


def aws_urns(graph: Graph) -> set[str]:
    return {urn for urn, found in graph.resources.items() if found.type.startswith("aws:")}


def test_a_preview_plans_every_resource_and_makes_none(story: Story) -> None:
    assert story.planned.errors == []
    assert story.planned.only("create") == aws_urns(story.graph) == set(story.planned.steps)
    assert story.after_plan == {}


def test_up_makes_every_resource_of_the_captured_graph(story: Story) -> None:
    assert story.up.errors == []
    assert story.up.only("create") == aws_urns(story.graph) == set(story.up.steps)


def test_up_again_changes_nothing(story: Story) -> None:
    assert story.again.errors == []
    assert story.again.only("same") == aws_urns(story.graph) == set(story.again.steps)


def test_an_account_has_things_in_the_regions_of_its_stacks_only(story: Story) -> None:
    assert {found.region for found in story.inside if found.region} == {HOME, SIBLING}
    assert {found.service for found in story.inside if not found.region} == NOWHERE


def test_another_account_has_its_own_stack_only(story: Story) -> None:
    assert [run.errors for run in story.ups_beside] == [[], []]
    settings = load_control_plane_stack(CONTROL_PLANE / f"Pulumi.{CONTROL}.yaml")
    regions = {found.region for found in story.abroad if found.region}
    assert regions == {replicas.region for replicas in settings.regions}


@pytest.mark.parametrize(
    ("type_", "service", "kind"),
    [
        ("aws:kms/key:Key", "kms", "Keys"),
        ("aws:kms/alias:Alias", "kms", "Aliases"),
        ("aws:s3/bucket:Bucket", "s3", "Buckets"),
        ("aws:ec2/vpc:Vpc", "ec2", "Vpcs"),
        ("aws:ec2/subnet:Subnet", "ec2", "Subnets"),
        ("aws:ec2/vpcEndpoint:VpcEndpoint", "ec2", "VpcEndpoints"),
        ("aws:ec2/flowLog:FlowLog", "ec2", "FlowLogs"),
        ("aws:ec2/launchTemplate:LaunchTemplate", "ec2", "LaunchTemplates"),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "elasticache", "ReplicationGroups"),
        ("aws:elasticache/user:User", "elasticache", "Users"),
        ("aws:secretsmanager/secret:Secret", "secretsmanager", "SecretList"),
        ("aws:cloudwatch/logGroup:LogGroup", "logs", "logGroups"),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "cloudwatch", "MetricAlarms"),
        ("aws:cloudwatch/dashboard:Dashboard", "cloudwatch", "DashboardEntries"),
        ("aws:acm/certificate:Certificate", "acm", "CertificateSummaryList"),
        ("aws:lb/loadBalancer:LoadBalancer", "elbv2", "LoadBalancers"),
        ("aws:lb/targetGroup:TargetGroup", "elbv2", "TargetGroups"),
        (GROUP, "autoscaling", "AutoScalingGroups"),
        ("aws:autoscaling/policy:Policy", "autoscaling", "ScalingPolicies"),
        ("aws:sns/topic:Topic", "sns", "Topics"),
        ("aws:sns/topicSubscription:TopicSubscription", "sns", "Subscriptions"),
    ],
)
def test_the_sweep_finds_what_the_graph_has(
    story: Story, type_: str, service: str, kind: str
) -> None:
    counted = Counter((found.service, found.region, found.kind) for found in story.inside)
    assert counted[service, HOME, kind] == len(story.graph.of(type_)) > 0


def test_the_sweep_finds_what_is_planted_where_no_stack_is(story: Story) -> None:
    where = {(found.service, found.region) for found in story.planted}
    assert where >= {
        ("sns", "ap-southeast-2"),
        ("s3", "us-east-1"),
        ("ec2", "eu-north-1"),
        ("kms", "sa-east-1"),
        ("secretsmanager", "ca-central-1"),
    }


def test_a_larger_fleet_is_an_update_and_touches_no_data(story: Story) -> None:
    larger = story.larger
    assert larger.errors == []
    assert larger.only("create") == larger.only("delete") == larger.only("replace") == set()
    assert story.most_machines == 30
    groups = {urn for urn in larger.only("update") if GROUP in urn}
    assert [larger.changed[urn] for urn in groups] == [("maxSize", "minSize", "warmPool")]
    before, after = story.entries
    kept = {urn for urn in before if any(type_ in urn for type_ in DATA)}
    assert kept <= larger.only("same")
    assert {urn: before[urn].id for urn in before} == {urn: after[urn].id for urn in after}


def test_dropping_a_tenant_is_refused_while_its_key_is_protected(story: Story) -> None:
    refused = story.fewer_tenants.errors
    assert {words.partition("aws:kms/key:Key::")[2] for words in refused} == {
        f"keys-{tenant}': it is protected" for tenant in ("demo-bank", "demo-clinic")
    }


def test_destroy_is_refused_while_data_is_protected(story: Story) -> None:
    assert story.refused.steps == {}
    refused = " ".join(story.refused.errors)
    assert all(type_ in refused for type_ in DATA)
    assert all("it is protected" in words for words in story.refused.errors)


def test_destroy_leaves_nothing_in_any_region(story: Story) -> None:
    assert [run.errors for run in story.destroyed] == [[], [], []]
    assert story.left == frozenset()
    assert story.left_abroad == frozenset()


@pytest.mark.parametrize("stack", ["us-east-1", "me-central-1"])
def test_a_region_that_differs_goes_up_and_down(endpoint: str, stack: str, tmp_path: Path) -> None:
    """us-east-1 is S3's default, where a bucket has no location; me-central-1 has two zones."""
    with closing(Cloud(endpoint, account_of(REGION, stack))) as cloud:
        region = rehearsed(REGION, stack, cloud, tmp_path)
        up = region.up()
        assert (up.errors, set(up.steps.values())) == ([], {"create"})
        region.state.unprotect()
        down = region.destroy()
        assert (down.errors, set(down.steps)) == ([], set(up.steps))


def test_credentials_of_another_account_make_nothing(endpoint: str, tmp_path: Path) -> None:
    with closing(Cloud(endpoint, "444455556666")) as cloud:
        stack = Rehearsal(REGION, HOME, cloud, tmp_path / "state.json")
        for run in (stack.preview(), stack.up()):
            assert run.steps == {}
            assert run.errors == ["AWS account ID not allowed: 444455556666"]
        assert stack.state.entries == {}


def test_the_sweep_asks_every_service_that_the_double_makes_things_in() -> None:
    services = {type_.split(":")[1].partition("/")[0] for type_ in KINDS}
    assert services - {"lb"} <= SERVICES
    assert "elbv2" in SERVICES


def test_what_moto_does_not_know_has_a_reason() -> None:
    assert set(NOT_IN_MOTO) == {
        "aws:elasticache/parameterGroup:ParameterGroup",
        "aws:elasticache/subnetGroup:SubnetGroup",
        "aws:elasticache/userGroup:UserGroup",
    }
    assert all(reason.startswith("moto has ") for reason in NOT_IN_MOTO.values())
