"""Answers to what a program may ask a provider. The shipped programs ask nothing."""

from __future__ import annotations

from collections.abc import Mapping

from infra.graph.computed import Place
from infra.rules.model import Value


def answer(token: str, arguments: Mapping[str, Value], place: Place) -> dict[str, Value]:
    """What AWS might say; for a question that is not listed, the arguments come back."""
    known: dict[str, dict[str, Value]] = {
        "aws:index/getCallerIdentity:getCallerIdentity": {
            "accountId": place.account,
            "arn": f"arn:aws:iam::{place.account}:role/operator",
            "userId": "AROAEXAMPLE:operator",
        },
        "aws:index/getRegion:getRegion": {"name": place.region, "description": place.region},
        "aws:index/getPartition:getPartition": {
            "partition": "aws",
            "dnsSuffix": "amazonaws.com",
            "reverseDnsPrefix": "com.amazonaws",
        },
        "aws:index/getAvailabilityZones:getAvailabilityZones": {
            "names": [f"{place.region}{letter}" for letter in "abc"],
            "zoneIds": [f"{place.region}-az{number}" for number in (1, 2, 3)],
        },
    }
    return {"id": token, "region": place.region, **arguments, **known.get(token, {})}
