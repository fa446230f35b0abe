"""A tool ledger in memory, with what it was told in order."""

from __future__ import annotations

from collections.abc import Mapping

from edge.events import JsonValue, ToolRecord


class FakeLedger:
    def __init__(self) -> None:
        self.pending_calls: list[str] = []
        self.records: dict[str, ToolRecord] = {}

    async def pending(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue]
    ) -> ToolRecord | None:
        self.pending_calls.append(call_id)
        return self.records.get(call_id)

    async def settled(self, record: ToolRecord) -> None:
        self.records[record.call_id] = record
