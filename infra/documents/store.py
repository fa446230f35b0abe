"""What a tenant's user may do in the store."""

from __future__ import annotations

COMMANDS = (
    "eval",
    "evalsha",
    "script|load",
    "ping",
    "expireat",
    "hdel",
    "hget",
    "hgetall",
    "hincrby",
    "hmget",
    "hset",
    "hsetnx",
    "llen",
    "lpop",
    "lrange",
    "rpush",
    "zadd",
    "zrange",
    "zrem",
    "zremrangebyscore",
)
"""What the edge's session store sends, and no more. Commands that take no key (SCAN, FLUSHALL,
RANDOMKEY) are not held back by a key pattern: with them a tenant could list or wipe the others."""

WITH_SENTINELS = ("wait",)
"""What it sends besides where sentinels choose the primary."""


def access_string(tenant: str, *, sentinels: bool = False) -> str:
    """The user's rights: keys under the tenant's prefix, no channels, these commands.

    Grammar: Amazon ElastiCache User Guide, "Role-Based Access Control (RBAC)" (2026-11-21).
    """
    more = WITH_SENTINELS if sentinels else ()
    commands = " ".join(f"+{command}" for command in (*COMMANDS, *more))
    return f"on ~inland:{tenant}:* resetchannels -@all {commands}"
