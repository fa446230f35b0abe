"""Ways to use a key without saying for what."""

from __future__ import annotations

from typing import Any, Final

from tests.infra.rules.small_stacks import KEY_ARN, SESSION, allow
from tests.infra.rules.spoiling import ROOT, Spoil, key_also, may

_TENANT, _REGION = SESSION
_WHERE: Final[dict[str, dict[str, Any]]] = {
    "through a service elsewhere": {
        "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
    },
    "through any service": {"StringLike": {"kms:ViaService": "*"}},
    "a tenant or none": {"StringEqualsIfExists": SESSION},
    "any tenant": {"StringLike": dict.fromkeys(SESSION, "*")},
    "all tenants that are said": {"ForAllValues:StringEquals": SESSION},
    "no tenant of these": {"StringNotEquals": SESSION},
    "a tenant of any region": {"StringEquals": {_TENANT: "clinic"}},
    "a tenant of another region": {"StringEquals": {**SESSION, _REGION: "us-east-1"}},
    "the tenant that somebody names": {
        "StringEquals": {**SESSION, _TENANT: "${aws:PrincipalTag/tenant}"}
    },
    "nobody": {"StringEquals": {**SESSION, _TENANT: []}},
    "a role that is called like Auto Scaling's": {
        "ArnEquals": {"aws:PrincipalArn": f"{ROOT}/*/AWSServiceRoleForAutoScaling"}
    },
}
HOLES_IN_KEYS: Final[list[tuple[str, str, Spoil]]] = [
    ("key-use", "by hand", key_also({"AWS": ROOT})),
    ("key-use", "all of it", key_also({"AWS": ROOT}, Action="kms:*")),
    ("key-use", "all but a little", key_also({"AWS": ROOT}, Action=None, NotAction="kms:Encrypt")),
    *(
        ("key-use", way, key_also({"AWS": ROOT}, Condition=condition))
        for way, condition in _WHERE.items()
    ),
    ("key-use", "by a role, by hand", may(allow(["kms:Decrypt", "kms:Encrypt"], KEY_ARN))),
    *(
        ("key-use", f"by a role: {way}", may(allow("kms:GenerateDataKey", Condition=condition)))
        for way, condition in _WHERE.items()
    ),
]
