"""Values between a Pulumi program and its engine: protobuf structs to plain data and back.

The wire marks secrets, resource references and values that are not known yet by signatures inside
ordinary values (Pulumi's ``sdk/go/common/resource/plugin/rpc.go`` and ``sig`` package).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import struct_pb2

from infra.rules.model import UNKNOWN, Value

SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def read(struct: struct_pb2.Struct) -> dict[str, Value]:
    """The plain values of a struct: secrets unwrapped, a reference as its URN."""
    return {key: read_value(value) for key, value in struct.fields.items()}


def read_value(value: struct_pb2.Value) -> Value:
    """One plain value. A number without a fraction is an int, as the wire knows only doubles."""
    match value.WhichOneof("kind"):
        case "struct_value":
            return _read_struct(value.struct_value)
        case "list_value":
            return [read_value(item) for item in value.list_value.values]
        case "string_value":
            return UNKNOWN if value.string_value == UNKNOWN_TEXT else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case _:
            return None


def _read_struct(struct: struct_pb2.Struct) -> Value:
    match _signature(struct):
        case None:
            return read(struct)
        case signature if signature in (SECRET, OUTPUT):
            return read_value(struct.fields["value"]) if "value" in struct.fields else UNKNOWN
        case signature if signature == REFERENCE:
            return struct.fields["urn"].string_value
        case _:  # an asset or an archive
            return {key: value for key, value in read(struct).items() if key != SIGNATURE_KEY}


def _signature(struct: struct_pb2.Struct) -> str | None:
    return struct.fields[SIGNATURE_KEY].string_value if SIGNATURE_KEY in struct.fields else None


def secret_keys(struct: struct_pb2.Struct) -> frozenset[str]:
    """The keys of a struct that hold a secret at any depth."""
    return frozenset(key for key, value in struct.fields.items() if _holds_secret(value))


def _holds_secret(value: struct_pb2.Value) -> bool:
    match value.WhichOneof("kind"):
        case "struct_value":
            fields = value.struct_value.fields
            if _signature(value.struct_value) == SECRET:
                return True
            if _signature(value.struct_value) == OUTPUT and fields["secret"].bool_value:
                return True
            return any(_holds_secret(item) for item in fields.values())
        case "list_value":
            return any(_holds_secret(item) for item in value.list_value.values)
        case _:
            return False


def write(values: Mapping[str, Value], secrets: Iterable[str] = ()) -> struct_pb2.Struct:
    """A struct of plain values; those under the keys of ``secrets`` are marked as secret."""
    hidden = frozenset(secrets)
    struct = struct_pb2.Struct()
    struct.update(
        {
            key: {SIGNATURE_KEY: SECRET, "value": _plain(value)} if key in hidden else _plain(value)
            for key, value in values.items()
        }
    )
    return struct


def _plain(value: Value) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_TEXT
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
