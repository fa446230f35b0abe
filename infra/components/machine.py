"""What a machine is made from: image, disk, metadata service, address, user data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from infra.cloud_init.user_data import Architecture
from infra.components.place import Place
from infra.components.tags import stack_tags

DISK_GIB = 16
ROOT_DEVICE = "/dev/xvda"
"""Of Debian's images; another name would add a second disk, not describe the first."""
IMAGES = "resolve:ssm:/aws/service/debian/release/12/latest/"
"""Debian's own images. The parameter is read when a machine starts, in the machine's region
(Debian wiki, "Cloud/AmazonEC2Image"; AWS Systems Manager user guide, "Calling AMI public
parameters"; 2026-11-21)."""

Tenancy: TypeAlias = Literal["default", "dedicated"]
"""``dedicated``: on hardware that no other customer of AWS uses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineArgs:
    """``name`` is the template's; ``user_data`` is in Base64."""

    place: Place
    name: str
    instance_type: str
    image_id: str | None
    tenancy: Tenancy
    profile_arn: pulumi.Input[str]
    security_group: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    user_data: pulumi.Input[str]


def architecture(instance_type: str) -> Architecture:
    """What the processor of an instance type runs: ``c7g.large`` is ARM, ``c7i.large`` is not.

    A ``g`` among the letters after the generation means Graviton, and so does the family ``a1``
    (EC2 user guide, "Amazon EC2 instance type naming conventions", 2026-11-21).
    """
    family = instance_type.partition(".")[0]
    found = re.match(r"[a-z]+(?:-[a-z]+)?[0-9]+([a-z]*)", family)
    attributes = found.group(1) if found is not None else ""
    return "arm64" if "g" in attributes or family == "a1" else "amd64"


def launch_template(args: MachineArgs, name: str, opts: ResourceOptions) -> aws.ec2.LaunchTemplate:
    """The template of a fleet; a change makes a new version of it."""
    tags = stack_tags(args.place) | {"Name": args.name}
    return aws.ec2.LaunchTemplate(
        name,
        name=args.name,
        image_id=args.image_id or IMAGES + architecture(args.instance_type),
        instance_type=args.instance_type,
        update_default_version=True,
        ebs_optimized="true",
        iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(arn=args.profile_arn),
        # One hop: what a program on the machine forwards for others does not get its credentials.
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled",
            http_tokens="required",
            http_put_response_hop_limit=1,
            http_protocol_ipv6="disabled",
            instance_metadata_tags="disabled",
        ),
        block_device_mappings=[
            aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name=ROOT_DEVICE,
                ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                    encrypted="true",
                    kms_key_id=args.key_arn,
                    volume_type="gp3",
                    volume_size=DISK_GIB,
                    delete_on_termination="true",
                ),
            )
        ],
        network_interfaces=[
            aws.ec2.LaunchTemplateNetworkInterfaceArgs(
                device_index=0,
                associate_public_ip_address="true",
                delete_on_termination="true",
                security_groups=[args.security_group],
            )
        ],
        placement=aws.ec2.LaunchTemplatePlacementArgs(tenancy=args.tenancy),
        monitoring=aws.ec2.LaunchTemplateMonitoringArgs(enabled=True),
        # The provider's default tags reach the template, not what is started from it.
        tag_specifications=[
            aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=tags)
            for kind in ("instance", "volume", "network-interface")
        ],
        user_data=args.user_data,
        opts=opts,
    )
