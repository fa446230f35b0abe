"""Everything the control plane refuses.

::

    ControlPlaneError
    ├── StartupError              the process cannot start; a retry helps only after a change
    │   ├── SettingsError       files or environment contradict each other
    │   ├── KeyFileError           the signing key cannot be read or trusted
    │   ├── PolicyError           the policy bundle, or the memory of the last one
    │   └── ListenError          the address is taken or not ours
    └── Refusal                   one request is refused; becomes problem+json
        ├── BadRequest            400
        ├── UnknownKey            401
        ├── OriginNotAllowed      403
        ├── WrongRegion           403
        ├── NoRegionAllowed       403
        ├── UnknownTenant         404
        ├── UnknownAgent          404
        ├── NoPolicy              404
        ├── NotFound              404
        ├── MethodNotAllowed      405
        ├── RequestTimeout        408  a retry helps
        ├── StaleBeat             409
        ├── BodyTooLarge          413
        ├── LocationUnknown       422
        ├── RateLimited           429  a retry helps, after ``retry_after``
        ├── TooManyNodes          429  a retry helps once dead nodes are forgotten
        └── NoRegionAvailable     503  a retry helps once a node of an allowed region serves

Where no line says that a retry helps, the same request is refused again. A fault of our own is no
Refusal: it is answered with 500 ``internal_error`` and logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from control_plane.contract import NO_POLICY, Problem, RegionVerdict


class ControlPlaneError(Exception):
    """Root of the tree above."""


class StartupError(ControlPlaneError):
    """The process cannot start. The message is one line: what is wrong and what to do."""


class SettingsError(StartupError):
    """Settings, tenants and catalogue do not fit together."""


class KeyFileError(StartupError):
    """A key file is missing, of another kind, or readable by others."""


class PolicyError(StartupError):
    """The policy bundle is not one to start with, or what was in force before is not known."""


class ListenError(StartupError):
    """The address to listen on is taken, or not this machine's."""


class Refusal(ControlPlaneError):
    """A request is refused, with words for people and a ``code`` for programs.

    ``retry_after`` is in whole seconds. ``regions`` is public: it never names a caller.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        regions: tuple[RegionVerdict, ...] = (),
        retry_after: int | None = None,
        allow: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.regions = regions
        self.retry_after = retry_after
        self.allow = allow

    def problem(self) -> Problem:
        return Problem(
            code=self.code,
            title=self.title,
            status=self.status,
            detail=self.detail,
            regions=self.regions,
        )

    def headers(self) -> Mapping[str, str]:
        """The header fields this status asks for (RFC 9110, sections 10.2.1, 10.2.3, 11.6.1)."""
        fields: dict[str, str] = {}
        if self.retry_after is not None:
            fields["Retry-After"] = str(self.retry_after)
        if self.allow is not None:
            fields["Allow"] = self.allow
        if self.status == 401:
            fields["WWW-Authenticate"] = 'Bearer realm="inland"'
        return fields


class BadRequest(Refusal):
    status = 400
    code = "bad_request"
    title = "The request is malformed"


class UnknownKey(Refusal):
    status = 401
    code = "unknown_key"
    title = "No such key"


class OriginNotAllowed(Refusal):
    status = 403
    code = "origin_not_allowed"
    title = "This key may not be used from here"


class WrongRegion(Refusal):
    status = 403
    code = "wrong_region"
    title = "The node's key belongs to another region"


class NoRegionAllowed(Refusal):
    status = 403
    code = "no_region_allowed"
    title = "No region may hold this caller's data"


class UnknownTenant(Refusal):
    status = 404
    code = "unknown_tenant"
    title = "There is no such tenant"


class UnknownAgent(Refusal):
    status = 404
    code = "unknown_agent"
    title = "The tenant has no such agent"


class NoPolicy(Refusal):
    status = 404
    code = NO_POLICY
    title = "There is no policy bundle"


class NotFound(Refusal):
    status = 404
    code = "not_found"
    title = "Nothing is here"


class MethodNotAllowed(Refusal):
    status = 405
    code = "method_not_allowed"
    title = "This resource does not take that method"


class RequestTimeout(Refusal):
    status = 408
    code = "request_timeout"
    title = "The body did not arrive in time"


class StaleBeat(Refusal):
    status = 409
    code = "stale_beat"
    title = "A newer heartbeat of this node is known"


class BodyTooLarge(Refusal):
    status = 413
    code = "body_too_large"
    title = "The body is too large"


class LocationUnknown(Refusal):
    status = 422
    code = "location_unknown"
    title = "Nothing says where the caller is"


class RateLimited(Refusal):
    status = 429
    code = "rate_limited"
    title = "Too many requests"


class TooManyNodes(Refusal):
    status = 429
    code = "too_many_nodes"
    title = "The region has too many nodes"


class NoRegionAvailable(Refusal):
    status = 503
    code = "no_region_available"
    title = "No allowed region can serve right now"
