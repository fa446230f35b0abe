"""Whose calls a node takes: pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from edge.problem import EdgeRefusal
from edge.settings import NodeSettings


@dataclass(frozen=True, slots=True)
class Tenancy:
    """``only``: the tenants that a dedicated node serves, None on a node for all others;
    ``stored``: those that its session store has a user for, None where it needs none."""

    only: Collection[str] | None = None
    stored: Collection[str] | None = None

    @classmethod
    def of(cls, settings: NodeSettings) -> Self:
        """Of the node with these settings."""
        return cls(settings.tenants, None if settings.store is None else settings.store.users)

    def problem(self, tenant: str, *, dedicated: bool) -> str | None:
        """Why this node does not take a call of ``tenant``, or None.

        ``dedicated``: the tenant has nodes of its own, and may be on no other.
        """
        if self.only is not None:
            return None if tenant in self.only else "this node serves other tenants only"
        if dedicated:
            return "the tenant has nodes of its own, and this is none of them"
        if self.stored is not None and tenant not in self.stored:
            return "this node's session store has no user for the tenant"
        return None

    def admit(self, tenant: str, *, dedicated: bool) -> None:
        """Raises ``EdgeRefusal`` (``wrong_tenant``) when this node does not take the call."""
        problem = self.problem(tenant, dedicated=dedicated)
        if problem is not None:
            raise EdgeRefusal("wrong_tenant", f"{problem}; use the candidates of the route")
