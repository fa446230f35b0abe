"""Machines: the instance metadata asks for a token, and disks do not outlive them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.rules import allowed_types as types
from infra.rules.model import Graph, Resource, Scope
from infra.rules.values import block, maps

_HOPS: Final = 1
"""A token's answer must not leave the machine's own network stack."""


def metadata_token(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """IMDSv2 only: a forged request through a node must not read its credentials."""
    if resource.type not in (types.LAUNCH_TEMPLATE, "aws:ec2/instance:Instance"):
        return
    options = block(resource.properties.get("metadataOptions"))
    if options.get("httpTokens") != "required":
        yield "metadataOptions.httpTokens is not required"
    hops = options.get("httpPutResponseHopLimit")
    if isinstance(hops, int | float) and hops > _HOPS:
        yield f"metadataOptions.httpPutResponseHopLimit is {hops}"


def disk_ends(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A disk is deleted with its machine, and is not made from a snapshot."""
    if resource.type != types.LAUNCH_TEMPLATE:
        return
    for index, device in enumerate(maps(resource.properties.get("blockDeviceMappings"))):
        ebs = block(device.get("ebs"))
        if ebs.get("deleteOnTermination") in (False, "false"):
            yield f"blockDeviceMappings[{index}].ebs.deleteOnTermination is off"
        if ebs.get("snapshotId"):
            yield f"blockDeviceMappings[{index}].ebs.snapshotId is set"
