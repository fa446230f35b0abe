"""What of the agents' wish to record does not fit the node: told before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec

from edge.dialog.agent import AgentSpec
from edge.settings import NodeSettings


def recording_problems(settings: NodeSettings, agents: Iterable[AgentSpec]) -> tuple[str, ...]:
    """Each a key, what is wrong and what to do. Talks to nobody."""
    return tuple(_problems(settings, agents))


def _problems(settings: NodeSettings, agents: Iterable[AgentSpec]) -> Iterator[str]:
    mine = settings.recordings
    if mine is None:
        for spec in agents:
            if spec.recording is not None:
                yield (
                    f"recordings: agent {spec.id} records its calls, and this node has no place "
                    "for that: name a folder or a bucket, or remove recording from the agent"
                )
    elif mine.bucket is not None and find_spec("boto3") is None:
        yield "recordings.bucket: takes boto3: install inland[aws]"
