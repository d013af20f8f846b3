"""The published messages, from `tests/protocol/messages.json`, in a form that a class compares with."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin

from protocol.hints import Hint, hints
from protocol.message import Message

_CONTRACT = json.loads((Path(__file__).parents[1] / "protocol" / "messages.json").read_text())
MEMBERS: list[dict[str, Any]] = _CONTRACT["envelope"]["members"]
MESSAGES: dict[str, list[dict[str, Any]]] = {
    name.split(".")[-1]: fields
    for section in ("realtime_messages", "api_messages")
    for name, fields in _CONTRACT[section].items()
}

Shape = list[tuple[str, int, str, str]]
"""Per field: name, number, type (of a wrapper: what it wraps), oneof."""

_WRAPPERS = {"StringValue": "string", "BoolValue": "bool", "Int32Value": "int32", "Timestamp": "datetime"}
_SCALARS: dict[Any, str] = {str: "string", bool: "bool", bytes: "bytes", float: "double"}


def declared_in(topic: ModuleType) -> list[type[Message]]:
    """The message classes of one module, in order."""
    found = [value for value in vars(topic).values() if isinstance(value, type)]
    return [cls for cls in found if issubclass(cls, Message) and cls.__module__ == topic.__name__]


def shape(message: type[Message]) -> Shape:
    """What a class says of its fields."""
    return [(name, hint.field.number, _type(hint), hint.field.oneof) for name, hint in hints(message).items()]


def published(message: type[Message]) -> Shape:
    """What the contract says of the fields of the message of this name."""
    fields = MESSAGES[message.__name__]
    return [(field["name"], field["number"], _published(field), field["oneof"] or "") for field in fields]


def _type(hint: Hint) -> str:
    if hint.bits:
        return f"int{hint.bits}"
    if hint.kind in _SCALARS:
        return _SCALARS[hint.kind]
    if get_origin(hint.kind) is dict:
        return "map<" + ",".join(_SCALARS[part] for part in get_args(hint.kind)) + ">"
    if get_origin(hint.kind) is tuple:
        return f"repeated {_type(Hint(get_args(hint.kind)[0], hint.field, 0))}"
    return str(hint.kind.__name__)


def _published(field: dict[str, Any]) -> str:
    name = field["type"].replace(" ", "").split(".")[-1]
    name = _WRAPPERS.get(name, name)
    return f"repeated {name}" if field["repeated"] else name
