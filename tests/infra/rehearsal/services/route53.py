"""Route 53, which belongs to no region."""

from __future__ import annotations

import uuid
from typing import Any, Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, chosen, tag_list


def _record(inputs: Values) -> dict[str, Any]:
    found: dict[str, Any] = {"Name": inputs["name"], "Type": inputs["type"]}
    found |= chosen(inputs, TTL="ttl", SetIdentifier="setIdentifier", HealthCheckId="healthCheckId")
    for alias in inputs.get("aliases") or ():
        found["AliasTarget"] = {
            "DNSName": alias["name"],
            "HostedZoneId": alias["zoneId"],
            "EvaluateTargetHealth": alias["evaluateTargetHealth"],
        }
    if inputs.get("records"):
        found["ResourceRecords"] = [{"Value": value} for value in inputs["records"]]
    for policy in inputs.get("latencyRoutingPolicies") or ():
        found["Region"] = policy["region"]
    return found


def _change(aws: Aws, action: str, inputs: Values) -> None:
    changes = [{"Action": action, "ResourceRecordSet": _record(inputs)}]
    aws.route53.change_resource_record_sets(
        HostedZoneId=inputs["zoneId"], ChangeBatch={"Changes": changes}
    )


def _create(aws: Aws, inputs: Values) -> Made:
    """A record that is there already is refused, unless the program may overwrite it."""
    _change(aws, "UPSERT" if inputs.get("allowOverwrite") else "CREATE", inputs)
    words = [inputs["zoneId"], inputs["name"], inputs["type"], inputs.get("setIdentifier", "")]
    return Made("_".join(word for word in words if word), {"fqdn": inputs["name"].rstrip(".")})


def _update(aws: Aws, kept: Kept, inputs: Values) -> Values:
    _change(aws, "UPSERT", inputs)
    return {}


def _check(inputs: Values) -> dict[str, Any]:
    return chosen(
        inputs,
        FullyQualifiedDomainName="fqdn",
        Port="port",
        Type="type",
        ResourcePath="resourcePath",
        RequestInterval="requestInterval",
        FailureThreshold="failureThreshold",
        MeasureLatency="measureLatency",
        EnableSNI="enableSni",
        Regions="regions",
    )


def _create_check(aws: Aws, inputs: Values) -> Made:
    made = aws.route53.create_health_check(
        CallerReference=str(uuid.uuid4()), HealthCheckConfig=_check(inputs)
    )["HealthCheck"]
    aws.route53.change_tags_for_resource(
        ResourceType="healthcheck", ResourceId=made["Id"], AddTags=tag_list(inputs)
    )
    return Made(made["Id"], {"arn": f"arn:aws:route53:::healthcheck/{made['Id']}"})


def _update_check(aws: Aws, kept: Kept, inputs: Values) -> Values:
    fixed = ("Type", "RequestInterval", "MeasureLatency")
    wanted = {key: value for key, value in _check(inputs).items() if key not in fixed}
    aws.route53.update_health_check(HealthCheckId=kept.id, **wanted)
    return {}


KINDS: Final = {
    "aws:route53/record:Record": Kind(
        _create,
        lambda aws, kept: _change(aws, "DELETE", kept.inputs),
        _update,
        frozenset({"zoneId", "name", "type", "setIdentifier"}),
    ),
    "aws:route53/healthCheck:HealthCheck": Kind(
        _create_check,
        lambda aws, kept: aws.route53.delete_health_check(HealthCheckId=kept.id),
        _update_check,
        frozenset({"type", "requestInterval", "measureLatency"}),
        tagged=True,
    ),
}
