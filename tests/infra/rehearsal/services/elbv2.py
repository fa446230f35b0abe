"""Elastic Load Balancing: network and application load balancers."""

from __future__ import annotations

from typing import Any, Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, chosen, pascal, tag_list, yes

MOST_SECONDS: Final = 3599
"""AWS takes 3,600 seconds as well, which moto 5.2 refuses as not "between 0-3600 inclusive"."""


def _suffix(arn: str, word: str) -> str:
    return arn.partition(f":{word}/")[2] if word == "loadbalancer" else arn.rpartition(":")[2]


def _create_balancer(aws: Aws, inputs: Values) -> Made:
    made = aws.elbv2.create_load_balancer(
        Name=inputs["name"],
        Type=inputs.get("loadBalancerType", "application"),
        Scheme="internal" if inputs.get("internal") else "internet-facing",
        Subnets=inputs["subnets"],
        Tags=tag_list(inputs),
        **chosen(inputs, SecurityGroups="securityGroups"),
    )["LoadBalancers"][0]
    arn = made["LoadBalancerArn"]
    attributes = {
        "load_balancing.cross_zone.enabled": inputs.get("enableCrossZoneLoadBalancing"),
        "deletion_protection.enabled": inputs.get("enableDeletionProtection"),
        "routing.http.drop_invalid_header_fields.enabled": inputs.get("dropInvalidHeaderFields"),
        "idle_timeout.timeout_seconds": inputs.get("idleTimeout"),
    }
    _attributes(aws.elbv2.modify_load_balancer_attributes, attributes, LoadBalancerArn=arn)
    return Made(
        arn,
        {
            "arn": arn,
            "arnSuffix": _suffix(arn, "loadbalancer"),
            "dnsName": made["DNSName"],
            "zoneId": made["CanonicalHostedZoneId"],
        },
    )


def _attributes(call: Any, values: Values, **which: str) -> None:
    given = [
        {"Key": key, "Value": str(value).lower()}
        for key, value in values.items()
        if value is not None
    ]
    if given:
        call(Attributes=given, **which)


def _delete_balancer(aws: Aws, kept: Kept) -> None:
    aws.elbv2.delete_load_balancer(LoadBalancerArn=kept.id)


def _health(inputs: Values) -> dict[str, Any]:
    check = inputs.get("healthCheck") or {}
    found = chosen(
        check,
        HealthCheckEnabled="enabled",
        HealthCheckProtocol="protocol",
        HealthCheckPort="port",
        HealthCheckPath="path",
        HealthCheckIntervalSeconds="interval",
        HealthCheckTimeoutSeconds="timeout",
        HealthyThresholdCount="healthyThreshold",
        UnhealthyThresholdCount="unhealthyThreshold",
    )
    return found | ({"Matcher": {"HttpCode": check["matcher"]}} if check.get("matcher") else {})


def _create_targets(aws: Aws, inputs: Values) -> Made:
    made = aws.elbv2.create_target_group(
        Name=inputs["name"],
        Protocol=inputs["protocol"],
        Port=inputs["port"],
        VpcId=inputs["vpcId"],
        TargetType=inputs.get("targetType", "instance"),
        Tags=tag_list(inputs),
        **_health(inputs),
    )["TargetGroups"][0]
    arn = made["TargetGroupArn"]
    _target_attributes(aws, arn, inputs)
    return Made(arn, {"arn": arn, "arnSuffix": _suffix(arn, "targetgroup")})


def _target_attributes(aws: Aws, arn: str, inputs: Values) -> None:
    sticky = inputs.get("stickiness") or {}
    keeps, delay = inputs.get("preserveClientIp"), inputs.get("deregistrationDelay")
    attributes = {
        "deregistration_delay.timeout_seconds": None if delay is None else min(delay, MOST_SECONDS),
        "deregistration_delay.connection_termination.enabled": inputs.get("connectionTermination"),
        "preserve_client_ip.enabled": None if keeps is None else yes(keeps),
        "stickiness.enabled": sticky.get("enabled"),
        "stickiness.type": sticky.get("type"),
    }
    _attributes(aws.elbv2.modify_target_group_attributes, attributes, TargetGroupArn=arn)


