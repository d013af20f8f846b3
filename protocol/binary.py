"""Messages as protobuf: descriptors made from the message classes, read and written by the official runtime.

Unlike JSON, unknown fields are ignored, and of a field or a choice that was sent twice the last one counts:
those are protobuf's rules, and the reference's. Envelopes are `envelope.py`'s business, save for their form.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast, get_args, get_origin

import msgspec
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.message import DecodeError

from protocol.errors import Malformed
from protocol.hints import Hint, hints
from protocol.message import Message
from protocol.messages import ALL

_Field = descriptor_pb2.FieldDescriptorProto
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PACKAGE = "lockgate"
_ONEOF = "message"

Body = Any
"""A message of the runtime, whose class is made at import time."""


def parse(payload: bytes) -> tuple[str, str, Body]:
    """An envelope's cid, the wire name of its message, and that message, to be `read`.

    The name is empty without a message, or with one that is not known here. Raises `Malformed`, also for text
    that is not UTF-8 and for deep nesting.
    """
    try:
        envelope = _ENVELOPE.FromString(payload)
    except DecodeError:
        raise Malformed("not protobuf") from None
    name = envelope.WhichOneof(_ONEOF)
    return (envelope.cid, name, getattr(envelope, name)) if name else (envelope.cid, "", None)


def read(message: type[Message], body: Body) -> Message:
    """The body as a message. Raises `Malformed` for a time that no calendar has."""
    return _readers[message](body)


def dump(name: str, message: Message | None, cid: str) -> bytes:
    """An envelope with the message as its member `name`."""
    if message is None:
        envelope = _ENVELOPE(cid=cid)
    else:
        tree = msgspec.to_builtins(message, builtin_types=(bytes, datetime))
        for patch in _patches[type(message)]:
            patch(tree)
        envelope = _ENVELOPE(**{"cid": cid, name: tree})
    return cast(bytes, envelope.SerializeToString())


# ---- descriptors

_SCALARS: Mapping[Any, "_Field.Type.ValueType"] = {
    str: _Field.TYPE_STRING,
    bool: _Field.TYPE_BOOL,
    bytes: _Field.TYPE_BYTES,
    float: _Field.TYPE_DOUBLE,
}
_INTEGERS: Mapping[int, "_Field.Type.ValueType"] = {32: _Field.TYPE_INT32, 64: _Field.TYPE_INT64}
_WRAPPERS: Mapping[Any, str] = {
    str: "StringValue",
    bool: "BoolValue",
    bytes: "BytesValue",
    float: "DoubleValue",
    32: "Int32Value",
    64: "Int64Value",
}


def _describe(message: type[Message]) -> descriptor_pb2.DescriptorProto:
    described = descriptor_pb2.DescriptorProto(name=message.__name__)
    oneofs: dict[str, int] = {}
    for name, hint in hints(message).items():
        field = described.field.add(name=name, number=hint.field.number, label=_Field.LABEL_OPTIONAL)
        if get_origin(hint.kind) is dict:
            _describe_map(described, field, hint)
        elif get_origin(hint.kind) is tuple:
            field.label = _Field.LABEL_REPEATED
            _set_type(field, get_args(hint.kind)[0], hint.bits)
        elif _wrapped(hint):
            field.type = _Field.TYPE_MESSAGE
            field.type_name = f".google.protobuf.{_WRAPPERS[hint.bits or hint.kind]}"
        else:
            _set_type(field, hint.kind, hint.bits)
        if hint.field.oneof:
            field.oneof_index = oneofs.setdefault(hint.field.oneof, len(oneofs))
    for oneof in oneofs:
        described.oneof_decl.add(name=oneof)
    return described


def _describe_map(
    described: descriptor_pb2.DescriptorProto, field: descriptor_pb2.FieldDescriptorProto, hint: Hint
) -> None:
    # A map is a list of entries of a class of their own, named after the field.
    entry = "".join(part.capitalize() for part in field.name.split("_")) + "Entry"
    field.label = _Field.LABEL_REPEATED
    field.type = _Field.TYPE_MESSAGE
    field.type_name = f".{_PACKAGE}.{described.name}.{entry}"
    nested = described.nested_type.add(name=entry)
    nested.options.map_entry = True
    for number, (name, kind) in enumerate(zip(("key", "value"), get_args(hint.kind), strict=True), start=1):
        _set_type(nested.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL), kind, 0)


def _set_type(field: descriptor_pb2.FieldDescriptorProto, kind: Any, bits: int) -> None:
    if bits:
        field.type = _INTEGERS[bits]
    elif kind in _SCALARS:
        field.type = _SCALARS[kind]
    elif kind is datetime or (isinstance(kind, type) and issubclass(kind, Message)):
        field.type = _Field.TYPE_MESSAGE
        field.type_name = ".google.protobuf.Timestamp" if kind is datetime else f".{_PACKAGE}.{kind.__name__}"
    else:
        raise TypeError(f"no wire form for {kind!r}")


def _wrapped(hint: Hint) -> bool:
    """Whether the field is of a wrapper type: a scalar that tells unset from zero, outside of a oneof."""
    return hint.optional and not hint.field.oneof and (hint.bits or hint.kind) in _WRAPPERS


def _envelope_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="realtime.proto", package=_PACKAGE, syntax="proto3")
    pool = descriptor_pool.DescriptorPool()  # its own, so that it cannot collide with any other code's
    for library in (wrappers_pb2.DESCRIPTOR, timestamp_pb2.DESCRIPTOR):
        pool.AddSerializedFile(library.serialized_pb)
        file.dependency.append(library.name)
    file.message_type.extend(map(_describe, ALL))
    envelope = file.message_type.add(name="Envelope")
    envelope.field.add(name="cid", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
    envelope.oneof_decl.add(name=_ONEOF)
    members = {
        member: message
        for message in ALL
        for member in (message.from_client, message.from_server)
        if member is not None
    }
    for member, message in members.items():
        field = envelope.field.add(name=member.name, number=member.number, label=_Field.LABEL_OPTIONAL)
        field.oneof_index = 0
        _set_type(field, message, 0)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Envelope"))


# ---- reading

_Read = Callable[[Any], Any]


def _reader(message: type[Message]) -> Callable[[Body], Message]:
    plan = {hint.field.number: (name, _reads(hint)) for name, hint in hints(message).items()}

    def read(body: Body) -> Message:
        found = {}
        for field, value in body.ListFields():  # those that are present: the rest are the class's defaults
            name, convert = plan[field.number]
            found[name] = value if convert is None else convert(value)
        return message(**found)

    return read


def _reads(hint: Hint) -> _Read | None:
    """How the runtime's value becomes ours; None if it is the same."""
    if get_origin(hint.kind) is dict:
        return dict
    if get_origin(hint.kind) is tuple:
        part = get_args(hint.kind)[0]
        if not issubclass(part, Message):
            return tuple
        item = _readers[part]
        return lambda values: tuple([item(each) for each in values])
    if hint.kind is datetime:
        return _moment
    if isinstance(hint.kind, type) and issubclass(hint.kind, Message):
        return _readers[hint.kind]
    return _unwrap if _wrapped(hint) else None


