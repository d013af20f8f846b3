"""The published messages in the official runtime, made from `messages.json` and from none of our classes.

The second opinion on what we write, and a client that knows nothing of our code.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf import timestamp_pb2 as timestamp
from google.protobuf import wrappers_pb2 as wrappers

from tests.support.contract import MEMBERS, MESSAGES

Field = descriptor_pb2.FieldDescriptorProto
PACKAGE = "published"
SCALARS = {
    "string": Field.TYPE_STRING,
    "bool": Field.TYPE_BOOL,
    "bytes": Field.TYPE_BYTES,
    "double": Field.TYPE_DOUBLE,
    "int32": Field.TYPE_INT32,
    "int64": Field.TYPE_INT64,
}


def _set_type(field: descriptor_pb2.FieldDescriptorProto, name: str) -> None:
    if name in SCALARS:
        field.type = SCALARS[name]
    else:
        field.type = Field.TYPE_MESSAGE
        known = name.startswith("google.")
        field.type_name = f".{name}" if known else f".{PACKAGE}.{name.split('.')[-1]}"


def _add_field(message: descriptor_pb2.DescriptorProto, published: dict[str, Any], oneofs: list[str]) -> None:
    field = message.field.add(name=published["name"], number=published["number"])
    field.label = Field.LABEL_REPEATED if published["repeated"] else Field.LABEL_OPTIONAL
    kind = published["type"].replace(" ", "")
    if kind.startswith("map<"):
        field.label = Field.LABEL_REPEATED
        entry = message.nested_type.add(name=published["name"].title().replace("_", "") + "Entry")
        entry.options.map_entry = True
        for number, part in enumerate(kind[4:-1].split(","), start=1):
            _set_type(entry.field.add(name=("key", "value")[number - 1], number=number, label=1), part)
        field.type = Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{message.name}.{entry.name}"
    else:
        _set_type(field, kind)
    if oneof := published.get("oneof"):
        if oneof not in oneofs:
            oneofs.append(oneof)
            message.oneof_decl.add(name=oneof)
        field.oneof_index = oneofs.index(oneof)


def _published_envelope() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="published.proto", package=PACKAGE, syntax="proto3")
    pool = descriptor_pool.DescriptorPool()
    for library in (wrappers.DESCRIPTOR, timestamp.DESCRIPTOR):
        pool.AddSerializedFile(library.serialized_pb)
        file.dependency.append(library.name)
    members = [{**member, "repeated": False, "oneof": "message"} for member in MEMBERS]
    cid = {"name": "cid", "number": 1, "type": "string", "repeated": False}
    for name, fields in {**MESSAGES, "Envelope": [cid, *members]}.items():
        message = file.message_type.add(name=name)
        oneofs: list[str] = []
        for field in fields:
            _add_field(message, field, oneofs)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Envelope"))


PublishedEnvelope = _published_envelope()


def to_json(payload: bytes) -> dict[str, Any]:
    """What a protobuf payload says, as the JSON that says the same. Raises the runtime's DecodeError."""
    envelope = PublishedEnvelope.FromString(payload)
    return json_format.MessageToDict(
        envelope, preserving_proto_field_name=True, always_print_fields_with_no_presence=False
    )


def from_json(tree: dict[str, Any]) -> bytes:
    """The protobuf payload that says the same as this JSON. Raises the runtime's ParseError."""
    payload: bytes = json_format.ParseDict(tree, PublishedEnvelope()).SerializeToString(deterministic=True)
    return payload
