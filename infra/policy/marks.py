"""Which properties are secret: the engine marks them, and pulumi-policy drops the marks.

`pulumi_policy` 1.21 opens a secret before a policy sees it, except for remediations. The marks are
kept here by wrapping the one private function that opens them; the version is pinned, and a pack
that does not find the function does not start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pulumi_policy import policy
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY

MARK: Final = "__inlandSecrets"
"""Names of secret properties, beside them. The engine sends no key that begins like this."""
_OPENS: Final = "deserialize_properties"


def keep_marks() -> None:
    """Call once, before the pack serves. Raises ``KeyError`` with another pulumi-policy."""
    opened = vars(policy)[_OPENS]

    def opened_and_marked(
        properties: Mapping[str, Any], proxy_secrets: bool = False
    ) -> dict[str, Any]:
        found: dict[str, Any] = opened(properties, proxy_secrets)
        names = [name for name, value in properties.items() if _secret(value)]
        if names and not proxy_secrets:
            found[MARK] = names
        return found

    vars(policy)[_OPENS] = opened_and_marked


def _secret(value: Any) -> bool:
    """Whether there is a secret in it. A provider marks properties that are not set as well."""
    if isinstance(value, Mapping):
        if value.get(SPECIAL_SIG_KEY) == SPECIAL_SECRET_SIG:
            return value.get("value") not in (None, "", [], {})
        return any(map(_secret, value.values()))
    return isinstance(value, list) and any(map(_secret, value))