def _unwrap(wrapper: Any) -> Any:
    return wrapper.value


def _moment(timestamp: Any) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)
    except OverflowError:
        raise Malformed("not a time") from None


# ---- writing

_Patch = Callable[[dict[str, Any]], None]
"""Turns plain values, in place, into what the runtime's constructor takes."""


def _patches_of(message: type[Message]) -> tuple[_Patch, ...]:
    found: list[_Patch] = []
    for name, hint in hints(message).items():
        repeated = get_origin(hint.kind) is tuple
        part = get_args(hint.kind)[0] if repeated else hint.kind
        if _wrapped(hint):
            found.append(_wrap(name))
        elif part is datetime:
            found.append(_split_moment(name))
        elif isinstance(part, type) and issubclass(part, Message) and (inner := _patches[part]):
            found.append(_within(name, inner, repeated))
    return tuple(found)


def _wrap(name: str) -> _Patch:
    def patch(tree: dict[str, Any]) -> None:
        if name in tree:
            tree[name] = {"value": tree[name]}

    return patch


def _split_moment(name: str) -> _Patch:
    def patch(tree: dict[str, Any]) -> None:
        if name in tree:
            since = tree[name] - _EPOCH
            seconds = since.days * 86_400 + since.seconds
            tree[name] = {"seconds": seconds, "nanos": since.microseconds * 1000}

    return patch


def _within(name: str, inner: tuple[_Patch, ...], repeated: bool) -> _Patch:
    def patch(tree: dict[str, Any]) -> None:
        if name in tree:
            for each in tree[name] if repeated else (tree[name],):
                for part in inner:
                    part(each)

    return patch


# ---- all of it, made once. `ALL` names a class before those that contain it.

_ENVELOPE = _envelope_class()
_readers: dict[type[Message], Callable[[Body], Message]] = {}
_patches: dict[type[Message], tuple[_Patch, ...]] = {}
for _message in ALL:
    _readers[_message] = _reader(_message)
    _patches[_message] = _patches_of(_message)
