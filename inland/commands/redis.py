"""``inland redis``: the users that a region's Redis or Valkey, and its sentinels, need."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

HELP = "Print the access rules of a region's Redis or Valkey: one user per tenant."

EPILOG = """\
examples:
  inland redis acl --tenant clinic --tenant bank --passwords /etc/inland/redis --make > users.acl
  inland redis acl --tenants tenants.yaml --passwords /etc/inland/redis > users.acl
  inland redis acl --tenant clinic --sentinels --passwords /etc/inland/redis --make > users.acl
  inland redis sentinel-acl --passwords /etc/inland/redis --make > sentinel-users.acl

The lines are an ACL file (`aclfile` in the server's settings; each also works as ACL SETUSER). They
hold the SHA-256 of passwords, never a password; the passwords are in DIR/TENANT.password, where a
node's `store.users` finds them.

--sentinels adds inland_sentinel, as which sentinels log in to the servers (`sentinel auth-user` and
`auth-pass`), and inland_replica, as which replicas do (`masteruser`, `masterauth`). The second file
is the sentinels' own: inland_node, a node's `store.sentinel_user`, and inland_sentinel, as which
they ask one another (`sentinel sentinel-user`, `sentinel-pass`). Their passwords are in
DIR/_sentinel.password, _replica.password and _node.password.

The default user is switched off and keeps its rights: the append-only file is replayed under them
(redis/redis#14541), and without them new sessions would be gone after a restart.

exit status: 0 done, 2 the command or a file is wrong"""
MAX_PASSWORD_BYTES = 4096
PASSWORD_BYTES = 32
SENTINEL_RIGHTS = (
    "on resetkeys &* -@all +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish "
    "+info +client|setname +client|kill +script|kill"
)
"""What a sentinel does at a server ("High availability with Redis Sentinel", section "Redis Access
Control List authentication", redis.io, read 2026-11-21)."""
REPLICA_RIGHTS = "on resetkeys resetchannels -@all +psync +replconf +ping"
"""What a replica does at its primary (the same page of "Redis replication")."""
PEER_RIGHTS = (
    "on resetkeys resetchannels &__sentinel__:hello -@all +ping +publish +client|setname "
    "+sentinel|is-master-down-by-addr"
)
"""What a sentinel does at another."""
NODE_RIGHTS = "on resetkeys resetchannels -@all +sentinel|masters"
"""What a node asks a sentinel."""
_TENANT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class _Unusable(Exception):
    """A file is not what it has to be; the text says which."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    acl = actions.add_parser("acl", help="print an ACL file")
    whose = acl.add_mutually_exclusive_group(required=True)
    whose.add_argument("--tenants", metavar="FILE", type=Path, help="a control plane's tenants")
    whose.add_argument("--tenant", metavar="ID", action="append", help="may be given again")
    acl.add_argument(
        "--sentinels", action="store_true", help="sentinels choose the primary of these servers"
    )
    acl.set_defaults(action=_acl)
    sentinel = actions.add_parser("sentinel-acl", help="print the sentinels' own ACL file")
    sentinel.set_defaults(action=_sentinel_acl)
    for action in (acl, sentinel):
        action.add_argument(
            "--passwords", metavar="DIR", type=Path, required=True, help="holds *.password files"
        )
        action.add_argument(
            "--make", action="store_true", help="make the passwords that are not there"
        )


def run(arguments: argparse.Namespace) -> int:
    """Do it; returns the exit status."""
    from regions.strict_yaml import ConfigError

    try:
        status: int = arguments.action(arguments)
    except (_Unusable, ConfigError) as error:
        print(f"inland redis: {error}", file=sys.stderr)
        return 2
    return status


def _acl(arguments: argparse.Namespace) -> int:
    tenants = _tenants(arguments.tenants) if arguments.tenants else tuple(arguments.tenant)
    # Nothing is printed before all of it can be: half a file would lock the other half out.
    told = _Passwords(arguments.passwords, make=arguments.make)
    print("\n".join([*_rules(tenants, told, sentinels=arguments.sentinels)]))
    return 0


def _sentinel_acl(arguments: argparse.Namespace) -> int:
    told = _Passwords(arguments.passwords, make=arguments.make)
    lines = [
        "user default off resetpass ~* &* +@all",
        f"user inland_node reset {told.digest('_node')} {NODE_RIGHTS}",
        f"user inland_sentinel reset {told.digest('_sentinel')} {PEER_RIGHTS}",
    ]
    print("\n".join(lines))
    return 0


class _Passwords:
    """A folder of passwords; those that are not there are made, or are a mistake."""

    def __init__(self, folder: Path, *, make: bool) -> None:
        self._folder = folder
        self._make = make

    def digest(self, name: str) -> str:
        """As an ACL file writes it. Raises ``_Unusable``."""
        password = _password(self._folder / f"{name}.password", make=self._make)
        return f"#{hashlib.sha256(password.encode()).hexdigest()}"


def _rules(tenants: tuple[str, ...], told: _Passwords, *, sentinels: bool) -> Iterator[str]:
    from infra.documents.store import access_string

    yield "user default off resetpass ~* &* +@all"
    for tenant in dict.fromkeys(tenants):
        if _TENANT.fullmatch(tenant) is None:
            raise _Unusable(f"{tenant!r}: is no tenant's id")
        rights = access_string(tenant, sentinels=sentinels)
        yield f"user inland-{tenant} reset {told.digest(tenant)} {rights}"
    if sentinels:
        # No tenant's user has an underscore there, and no tenant's password file begins with one.
        yield f"user inland_sentinel reset {told.digest('_sentinel')} {SENTINEL_RIGHTS}"
        yield f"user inland_replica reset {told.digest('_replica')} {REPLICA_RIGHTS}"


def _tenants(path: Path) -> tuple[str, ...]:
    from control_plane.tenants import TenantsFile
    from regions.strict_yaml import load_yaml

    return tuple(tenant.id for tenant in load_yaml(path, TenantsFile).tenants)


def _password(path: Path, *, make: bool) -> str:
    """What is in the file, as a node reads it."""
    try:
        if make and not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_urlsafe(PASSWORD_BYTES) + "\n")
        with path.open(encoding="utf-8") as file:
            password = file.read(MAX_PASSWORD_BYTES).strip()
    except FileNotFoundError as error:
        raise _Unusable(f"{path}: is not there: write a password, or let --make do it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _Unusable(f"{path}: cannot be read as a password") from error
    if not password:
        raise _Unusable(f"{path}: is empty")
    return password
