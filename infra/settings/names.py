"""Names of stacks: ``REGION``, or ``REGION.TENANT`` for a tenant with an account of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from regions.errors import ConfigError

CONTROL_PLANE = "control-plane"
"""The one stack of the control plane's project."""
_REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}"
_TENANT = r"[a-z0-9][a-z0-9._-]{0,62}"
_STACK = re.compile(rf"(?P<region>{_REGION})(\.(?P<tenant>{_TENANT}))?")


@dataclass(frozen=True, slots=True)
class StackName:
    """``str()`` gives the name back."""

    region: str
    tenant: str | None = None

    def __str__(self) -> str:
        return self.region if self.tenant is None else f"{self.region}.{self.tenant}"


def parse_stack_name(name: str) -> StackName:
    """The region, and the tenant if the stack is one tenant's. Raises ``ConfigError``.

    Only the form is looked at: whether the region exists, the catalogue says.
    """
    match = _STACK.fullmatch(name)
    if match is None:
        raise ConfigError(
            f"{name}: not the name of a region's stack: call it REGION (eu-central-1), or "
            "REGION.TENANT (eu-central-1.bank) for a tenant with an account of its own"
        )
    return StackName(match["region"], match["tenant"])
