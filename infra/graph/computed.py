"""What AWS would answer when a resource is made: ids, ARNs and names that look like its own.

All of it follows from the URN and the inputs, so that two captures are equal.
"""

from __future__ import annotations

import hashlib
import importlib
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeAlias

import pulumi

from infra.graph.forms import FORMS, Form
from infra.rules.model import Value


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource is made."""

    region: str
    account: str


@dataclass(frozen=True, slots=True)
class Made:
    """A resource's id and what AWS computed besides its inputs."""

    id: str
    outputs: Mapping[str, Value] = field(default_factory=dict)


_Words: TypeAlias = Mapping[str, str]
_Special: TypeAlias = Callable[[Mapping[str, Value], _Words], Mapping[str, Value]]


def made(type_: str, name: str, urn: str, inputs: Mapping[str, Value], place: Place) -> Made:
    """What is known of a resource once it is made."""
    form = FORMS.get(type_) or _fallback(type_)
    physical = named(type_, name, urn, inputs)
    words = _words(urn, inputs, place) | {"name": str(physical.get(form.named, name))}
    if form.id == "{arn}":
        words["id"] = words["arn"] = _fill(form.arn, words)
    else:
        words["id"] = _fill(form.id, words)
        words["arn"] = _fill(form.arn, words)
    outputs: dict[str, Value] = {
        key: f"{key}-of-{name}" for key in _computed_texts(type_)
    } | physical
    if form.arn:
        outputs["arn"] = words["arn"]
    outputs |= {key: _fill(text, words) for key, text in form.more.items()}
    if type_ in _SPECIAL:
        outputs |= _SPECIAL[type_](inputs, words)
    return Made(words["id"], {k: v for k, v in outputs.items() if inputs.get(k) is None})


def named(type_: str, name: str, urn: str, inputs: Mapping[str, Value]) -> dict[str, Value]:
    """The physical name: the given one, else one as Pulumi makes up, ``name-1234abc``."""
    form = FORMS.get(type_)
    if form is None or not form.named:
        return {}
    given = inputs.get(form.named)
    return {form.named: f"{name}-{_digest(urn)[:7]}" if given is None else given}


def _fallback(type_: str) -> Form:
    if not type_.startswith("aws:"):
        return Form("{name}")
    service, _, rest = type_.removeprefix("aws:").partition("/")
    kind = rest.partition(":")[0]
    return Form("{name}", f"arn:aws:{service}:{{region}}:{{account}}:{kind}/{{name}}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _words(urn: str, inputs: Mapping[str, Value], place: Place) -> dict[str, str]:
    digest = _digest(urn)
    kind = "app" if inputs.get("loadBalancerType", "application") == "application" else "net"
    given = {f"in_{key}": str(value) for key, value in inputs.items() if value is not None}
    return given | {
        "region": place.region,
        "account": place.account,
        "hex6": digest[:6],
        "hex16": digest[:16],
        "hex17": digest[:17],
        "zone": digest[:14].upper(),
        "number": str(int(digest[:8], 16)),
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, urn)),
        "kind": kind,
        "in_balancer": str(inputs.get("loadBalancerArn")).replace(":loadbalancer/", ":listener/"),
        "in_rules": str(inputs.get("listenerArn")).replace(":listener/", ":listener-rule/"),
    }


def _fill(template: str, words: _Words) -> str:
    return template.format_map(defaultdict(str, words))


@cache
def _computed_texts(type_: str) -> tuple[str, ...]:
    """The properties of a type that AWS always answers with a text."""
    module, _, class_name = type_.rpartition(":")
    package = module.partition("/")[0].replace(":", ".").replace("lambda", "lambda_")
    try:
        found = getattr(importlib.import_module(f"pulumi_{package}"), class_name)
    except (ImportError, AttributeError):
        return ()
    getters = [item.fget for item in vars(found).values() if isinstance(item, property)]
    return tuple(
        getter._pulumi_name  # type: ignore[attr-defined]
        for getter in getters
        if getter is not None and getter.__annotations__.get("return") == pulumi.Output[str]
    )


def _versions(inputs: Mapping[str, Value], words: _Words) -> Mapping[str, Value]:
    return {"latestVersion": 1, "defaultVersion": 1}


def _validation(inputs: Mapping[str, Value], words: _Words) -> Mapping[str, Value]:
    domains = dict.fromkeys(
        [inputs.get("domainName"), *(inputs.get("subjectAlternativeNames") or ())]
    )
    return {
        "domainValidationOptions": [
            {
                "domainName": domain,
                "resourceRecordName": f"_{words['hex16']}.{str(domain).removeprefix('*.')}.",
                "resourceRecordType": "CNAME",
                "resourceRecordValue": f"_{words['hex17']}.acm-validations.aws.",
            }
            for domain in domains
        ]
    }


def _dns_entries(inputs: Mapping[str, Value], words: _Words) -> Mapping[str, Value]:
    service = str(inputs.get("serviceName"))
    host = f"{words['id']}-{words['hex6']}.{'.'.join(reversed(service.split('.')))}"
    return {"dnsEntries": [{"dnsName": host, "hostedZoneId": f"Z{words['zone']}"}]}


_SPECIAL: Final[Mapping[str, _Special]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": _versions,
    "aws:acm/certificate:Certificate": _validation,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _dns_entries,
}