def _update_targets(aws: Aws, kept: Kept, inputs: Values) -> Values:
    health = _health(inputs)
    if health:
        aws.elbv2.modify_target_group(TargetGroupArn=kept.id, **health)
    _target_attributes(aws, kept.id, inputs)
    return {}


def _listening(inputs: Values) -> dict[str, Any]:
    wanted = chosen(inputs, Protocol="protocol", Port="port", SslPolicy="sslPolicy")
    if inputs.get("certificateArn"):
        wanted["Certificates"] = [{"CertificateArn": inputs["certificateArn"]}]
    return {**wanted, "DefaultActions": _actions(inputs["defaultActions"])}


def _actions(actions: list[Values]) -> list[dict[str, Any]]:
    found = []
    for action in actions:
        wanted = chosen(action, Type="type", TargetGroupArn="targetGroupArn", Order="order")
        for theirs, ours in (
            ("FixedResponseConfig", "fixedResponse"),
            ("RedirectConfig", "redirect"),
        ):
            if action.get(ours):
                wanted[theirs] = pascal(action[ours])
        found.append(wanted)
    return found


def _create_listener(aws: Aws, inputs: Values) -> Made:
    made = aws.elbv2.create_listener(
        LoadBalancerArn=inputs["loadBalancerArn"], Tags=tag_list(inputs), **_listening(inputs)
    )["Listeners"][0]
    return Made(made["ListenerArn"], {"arn": made["ListenerArn"]})


def _update_listener(aws: Aws, kept: Kept, inputs: Values) -> Values:
    aws.elbv2.modify_listener(ListenerArn=kept.id, **_listening(inputs))
    return {}


def _conditions(inputs: Values) -> list[dict[str, Any]]:
    fields = {"hostHeader": "host-header", "pathPattern": "path-pattern"}
    return [
        {"Field": field, f"{key[0].upper()}{key[1:]}Config": {"Values": condition[key]["values"]}}
        for condition in inputs["conditions"]
        for key, field in fields.items()
        if condition.get(key)
    ]


def _create_rule(aws: Aws, inputs: Values) -> Made:
    made = aws.elbv2.create_rule(
        ListenerArn=inputs["listenerArn"],
        Priority=inputs["priority"],
        Conditions=_conditions(inputs),
        Actions=_actions(inputs["actions"]),
        Tags=tag_list(inputs),
    )["Rules"][0]
    return Made(made["RuleArn"], {"arn": made["RuleArn"]})


def _update_rule(aws: Aws, kept: Kept, inputs: Values) -> Values:
    aws.elbv2.modify_rule(
        RuleArn=kept.id, Conditions=_conditions(inputs), Actions=_actions(inputs["actions"])
    )
    return {}


KINDS: Final = {
    "aws:lb/loadBalancer:LoadBalancer": Kind(
        _create_balancer,
        _delete_balancer,
        None,
        frozenset({"name", "internal", "loadBalancerType"}),
        tagged=True,
    ),
    "aws:lb/targetGroup:TargetGroup": Kind(
        _create_targets,
        lambda aws, kept: aws.elbv2.delete_target_group(TargetGroupArn=kept.id),
        _update_targets,
        frozenset({"name", "port", "protocol", "targetType", "vpcId"}),
        tagged=True,
    ),
    "aws:lb/listener:Listener": Kind(
        _create_listener,
        lambda aws, kept: aws.elbv2.delete_listener(ListenerArn=kept.id),
        _update_listener,
        frozenset({"loadBalancerArn"}),
        tagged=True,
    ),
    "aws:lb/listenerRule:ListenerRule": Kind(
        _create_rule,
        lambda aws, kept: aws.elbv2.delete_rule(RuleArn=kept.id),
        _update_rule,
        frozenset({"listenerArn"}),
        tagged=True,
    ),
}
