"""The virtual network, its doors, and what machines are made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, chosen, pascal, tag_list, yes


def _tagged(inputs: Values, kind: str) -> dict[str, Any]:
    tags = tag_list(inputs)
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def _arn(aws: Aws, kind: str, id_: str) -> dict[str, str]:
    return {"arn": f"arn:aws:ec2:{aws.region}:{aws.account}:{kind}/{id_}"}


def _create_vpc(aws: Aws, inputs: Values) -> Made:
    made = aws.ec2.create_vpc(CidrBlock=inputs["cidrBlock"], **_tagged(inputs, "vpc"))
    id_ = made["Vpc"]["VpcId"]
    for name, value in chosen(
        inputs, EnableDnsSupport="enableDnsSupport", EnableDnsHostnames="enableDnsHostnames"
    ).items():
        aws.ec2.modify_vpc_attribute(VpcId=id_, **{name: {"Value": value}})
    group = _default_group(aws, id_)
    return Made(id_, {**_arn(aws, "vpc", id_), "defaultSecurityGroupId": group["GroupId"]})


def _default_group(aws: Aws, vpc: str) -> dict[str, Any]:
    filters = [
        {"Name": "vpc-id", "Values": [vpc]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    found: dict[str, Any] = aws.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]
    return found


def _create_subnet(aws: Aws, inputs: Values) -> Made:
    wanted = chosen(
        inputs, AvailabilityZoneId="availabilityZoneId", AvailabilityZone="availabilityZone"
    )
    made = aws.ec2.create_subnet(
        VpcId=inputs["vpcId"],
        CidrBlock=inputs["cidrBlock"],
        **wanted,
        **_tagged(inputs, "subnet"),
    )["Subnet"]
    return Made(made["SubnetId"], _arn(aws, "subnet", made["SubnetId"]))


def _create_gateway(aws: Aws, inputs: Values) -> Made:
    made = aws.ec2.create_internet_gateway(**_tagged(inputs, "internet-gateway"))
    id_ = made["InternetGateway"]["InternetGatewayId"]
    aws.ec2.attach_internet_gateway(InternetGatewayId=id_, VpcId=inputs["vpcId"])
    return Made(id_, _arn(aws, "internet-gateway", id_))


def _delete_gateway(aws: Aws, kept: Kept) -> None:
    aws.ec2.detach_internet_gateway(InternetGatewayId=kept.id, VpcId=kept.inputs["vpcId"])
    aws.ec2.delete_internet_gateway(InternetGatewayId=kept.id)


def _create_table(aws: Aws, inputs: Values) -> Made:
    made = aws.ec2.create_route_table(VpcId=inputs["vpcId"], **_tagged(inputs, "route-table"))
    id_ = made["RouteTable"]["RouteTableId"]
    for route in inputs.get("routes") or ():
        to = chosen(route, DestinationCidrBlock="cidrBlock", GatewayId="gatewayId")
        aws.ec2.create_route(RouteTableId=id_, **to)
    return Made(id_, _arn(aws, "route-table", id_))


def _associate(aws: Aws, inputs: Values) -> Made:
    made = aws.ec2.associate_route_table(
        SubnetId=inputs["subnetId"], RouteTableId=inputs["routeTableId"]
    )
    return Made(made["AssociationId"])


def _permissions(rules: Iterable[Values]) -> list[dict[str, Any]]:
    found = []
    for rule in rules:
        why = {"Description": rule["description"]} if rule.get("description") else {}
        permission: dict[str, Any] = {
            "IpProtocol": rule["protocol"],
            "FromPort": rule["fromPort"],
            "ToPort": rule["toPort"],
        }
        if rule.get("cidrBlocks"):
            permission["IpRanges"] = [{"CidrIp": cidr} | why for cidr in rule["cidrBlocks"]]
        if rule.get("securityGroups"):
            groups = [{"GroupId": group} | why for group in rule["securityGroups"]]
            permission["UserIdGroupPairs"] = groups
        found.append(permission)
    return found


def _set_rules(aws: Aws, group: str, inputs: Values) -> None:
    """The rules that are wanted instead of those that are there."""
    here = aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    wanted = {way: _permissions(inputs.get(way) or ()) for way in ("ingress", "egress")}
    if here["IpPermissions"]:
        aws.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=here["IpPermissions"])
    if here["IpPermissionsEgress"]:
        aws.ec2.revoke_security_group_egress(
            GroupId=group, IpPermissions=here["IpPermissionsEgress"]
        )
    if wanted["ingress"]:
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=wanted["ingress"])
    if wanted["egress"]:
        aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=wanted["egress"])


def _create_group(aws: Aws, inputs: Values) -> Made:
    made = aws.ec2.create_security_group(
        GroupName=inputs["name"],
        Description=inputs["description"],
        VpcId=inputs["vpcId"],
        **_tagged(inputs, "security-group"),
    )
    _set_rules(aws, made["GroupId"], inputs)
    return Made(made["GroupId"], _arn(aws, "security-group", made["GroupId"]))


def _update_rules(aws: Aws, kept: Kept, inputs: Values) -> Values:
    _set_rules(aws, kept.id, inputs)
    return {}


def _adopt_group(aws: Aws, inputs: Values) -> Made:
    """A VPC has a default group that nobody makes or deletes: the provider takes it over."""
    id_ = _default_group(aws, inputs["vpcId"])["GroupId"]
    _set_rules(aws, id_, inputs)
    return Made(id_, _arn(aws, "security-group", id_))


def _create_endpoint(aws: Aws, inputs: Values) -> Made:
    wanted = chosen(
        inputs,
        RouteTableIds="routeTableIds",
        SubnetIds="subnetIds",
        SecurityGroupIds="securityGroupIds",
        PolicyDocument="policy",
        PrivateDnsEnabled="privateDnsEnabled",
    )
    made = aws.ec2.create_vpc_endpoint(
        VpcId=inputs["vpcId"],
        ServiceName=inputs["serviceName"],
        VpcEndpointType=inputs.get("vpcEndpointType", "Gateway"),
        **wanted,
        **_tagged(inputs, "vpc-endpoint"),
    )
    id_ = made["VpcEndpoint"]["VpcEndpointId"]
    return Made(id_, _arn(aws, "vpc-endpoint", id_))


def _update_endpoint(aws: Aws, kept: Kept, inputs: Values) -> Values:
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=kept.id, PolicyDocument=inputs["policy"])
    return {}


def _create_flow_log(aws: Aws, inputs: Values) -> Made:
    made = aws.ec2.create_flow_logs(
        ResourceIds=[inputs["vpcId"]],
        ResourceType="VPC",
        TrafficType=inputs["trafficType"],
        LogDestinationType=inputs["logDestinationType"],
        LogDestination=inputs["logDestination"],
        DeliverLogsPermissionArn=inputs["iamRoleArn"],
        **_tagged(inputs, "vpc-flow-log"),
    )
    assert not made["Unsuccessful"], made["Unsuccessful"]
    return Made(made["FlowLogIds"][0], _arn(aws, "vpc-flow-log", made["FlowLogIds"][0]))


def _template_data(inputs: Values) -> dict[str, Any]:
    data = pascal(
        chosen(
            inputs,
            imageId="imageId",
            instanceType="instanceType",
            iamInstanceProfile="iamInstanceProfile",
            metadataOptions="metadataOptions",
            placement="placement",
            monitoring="monitoring",
            userData="userData",
        )
    )
    if "ebsOptimized" in inputs:
        data["EbsOptimized"] = yes(inputs["ebsOptimized"])
    data["BlockDeviceMappings"] = [
        {
            "DeviceName": disk["deviceName"],
            "Ebs": {
                **pascal(disk["ebs"]),
                "Encrypted": yes(disk["ebs"].get("encrypted")),
                "DeleteOnTermination": yes(disk["ebs"].get("deleteOnTermination")),
            },
        }
        for disk in inputs.get("blockDeviceMappings") or ()
    ]
    data["NetworkInterfaces"] = [
        {
            "DeviceIndex": card.get("deviceIndex", 0),
            "AssociatePublicIpAddress": yes(card.get("associatePublicIpAddress")),
            "DeleteOnTermination": yes(card.get("deleteOnTermination")),
            "Groups": card["securityGroups"],
        }
        for card in inputs.get("networkInterfaces") or ()
    ]
    data["TagSpecifications"] = [
        {"ResourceType": tags["resourceType"], "Tags": tag_list(tags)}
        for tags in inputs.get("tagSpecifications") or ()
    ]
    return {key: value for key, value in data.items() if value != []}


def _create_template(aws: Aws, inputs: Values) -> Made:
    made = aws.ec2.create_launch_template(
        LaunchTemplateName=inputs["name"],
        LaunchTemplateData=_template_data(inputs),
        **_tagged(inputs, "launch-template"),
    )["LaunchTemplate"]
    id_ = made["LaunchTemplateId"]
    number = {"latestVersion": made["LatestVersionNumber"]}
    return Made(id_, {**_arn(aws, "launch-template", id_), **number})


def _update_template(aws: Aws, kept: Kept, inputs: Values) -> Values:
    made = aws.ec2.create_launch_template_version(
        LaunchTemplateId=kept.id, LaunchTemplateData=_template_data(inputs)
    )["LaunchTemplateVersion"]
    return {"latestVersion": made["VersionNumber"]}


KINDS: Final = {
    "aws:ec2/vpc:Vpc": Kind(
        _create_vpc,
        lambda aws, kept: aws.ec2.delete_vpc(VpcId=kept.id),
        None,
        frozenset({"cidrBlock"}),
        tagged=True,
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Kind(
        _adopt_group, lambda aws, kept: None, _update_rules, frozenset({"vpcId"}), tagged=True
    ),
    "aws:ec2/subnet:Subnet": Kind(
        _create_subnet,
        lambda aws, kept: aws.ec2.delete_subnet(SubnetId=kept.id),
        None,
        frozenset({"vpcId", "cidrBlock", "availabilityZoneId", "availabilityZone"}),
        tagged=True,
    ),
    "aws:ec2/internetGateway:InternetGateway": Kind(_create_gateway, _delete_gateway, tagged=True),
    "aws:ec2/routeTable:RouteTable": Kind(
        _create_table,
        lambda aws, kept: aws.ec2.delete_route_table(RouteTableId=kept.id),
        None,
        frozenset({"vpcId"}),
        tagged=True,
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Kind(
        _associate,
        lambda aws, kept: aws.ec2.disassociate_route_table(AssociationId=kept.id),
        None,
        frozenset({"subnetId"}),
    ),
    "aws:ec2/securityGroup:SecurityGroup": Kind(
        _create_group,
        lambda aws, kept: aws.ec2.delete_security_group(GroupId=kept.id),
        _update_rules,
        frozenset({"name", "description", "vpcId"}),
        tagged=True,
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Kind(
        _create_endpoint,
        lambda aws, kept: aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[kept.id]),
        _update_endpoint,
        frozenset({"vpcId", "serviceName", "vpcEndpointType"}),
        tagged=True,
    ),
    "aws:ec2/flowLog:FlowLog": Kind(
        _create_flow_log,
        lambda aws, kept: aws.ec2.delete_flow_logs(FlowLogIds=[kept.id]),
        None,
        frozenset({"vpcId", "trafficType", "logDestination", "logDestinationType", "iamRoleArn"}),
        tagged=True,
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": Kind(
        _create_template,
        lambda aws, kept: aws.ec2.delete_launch_template(LaunchTemplateId=kept.id),
        _update_template,
        frozenset({"name"}),
        tagged=True,
    ),
}
