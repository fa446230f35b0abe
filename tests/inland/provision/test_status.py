"""How a stack is, and what stands in the way of destroying it."""

from __future__ import annotations

from inland.provision.cloud import Cloud
from inland.provision.erase import LOAD_BALANCER, empty_buckets, open_load_balancers
from inland.provision.status import ABSENT, BAD, OK, read_status
from inland.provision.supply import supply_secrets
from tests.inland.provision.clouds import (
    RECORDINGS,
    SOFTWARE,
    alarm,
    client,
    graph,
    group,
    resource,
    targets,
)


def states(cloud: Cloud, what: str, *more: object) -> list[str]:
    wanted = graph(*more)  # type: ignore[arg-type]
    return [line.state for line in read_status(cloud, wanted) if line.what == what]


def subnet() -> str:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    found = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/20")
    return str(found["Subnet"]["SubnetId"])


def test_what_is_not_there_is_absent(cloud: Cloud) -> None:
    for what, one in (("nodes", group()), ("targets", targets()), ("alarm", alarm())):
        assert states(cloud, what, one) == [ABSENT]


def test_empty_secrets_are_bad_until_they_are_supplied(cloud: Cloud) -> None:
    assert {*states(cloud, "secret")} == {BAD}
    list(supply_secrets(cloud, graph()))
    assert {*states(cloud, "secret")} == {OK}


def test_a_group_is_bad_with_fewer_healthy_nodes_than_its_least(cloud: Cloud) -> None:
    image = client("ec2").describe_images()["Images"][0]["ImageId"]
    client("autoscaling").create_launch_configuration(
        LaunchConfigurationName="t", ImageId=image, InstanceType="t3.micro"
    )
    client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="inland-edge",
        LaunchConfigurationName="t",
        MinSize=2,
        MaxSize=2,
        VPCZoneIdentifier=subnet(),
    )
    assert states(cloud, "nodes", group()) == [OK]
    nodes = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    client("autoscaling").set_instance_health(
        InstanceId=nodes["Instances"][0]["InstanceId"], HealthStatus="Unhealthy"
    )
    found = [line for line in read_status(cloud, graph(group())) if line.what == "nodes"]
    assert found[0].state == BAD
    assert found[0].detail == "1 in service of at least 2 (1 InService, 1 Unhealthy)"


def test_an_alarm_that_rings_is_bad(cloud: Cloud) -> None:
    watch = client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="inland-capacity",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="m",
        Namespace="Inland",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    watch.set_alarm_state(AlarmName="inland-capacity", StateValue="OK", StateReason="t")
    assert states(cloud, "alarm", alarm()) == [OK]
    watch.set_alarm_state(AlarmName="inland-capacity", StateValue="ALARM", StateReason="t")
    assert states(cloud, "alarm", alarm()) == [BAD]


def test_every_version_of_every_object_is_deleted(cloud: Cloud) -> None:
    s3 = client("s3")
    for number in range(3):
        s3.put_object(Bucket=RECORDINGS, Key="clinic/call", Body=b"%d" % number)
    s3.delete_object(Bucket=RECORDINGS, Key="clinic/call")
    s3.put_object(Bucket=SOFTWARE, Key="software/x.tar", Body=b"x")
    lines = list(empty_buckets(cloud, graph()))
    assert lines == [
        f"{RECORDINGS}: 4 object versions deleted",
        f"{SOFTWARE}: 1 object versions deleted",
    ]
    left = s3.list_object_versions(Bucket=RECORDINGS)
    assert "Versions" not in left and "DeleteMarkers" not in left


def test_a_bucket_that_is_gone_already_is_no_obstacle(cloud: Cloud) -> None:
    client("s3").delete_bucket(Bucket=RECORDINGS)
    assert f"{RECORDINGS}: is not there" in list(empty_buckets(cloud, graph()))


def test_a_protected_load_balancer_is_opened_before_it_is_destroyed(cloud: Cloud) -> None:
    wanted = graph(resource(LOAD_BALANCER, "sip", name="inland-sip"))
    open_load_balancers(cloud, wanted)  # not there: nothing to open
    balancers = client("elbv2")
    arn = balancers.create_load_balancer(Name="inland-sip", Type="network", Subnets=[subnet()])[
        "LoadBalancers"
    ][0]["LoadBalancerArn"]
    balancers.modify_load_balancer_attributes(
        LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}]
    )
    open_load_balancers(cloud, wanted)
    found = balancers.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    assert {"Key": "deletion_protection.enabled", "Value": "false"} in found
