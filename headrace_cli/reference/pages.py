"""The reference pages, from the code: `python -m headrace_cli.reference.pages docs/reference`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from headrace.files.atomic import write_atomic
from headrace.messages.depth import MAX_DEPTH
from headrace.messages.events import MAX_TITLE, NEEDED, Event
from headrace.messages.items import Item
from headrace.messages.outputs import FeatureLog, Recommendation
from headrace.reason_texts import reason_texts
from headrace.scenarios.registry import installed
from headrace.settings.lists import PerTrigger
from headrace.settings.model import Settings, describe, load_settings
from headrace.settings.values import UNITS_MS, parse_duration_ms, parse_time_ms
from headrace.topics import Topic, TopicSpec, public_topics
from headrace_cli.reference.schemas import inputs, schema_of

_OWN_MESSAGES: Final[dict[str, type[Struct]]] = {Topic.EVENTS: Event, Topic.ITEMS: Item, Topic.FEATURE_LOG: FeatureLog}
_OWN_KEYS: Final = {Topic.ITEMS: "item_id", Topic.DEAD_LETTERS: "as it came"}


def messages() -> dict[str, type[Struct]]:
    """The message of each topic, of all installed scenarios; a dead letter is whatever its producer wrote."""
    registry = installed()
    found = _OWN_MESSAGES | {topic.name: topic.message for topic in (*registry.inputs, *registry.outputs)}
    return {topic: found[topic] for topic in sorted(found, key=_order)}


def _order(topic: str) -> tuple[int, str]:
    """Topics of the contract as it lists them, then others by name."""
    listed = list(Topic)
    return (listed.index(Topic(topic)) if topic in listed else len(listed)), topic


_RULES = f"""JSON Schemas lie in [schemas/](schemas). Those of {", ".join(kind.__name__ for kind in inputs())} accept
what a worker with default settings takes, but for three limits that no schema can state: `HEADRACE_MAX_EVENT_BYTES`,
{MAX_DEPTH} levels of nesting, and `HEADRACE_FUTURE`. For them holds:

- Unknown fields are ignored; of a repeated key the last counts.
- A number without a fraction is an integer, however it is written (`2.0`, `1.7672256e12`).
- A field that its type does not need and that holds nothing (`null`, `""`, `[]`, 0 where 0 is out of range) counts as
  absent.
- A context value that is null, a boolean, a list or an object leaves that pair out, and the event goes on; the metric
  `headrace_context_skipped_total` counts such pairs. An integer beyond 64 bits becomes a float.
- `categories` and `pinned_for` may be one string. A title longer than {MAX_TITLE:,} characters is cut.
- A null value on `items`, an empty one and the JSON `null` withdraw the item that the key names.
- A time is ms since 1970 UTC and no earlier than `HEADRACE_PAST`, so that seconds are not taken for ms.
- Money is exact to a millionth of its unit.""".split("\n")

_REASONS = """Reasons come by weight, the heaviest first; none names an item or says a text twice, and none has a
weight below 0. Their texts come from one table (`HEADRACE_REASONS`).

- All weights are in units of `score`, and say how much of the item's lead over the catalogue's mean item is gone
  without what the reason names. They do not add up to the score: events speak of the same things, and of one another.
- A reason with an `item_id` is an event of the shopper's: its weight is what the lead loses when the event is left out
  of the history, worked out to first order. What was removed from the cart or returned is no reason, nor is an item
  that no catalogue has.
- `popular` is what the item scores for everyone. `description` is what its text adds; the text speaks through the
  events that it goes with, so it is told only where no event is, and where it adds more than popularity does.
