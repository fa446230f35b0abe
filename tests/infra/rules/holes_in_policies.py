"""Policies that look as they should, and let somebody through all the same."""

from __future__ import annotations

from typing import Any, Final

from tests.infra.rules.small_stacks import (
    ACCOUNT,
    ENDPOINT_ID,
    FENCE,
    OTHER_ACCOUNT,
    RECORDINGS,
    REGION,
    SOFTWARE,
    allow,
    deny,
    document,
)
from tests.infra.rules.spoiling import (
    BUCKET,
    MANAGED,
    ROLE,
    ROLE_POLICY,
    SECRET,
    Spoil,
    add,
    bounded_by,
    by_account,
    denying,
    fenced_by,
    key_also,
    may,
    set_,
    trusts,
    words_also,
)

ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
SECRET_POLICY: Final = "aws:secretsmanager/secretPolicy:SecretPolicy"
TOPIC_POLICY: Final = "aws:sns/topicPolicy:TopicPolicy"
HOME: Final = {"aws:RequestedRegion": REGION}

_FENCES: Final[dict[str, dict[str, Any]]] = {
    "by a pattern": {"Condition": {"StringNotLike": {"aws:RequestedRegion": "*-central-1"}}},
    "in one region only": {"Condition": {"StringEquals": {"aws:RequestedRegion": "xx-nowhere-1"}}},
    "but for who has a tag": {
        "Condition": {"StringNotEquals": {**HOME, "aws:PrincipalTag/free": "yes"}}
    },
    "but for an address": {
        "Condition": {"StringNotEquals": HOME, "NotIpAddress": {"aws:SourceIp": "203.0.113.7"}}
    },
    "of another region": {
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": [REGION, "xx-other-1"]}}
    },
    "where the key exists": {"Condition": {"StringNotEqualsIfExists": HOME}},
    "but for messages": {"NotAction": ["iam:*", "sns:Publish"]},
    "but for events": {"NotAction": ["iam:*", "events:PutEvents"]},
    "but for parameters": {"NotAction": ["iam:*", "ssm:PutParameter"]},
    "but for streams": {"NotAction": ["iam:*", "firehose:PutRecord"]},
    "of one resource": {"Resource": f"arn:aws:s3:::{RECORDINGS}/*"},
    "but for a resource": {"Resource": None, "NotResource": "arn:aws:s3:::export/*"},
    "but for somebody": {"NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/ops"}},
    "of some actions": {"NotAction": None, "Action": ["s3:*", "kms:*"]},
}
_STRANGERS: Final[dict[str, dict[str, Any]]] = {
    "of an organisation": {"StringEquals": {"aws:PrincipalOrgID": "o-1a2b3c4d5e"}},
    "of two accounts": {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, OTHER_ACCOUNT]}},
    "of another caller": {"StringEquals": {"kms:CallerAccount": OTHER_ACCOUNT}},
    "with a tag": {"StringEquals": {"aws:PrincipalTag/team": "ops"}},
    "of any account's role": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/backup"}},
    "through an endpoint": {"StringEquals": {"aws:SourceVpce": "vpce-5e6f7a8b"}},
    "if it says an account": {"StringEqualsIfExists": {"aws:PrincipalAccount": ACCOUNT}},
    "of not one account": {"StringNotEquals": {"aws:PrincipalAccount": OTHER_ACCOUNT}},
    "of an account by pattern": {"StringLike": {"aws:PrincipalAccount": "1*"}},
    "of an ARN by text": {"StringLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:*"}},
    "with an id": {"StringEquals": {"sts:ExternalId": "1a2b"}},
}
_FOREIGN: Final = {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:role/backup"}
_LATER: Final = (
    "kms:ReEncryptFrom",
    "kms:ScheduleKeyDeletion",
    "s3:ListBucket",
    "s3:PutObject",
    "s3:PutBucketPolicy",
    "s3:DeleteObject",
    "secretsmanager:PutResourcePolicy",
    "sns:Subscribe",
)


def _for_strangers() -> list[tuple[str, str, Spoil]]:
    found: list[tuple[str, str, Spoil]] = []
    for way, condition in _STRANGERS.items():
        anybody = allow("sns:Publish", Principal="*", Condition=condition)
        read = allow("secretsmanager:GetSecretValue", Principal="*", Condition=condition)
        found += [
            ("key-policy", way, key_also("*", Condition=condition)),
            ("policy-outsider", f"topic {way}", add(TOPIC_POLICY, policy=document(anybody))),
            ("policy-outsider", f"secret {way}", add(SECRET_POLICY, policy=document(read))),
            ("role-trust", way, trusts({"AWS": "*"}, Condition=condition)),
        ]
    for action in _LATER:
        statement = allow(action, Principal=_FOREIGN)
        found.append(("policy-outsider", action, add(SECRET_POLICY, policy=document(statement))))
    return found


def _in_denials() -> list[tuple[str, str, Spoil]]:
    found: list[tuple[str, str, Spoil]] = []
    tls = {"Bool": {"aws:SecureTransport": "false"}}
    holes: dict[str, dict[str, Any]] = {
        "address": {"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}},
        "role": {"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/ops"}},
        "tag": {"StringNotEquals": {"aws:PrincipalTag/free": "yes"}},
    }
    ways = {"Tls": tls, "Endpoint": {"StringNotEquals": {"aws:SourceVpce": ENDPOINT_ID}}}
    for sid, condition in ways.items():
        rule = f"bucket-{sid.lower()}"
        for way, hole in holes.items():
            more = {**condition, **hole}
            if sid == "Endpoint" and way == "tag":
                more = {
                    "StringNotEquals": {**condition["StringNotEquals"], **hole["StringNotEquals"]}
                }
            found.append((rule, f"but for a {way}", denying(sid, Condition=more)))
        somebody = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/ops"}
        found += [
            (rule, "but for somebody", denying(sid, Principal=None, NotPrincipal=somebody)),
            (rule, "but for somebody of all", denying(sid, NotPrincipal=somebody)),
            (rule, "for somebody", denying(sid, Principal=somebody)),
            (rule, "for the account alone", denying(sid, Principal={"AWS": ACCOUNT})),
            (
                rule,
                "but for a prefix",
                denying(sid, Resource=None, NotResource=f"arn:aws:s3:::{RECORDINGS}/export/*"),
            ),
            (rule, "of a prefix", denying(sid, Resource=f"arn:aws:s3:::{RECORDINGS}/n*")),
        ]
    return [
        *found,
        ("bucket-tls", "of objects", denying("Tls", Resource=f"arn:aws:s3:::{RECORDINGS}/*")),
        ("bucket-endpoint", "but for two accounts", by_account([ACCOUNT, OTHER_ACCOUNT])),
        ("bucket-endpoint", "but for accounts by pattern", by_account("1*", "StringNotLike")),
        ("bucket-endpoint", "of networks anywhere", by_account(ACCOUNT, region="*")),
        (
            "bucket-foreign-key",
            "of any account",
            denying(
                "Key",
                Condition={
                    "StringNotLike": {
                        "s3:x-amz-server-side-encryption-aws-kms-key-id": f"arn:aws:kms:{REGION}:*"
                    }
                },
            ),
        ),
        ("bucket-replication", "but for one", denying("Replication", Condition=holes["tag"])),
    ]


_OUR_LOGS: Final = {
    "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:*"}
}
_TWICE: Final = document(FENCE).replace('"Condition"', '"Condition": {}, "Condition"')
_REST: Final[list[tuple[str, str, Spoil]]] = [
    (
        "key-policy",
        "service of an organisation",
        key_also(
            {"Service": "logs.amazonaws.com"},
            Condition={"StringEquals": {"aws:SourceOrgID": "o-1a2b3c4d5e"}},
        ),
    ),
    (
        "key-policy",
        "service for anybody's resource",
        key_also(
            {"Service": "logs.amazonaws.com"},
            Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:logs:{REGION}:*:*"}},
        ),
    ),
    (
        "key-policy",
        "anybody who says it is for our logs",
        key_also("*", Condition=_OUR_LOGS),
    ),
    (
        "software-read-only",
        "below another prefix",
        may(allow("s3:PutObject", f"arn:aws:s3:::{SOFTWARE}/clinic/*")),
    ),
    ("document-seen", "no JSON", set_(ROLE_POLICY, policy="{")),
    ("document-seen", "no effect", may({"Action": "kms:Decrypt", "Resource": "*"})),
    ("document-seen", "an element of its own", may({**allow("kms:Decrypt"), "except": "s3:*"})),
    ("document-seen", "a thing twice", set_(ROLE_POLICY, policy=_TWICE)),
    (
        "key-policy",
        "service that says it is for our logs",
        key_also({"Service": "ec2.amazonaws.com"}, Condition=_OUR_LOGS),
    ),
    ("key-policy", "user of S3", key_also({"CanonicalUser": "1a2b"})),
    ("policy-outsider", "bucket", words_also(allow("s3:ListBucket", Principal=_FOREIGN))),
    ("policy-outsider", "secret", set_(SECRET, policy=document(allow("*", Principal=_FOREIGN)))),
    ("no-side-door", "bucket's own", set_(BUCKET, policy=document(deny("s3:*")))),
    (
        "role-trust",
        "flow logs of anybody",
        trusts({"Service": "vpc-flow-logs.amazonaws.com"}),
    ),
    (
        "foreign-account",
        "number in a condition",
        words_also(
            deny("s3:*", Condition={"StringNotEquals": {"aws:PrincipalAccount": OTHER_ACCOUNT}})
        ),
    ),
    (
        "foreign-account",
        "numbers by pattern",
        may(allow("kms:Decrypt", f"arn:aws:kms:{REGION}:44445555666?:key/*")),
    ),
    ("own-bucket", "a foreign one", may(allow("s3:PutObject", "arn:aws:s3:::insurer-exchange/*"))),
    ("own-bucket", "all of a name", may(allow("s3:PutObject", f"arn:aws:s3:::{RECORDINGS[:-1]}*"))),
    ("own-bucket", "every one", may(allow("s3:PutObject"))),
    (
        "own-bucket",
        "all but one",
        may(
            {
                "Effect": "Allow",
                "Action": "s3:PutObject",
                "NotResource": f"arn:aws:s3:::{SOFTWARE}/*",
            }
        ),
    ),
    (
        "own-bucket",
        "in a boundary",
        set_(MANAGED, policy=document(allow("s3:PutObject", "arn:aws:s3:::insurer-exchange/*"))),
    ),
    (
        "endpoint-policy",
        "a foreign one",
        set_(
            ENDPOINT,
            policy=document(
                allow("s3:PutObject", "arn:aws:s3:::insurer-exchange/*", Principal="*")
            ),
        ),
    ),
    (
        "endpoint-policy",
        "express",
        add(
            ENDPOINT,
            serviceName=f"com.amazonaws.{REGION}.s3express",
            policy=document(allow("s3express:*", Principal="*")),
        ),
    ),
    (
        "endpoint-policy",
        "anybody's secrets",
        set_(ENDPOINT, "secrets", policy=document(allow("secretsmanager:*", Principal="*"))),
    ),
    (
        "role-actions",
        "another's role",
        may(allow("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/x")),
    ),
    ("role-actions", "sends", may(allow("sqs:SendMessage"))),
    ("role-actions", "by pattern", may(allow("s3:Put*", f"arn:aws:s3:::{RECORDINGS}/*"))),
    ("role-actions", "in a boundary", set_(MANAGED, policy=document(allow("sts:AssumeRole")))),
    (
        "role-actions",
        "of a policy from elsewhere, on the role",
        set_(ROLE, managedPolicyArns=[f"arn:aws:iam::{ACCOUNT}:policy/other"]),
    ),
]

HOLES_IN_POLICIES: Final = [
    *(("role-fence", way, fenced_by(**more)) for way, more in _FENCES.items()),
    *(("role-boundary", way, bounded_by(**more)) for way, more in _FENCES.items()),
    *_for_strangers(),
    *_in_denials(),
    *_REST,
]
"""(rule, in what way, how)"""
