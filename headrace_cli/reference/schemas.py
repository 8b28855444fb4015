"""JSON Schemas of the messages: an input's accepts exactly what a worker with default settings takes.

Beyond a schema are the size of a value, how deep it nests, and how far a time may lie after its arrival.
"""

from copy import deepcopy
from typing import Any, Final

import msgspec
from msgspec import Struct

from headrace.messages.events import NEEDED, Event
from headrace.messages.fields import LISTS_OF_NAMES, ZERO_IS_NOTHING
from headrace.messages.items import Item
from headrace.scenarios.registry import installed
from headrace.settings.model import Settings

_NOTHING: Final[list[Any]] = [None, "", []]
_WITHDRAWS: Final = {"type": "null", "description": "Withdraws the item that the key names."}

Schema = dict[str, Any]


def inputs() -> tuple[type[Struct], ...]:
    """The messages that producers write, of all installed scenarios."""
    return (Event, Item, *(topic.message for topic in installed().inputs))


def schema_of(message: type[Struct]) -> Schema:
    """The schema of one kind of message."""
    schema = msgspec.json.schema(message)
    if message not in inputs():
        return schema
    definition = schema["$defs"][message.__name__]
    required = frozenset(definition["required"])
    strict = {name: _strict(name, spec) for name, spec in definition["properties"].items()}
    definition["properties"] = {
        name: spec if name in required else _or_nothing(name, spec) for name, spec in strict.items()
    }
    if message is Event:
        definition["allOf"] = [_needs(kind, name, strict[name]) for kind, name in NEEDED.items()]
    if message is Item:
        return {"anyOf": [{"$ref": schema["$ref"]}, _WITHDRAWS], "$defs": schema["$defs"]}
    return schema


def _strict(name: str, typed: Schema) -> Schema:
    """A field that holds something: the decoder's type, and what is taken beside it."""
    spec = deepcopy(typed)
    options: list[Schema] = [option for option in spec.pop("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        spec = options[0] | spec
    match name:
        case "context":
            spec["additionalProperties"] = True
            spec["description"] = "Values other than text and numbers are left out."
        case _ if name in LISTS_OF_NAMES:
            return {"anyOf": [spec, {"type": "string"}], "default": spec.pop("default")}
        case "title":
            spec["description"] = f"Cut to {spec.pop('maxLength')} characters."
        case "timestamp":
            spec["minimum"] = Settings.model_fields["past"].default
            spec["description"] = "ms since 1970 UTC, from `HEADRACE_PAST` on."
        case _:
            pass
    return spec


def _or_nothing(name: str, spec: Schema) -> Schema:
    """A field that counts as absent when it holds nothing."""
    default = {"default": spec.pop("default")} if "default" in spec else {}
    nothing = [*_NOTHING, 0] if name in ZERO_IS_NOTHING else _NOTHING
    return {"anyOf": [spec, {"enum": nothing, "description": "As good as absent."}], **default}


def _needs(kind: str, name: str, spec: Schema) -> Schema:
    spec = {key: value for key, value in spec.items() if key != "default"}
    return {
        "if": {"properties": {"type": {"const": kind}}},
        "then": {"required": [name], "properties": {name: spec}},
    }
