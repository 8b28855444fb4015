"""One row of a shop's own export as an event, or why it is none."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from headrace.errors import BadRecord
from headrace.messages.decoding import decode_event
from headrace.messages.events import EventType
from headrace.settings.model import Settings
from streams.recordings.importing.csv_map import EVENT_FIELDS, ITEM_FIELDS, SKIP, CsvMap
from streams.recordings.importing.csv_times import time_parser
from streams.recordings.outgoing import NewEvent

_LISTS: Final = frozenset({"items", "user_ids"})
_WHOLE: Final = frozenset({"quantity"})
_NUMBERS: Final = frozenset({"price", "rating", "total", *_WHOLE})
_encode: Final = msgspec.json.Encoder().encode


class Dropped(Exception):
    """A row that gives no event.

    Attributes:
        reason: what it is counted as.
        detail: of this row.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Parsed(NamedTuple):
    """An event, and what its row says of the item that it names."""

    event: NewEvent
    item: Mapping[str, str]


class RowReader:
    """Reads rows by a map.

    Args:
        settings: which events keep the contract.
        now_ms: nothing may lie after this.
    """

    def __init__(self, columns: CsvMap, settings: Settings, now_ms: int) -> None:
        self._map, self._settings, self._now_ms = columns, settings, now_ms
        self._time: Callable[[str], int] = time_parser(columns.time)
        self._types = {_word(theirs): ours for theirs, ours in columns.types.items()}

    def parse(self, cells: Mapping[str, str], fallback_id: str) -> Parsed:
        """The event of a row.

        Args:
            cells: column → what stands there, without blanks around it.
            fallback_id: its id where the map has none.

        Raises:
            Dropped: it gives none.
        """
        values = {**self._map.constants, **self._in_columns(cells)}
        fields: dict[str, Any] = {name: values[name] for name in EVENT_FIELDS if name in values}
        fields["type"] = self._type(values.get("type", ""))
        fields["timestamp"] = self._moment(values.get("timestamp", ""))
        fields.setdefault("event_id", fallback_id)
        if "user_id" not in fields and "guest" in values:
            fields["user_id"] = f"guest:{values['guest']}"
        for name in _LISTS & fields.keys():
            fields[name] = self._parts(fields[name])
        self._add_numbers(fields, values)
        context = {name: cells[column] for name, column in self._map.context.items() if cells.get(column)}
        if context:
            fields["context"] = context
        return Parsed(self._checked(fields), {name: values[name] for name in ITEM_FIELDS if name in values})

    def categories(self, text: str) -> list[str]:
        """The categories that a cell names."""
        return self._parts(text)

    def _in_columns(self, cells: Mapping[str, str]) -> dict[str, str]:
        return {field: text for field, column in self._map.columns.items() if (text := cells.get(column, ""))}

    def _parts(self, text: str) -> list[str]:
        return [part for piece in text.split(self._map.file.separator) if (part := piece.strip())]

    def _type(self, text: str) -> str:
        word = _word(text)
        ours = self._types.get(word, word)
        if ours == SKIP:
            raise Dropped("skipped", f"type {text!r} is to be skipped")
        if ours not in set(EventType):
            raise Dropped("unknown_type", f"type {text!r}: name it, as in --type {text or 'THEIRS'}=view, or =skip")
        return ours

    def _moment(self, text: str) -> int:
        if not text:
            raise Dropped("missing_field", "the time is empty")
        try:
            return self._time(text)
        except (ValueError, OverflowError, OSError):
            raise Dropped("unreadable_time", f"time {text!r} is not {self._map.time.format}") from None

    def _add_numbers(self, fields: dict[str, Any], values: Mapping[str, str]) -> None:
        """A purchase of fewer than none is a return; a total is shared among the pieces."""
        numbers = {name: self._number(name, values[name]) for name in _NUMBERS if name in values}
        quantity = numbers.get("quantity", 1)
        if quantity < 0 and fields["type"] == EventType.PURCHASE:
            fields["type"] = EventType.RETURN.value
            quantity = -quantity
        if "quantity" in numbers:
            numbers["quantity"] = quantity
        if (total := numbers.pop("total", None)) is not None and quantity > 0:
            numbers["price"] = round(abs(total) / quantity, 6)
        fields.update(numbers)

    def _number(self, name: str, text: str) -> float | int:
        plain = text.replace(".", "").replace(",", ".") if self._map.file.decimal == "," else text.replace(",", "")
        try:
            number = float(plain)
            whole = int(number)
        except (ValueError, OverflowError):
            raise Dropped("unreadable_number", f"{name} {text!r} is no number") from None
        if name in _WHOLE and whole != number:
            raise Dropped("unreadable_number", f"{name} {text!r} is no whole number")
        return whole if name in _WHOLE else number

    def _checked(self, fields: dict[str, Any]) -> NewEvent:
        """Whatever a worker would refuse is none of the recording's."""
        try:
            decode_event(_encode(fields), appended_ms=self._now_ms, settings=self._settings)
        except BadRecord as bad:
            raise Dropped(bad.reason.value, bad.detail) from None
        return msgspec.convert(fields, NewEvent)


def _word(text: str) -> str:
    """As types are compared: `Add to cart`, `add-to-cart` and `ADD_TO_CART` are one."""
    return "_".join(text.lower().replace("-", " ").replace("_", " ").split())
