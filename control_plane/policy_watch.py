"""Looks for a newer policy bundle, and has the replica rule by it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from control_plane.errors import PolicyError
from control_plane.policy_file import PolicyFile, SignedLaw, misfits_of
from control_plane.policy_state import PolicyState, remembered, replaces
from control_plane.service import ControlPlane
from control_plane.tenants import Tenants
from regions.bundle import BundleRefused

POLL_SECONDS = 2.0
"""Between two looks at the file, unless somebody asks (SIGHUP)."""

log = logging.getLogger(__name__)


def first_policy(file: PolicyFile, state: PolicyState) -> SignedLaw:
    """The bundle to start with. Raises ``PolicyError``: a control plane that lost its law must not
    go on by another."""
    try:
        found = file.read()
        replaces(found, state.recall())
    except BundleRefused as refused:
        raise PolicyError(f"policy ({refused.code}): {refused}") from refused
    return found


class PolicyWatch:
    """Takes bundles that are newer than the one in force; refuses all others, and goes on."""

    def __init__(
        self,
        file: PolicyFile,
        state: PolicyState,
        plane: ControlPlane,
        tenants: Tenants,
        node_secrets: Collection[str],
    ) -> None:
        self._file = file
        self._state = state
        self._plane = plane
        self._tenants = {tenant.id for tenant in tenants.all}
        self._misfits = misfits_of(tenants, node_secrets)
        self._kept = True
        """Whether the memory has what is in force."""

    def begin(self, bundle: SignedLaw) -> None:
        """``bundle`` is what the replica starts with. Raises ``PolicyError``."""
        try:
            self._state.remember(bundle)
        except OSError as error:
            raise PolicyError(f"policy.state cannot be written: {error.strerror}") from error
        self._warn_of_strangers(bundle)

    async def run(self, asked: asyncio.Event) -> None:
        """Look every ``POLL_SECONDS``, and at once when ``asked``, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await asked.wait()
            except TimeoutError:
                await self.look()
            else:
                asked.clear()
                await self.look(whatever=True)

    async def look(self, *, whatever: bool = False) -> None:
        """Take what is in the file if it is newer; read it if it was written, or ``whatever``."""
        if whatever or self._file.changed():
            await self._reload()
        if not self._kept:
            await self._keep()

    async def _reload(self) -> None:
        try:
            # In a thread: a long bundle takes longer to verify than callers should wait.
            found = await asyncio.to_thread(self._file.read, self._misfits)
            current = self._plane.bundle
            taken = replaces(found, None if current is None else remembered(current))
        except BundleRefused as refused:
            self._plane.metrics.policies.labels(refused.code).inc()
            log.error("policy bundle refused", extra={"code": refused.code, "reason": str(refused)})
            return
        self._plane.metrics.policies.labels("taken" if taken else "unchanged").inc()
        if not taken:
            log.info("policy bundle unchanged", extra={"count": found.law.serial})
            return
        self._plane.take(found)
        self._kept = False
        log.info("policy bundle taken", extra={"count": found.law.serial})
        self._warn_of_strangers(found)

    async def _keep(self) -> None:
        """A law is not held back because the disk is full; the memory is tried again instead."""
        bundle = self._plane.bundle
        if bundle is None:
            return
        try:
            await asyncio.to_thread(self._state.remember, bundle)
        except (OSError, PolicyError) as error:
            log.error("policy serial not remembered", extra={"reason": type(error).__name__})
        else:
            self._kept = True

    def _warn_of_strangers(self, bundle: SignedLaw) -> None:
        """A contract under a misspelt name binds nobody. It is no reason to refuse the bundle: the
        tenant may be gone, and the others' contracts must not wait for that."""
        for tenant in sorted({*bundle.law.contracts} - self._tenants)[:8]:
            log.warning("a contract is of no tenant in the tenants' file", extra={"tenant": tenant})
