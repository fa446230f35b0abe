"""One log group of CloudWatch: events into streams that are made when they are first written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inland.fleet.aws import Aws
from inland.fleet.errors import AwsError

NO_STREAM = "ResourceNotFoundException"
IS_THERE = "ResourceAlreadyExistsException"


def rejected(info: Mapping[str, int], sent: int) -> int:
    """How many events of a request were not kept: too old or expired at its beginning, too new at
    its end ("RejectedLogEventsInfo", Amazon CloudWatch Logs API Reference, 2026-11-21)."""
    ends = (info.get("tooOldLogEventEndIndex", 0), info.get("expiredLogEventEndIndex", 0))
    return max(ends) + sent - info.get("tooNewLogEventStartIndex", sent)


class LogGroup:
    """The group called ``name``, which is there."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self._name = name

    async def put(self, stream: str, events: Sequence[tuple[int, str]]) -> int:
        """Send events (milliseconds of Unix time, text) in order of time, as many as one request
        takes; returns how many of them were not kept. Raises ``AwsError``."""
        try:
            return await self._put(stream, events)
        except AwsError as error:
            if error.code != NO_STREAM:
                raise
        await self._make(stream)
        return await self._put(stream, events)

    async def _put(self, stream: str, events: Sequence[tuple[int, str]]) -> int:
        answer = await self._aws.call(
            "logs",
            "put_log_events",
            logGroupName=self._name,
            logStreamName=stream,
            logEvents=[{"timestamp": at, "message": text} for at, text in events],
        )
        return rejected(answer.get("rejectedLogEventsInfo", {}), len(events))

    async def _make(self, stream: str) -> None:
        try:
            await self._aws.call(
                "logs", "create_log_stream", logGroupName=self._name, logStreamName=stream
            )
        except AwsError as error:
            if error.code != IS_THERE:
                raise
