"""Stacks whose policies are right, and whose properties, references and options are not."""

from __future__ import annotations

import base64
import gzip
from typing import Any, Final

from infra.rules.model import Graph
from tests.infra.rules.small_stacks import (
    KEY_ARN,
    OTHER_ACCOUNT,
    RECORDINGS,
    REGION,
    named,
    spoil,
)
from tests.infra.rules.spoiling import (
    BUCKET,
    CACHE,
    GROUP,
    KEY,
    LOGS,
    PROVIDERS,
    TEMPLATE,
    Spoil,
    add,
    having,
    opens,
    routed,
    set_,
    user_data,
)

CLINIC: Final = "~inland:clinic:*"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
FLEET: Final = "aws:autoscaling/group:Group"
LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
LISTENER: Final = "aws:lb/listener:Listener"
RECORD: Final = "aws:route53/record:Record"
TABLE: Final = "aws:ec2/routeTable:RouteTable"
USER: Final = "aws:elasticache/user:User"
VERSIONS: Final = "aws:s3/bucketVersioning:BucketVersioning"
ALL: Final = {"status": "Enabled", "expiration": {"days": 30}}
ABROAD: Final = "https://a.us-east-1.attacker.example"


def _kept(**rule: Any) -> Spoil:
    return set_(LIFECYCLE, "recordings", rules=[{**ALL, **rule}])


def _believed(graph: Graph) -> Graph:
    """A key of nobody here, which waits for one of the stack."""
    known = {"kmsKeyId": (named(graph, KEY).urn,)}
    return having(LOGS, dependencies=known)(spoil(graph, LOGS, kmsKeyId=f"{KEY_ARN}-other"))


def _wrapped() -> str:
    """A gzip in base64, broken as `base64` breaks it and indented as in a cloud-config."""
    text = f"{[number * 7919 for number in range(60)]} to: us-east-2"
    token = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    lines = [token[start : start + 76] for start in range(0, len(token), 76)]
    return "write_files:\n- encoding: gz+b64\n  content: |\n    " + "\n    ".join(lines)


