"""Values that are computed from names, and are true once a resource is made."""

from __future__ import annotations

import pulumi


def known(value: str, *made: pulumi.Resource) -> pulumi.Output[str]:
    """``value``, known in a preview already, that makes whoever uses it depend on ``made``.

    An output of the resource itself, its ARN say, is unknown until it exists; its URN is not.
    """
    return pulumi.Output.all(*[resource.urn for resource in made]).apply(lambda _: value)