- `range` has weight 0: nothing speaks for the item but that the list has a place for it. Lists that were answered
  without the model (`fallback`) say `popular`, with weight 0."""


def pages() -> dict[str, str]:
    """The reference: file name → content."""
    made = {"settings.md": _settings_page(), "topics.md": _topics_page(), "messages.md": _messages_page()}
    for topic, message in messages().items():
        schema = schema_of(message)
        made[f"schemas/{topic}.json"] = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
    return made


def write(folder: Path) -> None:
    """Write every page."""
    for name, content in pages().items():
        path = folder / name
        write_atomic(path, content)


def _settings_page() -> str:
    rows = describe(lambda name, default, meaning: f"| `{name}` | {_default(name, default)} | {meaning} |")
    return "\n".join(["# Settings", "", "| variable | default | meaning |", "|---|---|---|", *rows, ""])


def _default(name: str, value: Any) -> str:
    if value is None or (isinstance(value, PerTrigger) and value.default is None):
        return "–"
    if isinstance(value, int) and _is_read_by(parse_duration_ms, name):
        return f"`{_duration(value)}`"
    if isinstance(value, int) and _is_read_by(parse_time_ms, name):
        return f"`{datetime.fromtimestamp(value / 1_000, UTC).date()}`"
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if isinstance(value, frozenset):
        return f"`{','.join(sorted(map(str, value)))}`"
    return f"`{value}`"


def _is_read_by(parser: object, variable: str) -> bool:
    field = Settings.model_fields[variable.removeprefix("HEADRACE_").lower()]
    return any(getattr(part, "func", None) is parser for part in field.metadata)


def _duration(ms: int) -> str:
    unit = next(unit for unit in ("d", "h", "m", "s", "ms") if ms % UNITS_MS[unit] == 0)
    return f"{ms // UNITS_MS[unit]}{unit}"


def _topics_page() -> str:
    specs = sorted(public_topics(load_settings()), key=lambda spec: _order(spec.name))
    rows = list(map(_topic_row, specs))
    head = ["# Topics", "", "| topic | key | value | configuration |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _topic_row(spec: TopicSpec) -> str:
    message = messages().get(spec.name)
    keys = _OWN_KEYS | {topic.name: topic.key for topic in installed().outputs}
    value = f"[{message.__name__}](messages.md#{message.__name__.lower()})" if message else "the original bytes"
    config = ", ".join(f"`{key}={value}`" for key, value in sorted(spec.config.items()))
    return f"| `{spec.name}` | {keys.get(spec.name, 'user_id')} | {value} | {config} |"


def _messages_page() -> str:
    parts = ["# Messages", "", *_RULES]
    for topic, message in messages().items():
        parts += ["", f"## {message.__name__}", "", f"On `{topic}`. {_summary(message)}", ""]
        parts += ["| field | type | required |", "|---|---|---|", *_fields(message)]
        if message is Event:
            parts += ["", "A type needs its field:", "", "| type | field |", "|---|---|"]
            parts += [f"| `{kind}` | `{field}` |" for kind, field in NEEDED.items()]
        if message is Recommendation:
            parts += ["", _REASONS, "", *_kinds_of_reasons()]
    return "\n".join([*parts, ""])


def _kinds_of_reasons() -> list[str]:
    texts = reason_texts("en")
    events = [f"| `{kind}` | {text}; {texts.of_itself[kind]} |" for kind, text in texts.of_action.items()]
    others = [f"| `{kind}` | {text} |" for kind, text in texts.other.items()]
    return ["| kind | text in English; where it is the item itself |", "|---|---|", *events, *others]


def _summary(message: type[Struct]) -> str:
    return (message.__doc__ or "").split("\n", maxsplit=1)[0]


def _fields(message: type[Struct]) -> list[str]:
    schema = msgspec.json.schema(message)
    definitions = schema["$defs"]
    definition = definitions[message.__name__]
    required = set(definition.get("required", ()))
    return [
        f"| `{name}` | {_type(spec, definitions)} | {'yes' if name in required else 'no'} |"
        for name, spec in definition["properties"].items()
    ]


def _type(spec: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in spec:
        name = spec["$ref"].rsplit("/", 1)[1]
        target = definitions[name]
        if "enum" in target:
            return ", ".join(f"`{value}`" for value in target["enum"])
        inner = ", ".join(f"`{field}`: {_type(s, definitions)}" for field, s in target["properties"].items())
        return f"object of {inner}"
    if "anyOf" in spec:
        return " or ".join(_type(option, definitions) for option in spec["anyOf"])
    if "enum" in spec:
        return ", ".join(f"`{value}`" for value in spec["enum"])
    kind = spec.get("type", "any")
    if kind == "array":
        return f"list{_bounds(spec)} of {_type(spec['items'], definitions)}"
    return f"{kind}{_bounds(spec)}"


def _bounds(spec: dict[str, Any]) -> str:
    low = spec.get("minimum", spec.get("minLength", spec.get("minItems")))
    high = spec.get("maximum", spec.get("maxLength", spec.get("maxItems")))
    if low is None and high is None:
        return ""
    return f" {low if low is not None else ''}..{high if high is not None else ''}"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
