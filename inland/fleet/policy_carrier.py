"""Carries the operator's policy bundle from the stack's bucket to the control plane beside it.

The bundle is signed and public: whoever could change it on its way gets it refused. The control
plane watches the file, and an older or foreign one is refused there, and by every node.
"""

from __future__ import annotations

import logging
from pathlib import Path

from infra.cloud_init.document import POLICY_OBJECT
from inland.fleet.aws import Aws
from inland.fleet.clock import WaitingClock, backoff
from inland.fleet.errors import AwsError
from inland.fleet.files import write_private
from regions.bundle import MAX_BUNDLE

LOOK_SECONDS = 5.0
TOLD_FAILURES = 12
"""Every so many failures in a row it is said that no bundle comes."""

log = logging.getLogger(__name__)


class PolicyCarrier:
    """Looks for a newer object every few seconds and puts it in place of ``file``, whole."""

    def __init__(self, aws: Aws, clock: WaitingClock, *, bucket: str, file: Path) -> None:
        self._aws = aws
        self._clock = clock
        self._bucket = bucket
        self._file = file
        self._version: str | None = None
        """The object's entity tag (RFC 9110, section 8.8.3) when it was last put in place."""

    async def first(self) -> None:
        """Return when a bundle is in place; waits without limit."""
        failures = 0
        while not await self._try():
            failures += 1
            log.warning(
                "there is no policy bundle yet: publish one (docs/deploy.md)",
                extra={"reason": POLICY_OBJECT},
            )
            await self._clock.sleep(backoff(failures))

    async def run(self) -> None:
        """Look until cancelled."""
        failures = 0
        while True:
            failures = 0 if await self._try() else failures + 1
            if failures and failures % TOLD_FAILURES == 0:
                log.warning("no policy bundle comes", extra={"count": failures})
            await self._clock.sleep(LOOK_SECONDS)

    async def _try(self) -> bool:
        """Whether what is in place is what is in the bucket."""
        try:
            found = await self._aws.newer_object(
                self._bucket, POLICY_OBJECT, than=self._version, most=MAX_BUNDLE
            )
            if found is not None:
                self._version = None  # until it is in place
                write_private(self._file, found.body)
                self._version = found.version
                log.info("policy bundle put in place", extra={"count": len(found.body)})
        except AwsError as error:
            log.info("policy bundle not fetched", extra={"code": error.code})
            return False
        except OSError as error:
            log.error("policy bundle not written", extra={"code": type(error).__name__})
            return False
        return True