_NETWORK: Final[list[tuple[str, str, Spoil]]] = [
    ("own-reference", "a private gateway", routed(gatewayId="vgw-1")),
    ("no-road-out", "interface", routed(networkInterfaceId="eni-1")),
    ("no-road-out", "endpoint of a route", routed(vpcEndpointId="vpce-1")),
    ("no-road-out", "somebody's routes", set_(TABLE, propagatingVgws=["vgw-1"])),
    ("no-road-out", "resource", set_(ENDPOINT, vpcEndpointType="Resource")),
    ("no-road-out", "appliance", set_(ENDPOINT, vpcEndpointType="GatewayLoadBalancer")),
    ("no-road-out", "service of anybody", set_(ENDPOINT, serviceName="com.example.s3")),
    (
        "no-road-out",
        "redirect",
        set_(LISTENER, defaultActions=[{"type": "redirect", "redirect": {"host": "example.net"}}]),
    ),
    (
        "no-road-out",
        "redirect of a rule",
        add(
            "aws:lb/listenerRule:ListenerRule",
            actions=[{"type": "redirect", "redirect": {"host": "example.net"}}],
        ),
    ),
    ("no-road-out", "login", set_(LISTENER, defaultActions=[{"type": "authenticate-oidc"}])),
    ("record-home", "address", set_(RECORD, "sip", aliases=None, records=["203.0.113.7"])),
    (
        "record-home",
        "foreign alias",
        set_(RECORD, "sip", aliases=[{"name": "x.elb.example.net", "zoneId": "Z1"}]),
    ),
    ("record-home", "name", add(RECORD, type="CNAME", records=["sip.example.net"])),
    ("record-home", "zone", add(RECORD, type="NS", records=["ns.example.net"])),
    ("record-home", "service", set_(RECORD, "sip-udp", records=["10 10 5060 sip.example.net."])),
    ("inbound-source", "all ports", opens("tcp", 0, 65535, "10.0.0.0/8")),
    ("inbound-source", "health", opens("tcp", 8080, 8080, "198.51.100.0/24")),
    ("inbound-source", "half a carrier", opens("udp", 5060, 5060, "192.0.0.0/9")),
    ("own-reference", "groups", set_(GROUP, ingress=[{"securityGroups": ["sg-2"]}])),
]
_REFERENCES: Final[list[tuple[str, str, Spoil]]] = [
    ("own-key", "computed from one of the stack", _believed),
    ("own-reference", "template", set_(FLEET, launchTemplate={"id": "lt-2"})),
    ("own-reference", "subnets", set_(FLEET, vpcZoneIdentifiers=["subnet-1", "subnet-2"])),
    ("own-reference", "targets of a fleet", set_(FLEET, targetGroupArns=["arn:x"])),
    ("own-reference", "profile", set_(TEMPLATE, iamInstanceProfile={"name": "admin"})),
    (
        "own-reference",
        "groups of a machine",
        set_(TEMPLATE, networkInterfaces=[{"securityGroups": ["sg-2"]}]),
    ),
    (
        "own-reference",
        "targets",
        set_(LISTENER, defaultActions=[{"type": "forward", "targetGroupArn": "arn:x"}]),
    ),
    ("own-reference", "users", set_(CACHE, userGroupIds=["others"])),
    ("no-side-door", "a login", set_(TEMPLATE, keyName="ops")),
    ("no-side-door", "a mixture", set_(FLEET, mixedInstancesPolicy={"launchTemplate": {}})),
    ("no-side-door", "log of a cache", set_(CACHE, logDeliveryConfigurations=[{"logType": "x"}])),
    ("no-side-door", "log of a bucket", set_(BUCKET, loggings=[{"targetBucket": "others"}])),
    ("no-side-door", "store of a key", set_(KEY, customKeyStoreId="cks-1")),
    ("no-side-door", "key outside", set_(KEY, xksKeyId="1a2b")),
    ("known-properties", "any", set_(LOGS, logGroupClass="DELIVERY")),
]
_OPTIONS: Final[list[tuple[str, str, Spoil]]] = [
    ("ignored-changes", "policy", having(KEY, ignore_changes=("policy",))),
    ("plain-options", "import", having(BUCKET, options=frozenset({"importId"}))),
    ("plain-options", "kept", having(LOGS, options=frozenset({"retainOnDelete"}))),
    ("plain-options", "plugin", having(LOGS, options=frozenset({"pluginDownloadURL"}))),
    ("plain-options", "version", having(LOGS, version="6.0.0")),
    ("type-allowed", "as a component", add("inland:region:Network")),
    ("type-allowed", "of our name", add("inland:region:Elsewhere")),
    ("provider-region", "proxy", set_(PROVIDERS, httpsProxy="http://proxy.example.net")),
    ("provider-region", "unchecked", set_(PROVIDERS, insecure="true")),
    ("provider-region", "certificates", set_(PROVIDERS, customCaBundle="/tmp/ca.pem")),
    ("provider-region", "credentials", set_(PROVIDERS, skipCredentialsValidation="true")),
    ("provider-region", "account", set_(PROVIDERS, skipRequestingAccountId="true")),
    ("provider-region", "tags", set_(PROVIDERS, ignoreTags='{"keys":["inland:holds"]}')),
    ("provider-region", "version", set_(PROVIDERS, version="6.0.0")),
    ("provider-region", "plugin", set_(PROVIDERS, pluginDownloadURL="https://example.net")),
]
_SMALL: Final[list[tuple[str, str, Spoil]]] = [
    ("bucket-retention", "of a prefix", _kept(filter={"prefix": "never/"})),
    ("bucket-retention", "of a tag", _kept(filter={"tag": {"key": "a", "value": "b"}})),
    ("bucket-retention", "of the old kind", _kept(prefix="never/")),
    ("bucket-retention", "a century", _kept(expiration={"days": 36_500})),
    (
        "bucket-retention",
        "old versions",
        add(VERSIONS, bucket=RECORDINGS),
    ),
    (
        "holds-tag",
        "recordings as software",
        set_(BUCKET, "recordings", tags={"inland:holds": "software"}),
    ),
    ("cache-login", "keys to read", set_(USER, accessString=f"on %RW~* {CLINIC} -@all +hget")),
    ("cache-login", "any character", set_(USER, accessString="on ~?* resetchannels -@all +hget")),
    ("cache-login", "all keys", set_(USER, accessString="on allkeys resetchannels -@all +hget")),
    (
        "cache-login",
        "a second pattern",
        set_(USER, accessString=f"on {CLINIC} resetchannels -@all +hget ~*"),
    ),
    (
        "cache-login",
        "a category",
        set_(USER, accessString=f"on {CLINIC} resetchannels -@all +@read"),
    ),
    (
        "cache-login",
        "a command without keys",
        set_(USER, accessString=f"on {CLINIC} resetchannels -@all +hget +flushall"),
    ),
    ("cache-login", "on after all", set_(USER, accessString="off -@all on ~* +@all")),
    ("cache-login", "another tenant", set_(USER, userId="inland-bank")),
    ("cache-login", "password", set_(USER, authenticationMode={"type": "password"})),
    ("foreign-region-name", "escaped", user_data('{"to": "\\u0075s-east-2"}')),
    ("foreign-region-name", "in a URL", user_data("https://example.org/?to=us%2Deast%2D2")),
    ("foreign-region-name", "short", user_data(base64.b64encode(b"us-east-2").decode())),
    (
        "foreign-account",
        "in user data",
        user_data(f"arn:aws:sns:{REGION}:{OTHER_ACCOUNT}:ops and more words about it"),
    ),
    ("foreign-region-name", "wrapped", user_data(_wrapped())),
    ("foreign-region-name", "like a control plane", user_data(f"curl {ABROAD}/")),
    (
        "foreign-region-name",
        "among control planes",
        user_data(f'{{"control_planes": ["https://a.ap-south-1.example.org", "{ABROAD}"]}}'),
    ),
]

HOLES_IN_STACKS: Final = [*_NETWORK, *_REFERENCES, *_OPTIONS, *_SMALL]
"""(rule, in what way, how)"""
