"""Where a text says that something is: names of AWS regions and zones, and what stands for them.

Sources, read on 2026-11-21: "AWS Regions", "Availability Zone IDs" and "Local Zones" in the AWS
Global Infrastructure and EC2 user guides; "Amazon S3 endpoints" in the AWS General Reference.
"""

from __future__ import annotations

import re
from typing import Final

_PARTS = "eusc-[a-z]{2}|(?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:-gov|-iso[a-z]?)?"
_COMPASS: Final = {
    "central": "c",
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
    "northeast": "ne",
    "northwest": "nw",
    "southeast": "se",
    "southwest": "sw",
}
_REGION = rf"(?:{_PARTS})-(?:{'|'.join(sorted(_COMPASS, key=len, reverse=True))})-[0-9]"
_NAMED = re.compile(rf"(?<![a-z0-9])({_REGION})(?=[a-z]?(?![a-z0-9]))")
"""A region, also as the stem of a zone name, and inside names joined by dashes."""
_LOCAL_ZONE = re.compile(
    rf"(?<![a-z0-9])({_REGION}-(?:[a-z]{{3}}-[0-9]+[a-z]|wl[0-9]+-[a-z]{{3}}-wlz-[0-9]+))(?![a-z0-9])"
)
"""Named after a region, yet in another city and maybe another country (Warsaw: eu-central-1)."""
_ZONE_ID = re.compile(
    r"(?<![a-z0-9])([a-z]{2,6}[0-9])(-[a-z]{3}[0-9]+|-wl[0-9]+)?-az[0-9]+(?![a-z0-9])"
)
_GLOBAL_S3 = re.compile(
    r"s3-external-1|s3-accelerate|s3-global|\.mrap\b|//(?:[a-z0-9.-]+\.)?s3\.amazonaws\.com"
)
"""Endpoints of S3 that answer from Virginia, or from wherever the caller is."""
_CONTROL_PLANE_URL = re.compile(rf"https://[a-z]\.{_REGION}\.(?!amazonaws\.)[a-z0-9.-]+")
"""A replica of the control plane: nodes of every region beat to it, and send no personal data."""
_NEIGHBOURS = re.compile(r'\\?"(?:control_planes|replica_urls)\\?"\s*:\s*\[([^\]]*)\]')
"""Where a machine is told the control planes of the stack file."""
_NODE_SECRET = re.compile(rf'"{_REGION}(?:\.[a-z0-9-]+)?\\?"\s*:\s*\[?\s*\\?"[0-9a-f]{{64}}')
"""What a control plane knows of another region's stack: the SHA-256 of its nodes' secrets."""


def zone_prefix(region: str) -> str:
    """How ids of the region's zones begin: ``eu-central-1`` gives ``euc1``."""
    area, *parts, compass, number = region.split("-")
    return area + "".join(part[:1] for part in parts) + _COMPASS.get(compass, compass) + number


def without_neighbours(text: str) -> str:
    """User data without the two things in it that name other regions and carry no caller's data.

    A control plane's address counts as such only in the lists of those that the stack file names,
    and only when they are of one domain.
    """
    return _NEIGHBOURS.sub(_without_urls, _NODE_SECRET.sub("", text))


def _without_urls(match: re.Match[str]) -> str:
    domains = {url.split(".", 2)[2] for url in _CONTROL_PLANE_URL.findall(match[0])}
    return match[0] if len(domains) > 1 else _CONTROL_PLANE_URL.sub("", match[0])


def foreign(text: str, regions: frozenset[str]) -> list[str]:
    """What ``text`` names that is outside ``regions``: regions, zones, endpoints; sorted."""
    lowered = text.lower().replace("_", "-")
    found = {match for match in _NAMED.findall(lowered) if match not in regions}
    found.update(_LOCAL_ZONE.findall(lowered))
    prefixes = {zone_prefix(region) for region in regions}
    for match in _ZONE_ID.finditer(lowered):
        if match[1] not in prefixes or match[2]:
            found.add(match[0])
    found.update(match.strip("/") for match in _GLOBAL_S3.findall(lowered))
    return sorted(found)
