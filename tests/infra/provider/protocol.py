"""What is said between Terraform and a provider, as far as judging a configuration needs it.

Field numbers are those of HashiCorp's "Terraform plugin RPC protocol version 5.7". Names of
messages are not on the wire and are our own; a map is sent as a list of its entries.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from infra.rules.model import UNKNOWN, Value

_PACKAGE = "inland_judge"
_MESSAGES: Final[Mapping[str, Mapping[str, tuple[int, str]]]] = {
    "Empty": {},
    "Dynamic": {"msgpack": (1, "bytes")},
    "Step": {"attribute": (1, "string"), "key": (2, "string"), "index": (3, "int64")},
    "Path": {"steps": (1, "*Step")},
    "Diagnostic": {
        "severity": (1, "int64"),
        "summary": (2, "string"),
        "detail": (3, "string"),
        "path": (4, "Path"),
    },
    "Attribute": {"name": (1, "string"), "type": (2, "bytes")},
    "Nested": {"name": (1, "string"), "block": (2, "Block"), "nesting": (3, "int64")},
    "Block": {"attributes": (2, "*Attribute"), "nested": (3, "*Nested")},
    "Schema": {"block": (2, "Block")},
    "SchemaOf": {"key": (1, "string"), "value": (2, "Schema")},
    "Schemas": {"provider": (1, "Schema"), "resources": (2, "*SchemaOf")},
    "Prepare": {"config": (1, "Dynamic")},
    "Prepared": {"diagnostics": (2, "*Diagnostic")},
    "Configure": {"terraform_version": (1, "string"), "config": (2, "Dynamic")},
    "Validate": {"type_name": (1, "string"), "config": (2, "Dynamic")},
    "Judged": {"diagnostics": (1, "*Diagnostic")},
    "Plan": {
        "type_name": (1, "string"),
        "prior_state": (2, "Dynamic"),
        "proposed_state": (3, "Dynamic"),
        "config": (4, "Dynamic"),
        "provider_meta": (6, "Dynamic"),
    },
    "Planned": {"diagnostics": (4, "*Diagnostic")},
}
_SCALARS: Final = {
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
}
ERROR: Final = 1
"""The severity of a diagnostic that refuses; 2 is a warning."""
SEVERAL: Final = (2, 3)
"""How a block is nested that there may be several of: as a list or as a set."""


def _classes() -> dict[str, Any]:
    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            one = kind.removeprefix("*")
            message.field.add(
                name=field,
                number=number,
                label=field_type.LABEL_OPTIONAL if one == kind else field_type.LABEL_REPEATED,
                type=_SCALARS.get(one, field_type.TYPE_MESSAGE),
                type_name=None if one in _SCALARS else f".{_PACKAGE}.{one}",
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


MESSAGES: Final = _classes()
"""The class of each message, by its name."""


def dynamic(value: Value) -> Any:
    """A value of any type as Terraform sends it."""
    return MESSAGES["Dynamic"](msgpack=pack(value))


def pack(value: Value) -> bytes:
    """The value in MessagePack, each in its widest form; ``UNKNOWN`` is the extension 0."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return b"\xd3" + struct.pack(">q", value)
        case float():
            return b"\xcb" + struct.pack(">d", value)
        case str():
            data = value.encode()
            return b"\xdb" + struct.pack(">I", len(data)) + data
        case list():
            return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
        case dict():
            pairs = b"".join(pack(key) + pack(item) for key, item in value.items())
            return b"\xdf" + struct.pack(">I", len(value)) + pairs
        case _ if value is UNKNOWN:
            return b"\xd4\x00\x00"
        case _:
            raise TypeError(f"{type(value).__name__} has no form in MessagePack")
