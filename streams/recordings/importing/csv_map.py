"""Which column of a shop's own export is which field: from a small TOML file, the command line, or both."""

import codecs
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from headrace.errors import UsageError
from headrace.files.input import text_lines
from headrace.messages.events import EventType

#: Fields of an event as the contract names them.
EVENT_FIELDS: Final = (
    "event_id",
    "type",
    "user_id",
    "timestamp",
    "item_id",
    "items",
    "request_id",
    "session_id",
    "channel",
    "quantity",
    "price",
    "query",
    "rating",
    "text",
    "user_ids",
)
#: Fields of the item that an event names.
ITEM_FIELDS: Final = ("title", "description", "brand", "categories")
#: `guest` is who is meant where `user_id` is empty; `total` is a price of all pieces together.
OTHERS: Final = ("guest", "total")
FIELDS: Final = frozenset({*EVENT_FIELDS, *ITEM_FIELDS, *OTHERS})
#: A type of theirs that is none of ours, and known to be none.
SKIP: Final = "skip"


class TimeForm(Struct, frozen=True, forbid_unknown_fields=True):
    """How times are written: `auto` (ISO, or seconds or ms since 1970), `iso`, `s`, `ms`, or a pattern such as
    `%d.%m.%Y %H:%M`; and where, where they do not say so."""

    format: str = "auto"
    timezone: str = "UTC"


class FileForm(Struct, frozen=True, forbid_unknown_fields=True):
    """How the file is written; a delimiter is found in the header where none is named."""

    delimiter: str = ""
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    separator: str = "|"


class CsvMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole map.

    Attributes:
        columns: field → column.
        constants: field → what it is in every row.
        types: word of the type column → an event type, or `skip`.
        context: name → column.
    """

    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    types: dict[str, str] = {}
    context: dict[str, str] = {}
    time: TimeForm = TimeForm()
    file: FileForm = FileForm()

    def all_columns(self) -> list[str]:
        """Every column that is read."""
        return list(dict.fromkeys([*self.columns.values(), *self.context.values()]))


def read_map(words: Iterable[str], constants: Iterable[str] = (), types: Iterable[str] = ()) -> CsvMap:
    """A map from the words of `--map` (TOML files, `field=column`), `--set field=value` and `--type theirs=ours`.

    Raises:
        UsageError: naming what is wrong with which of them.
    """
    found = CsvMap()
    columns: dict[str, str] = {}
    for word in words:
        if "=" in word:
            columns |= _pairs("--map", [word])
        else:
            found = _from_file(Path(word))
    found = msgspec.structs.replace(
        found,
        columns={**found.columns, **columns},
        constants={**found.constants, **_pairs("--set", constants)},
        types={**found.types, **_pairs("--type", types)},
    )
    _check(found)
    return found


def _from_file(path: Path) -> CsvMap:
    try:
        return msgspec.convert(tomllib.loads("".join(text_lines(path))), CsvMap)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}; `headrace init` writes an example") from error


def _pairs(option: str, words: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in (part.strip() for word in words for part in word.split(",")):
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not (name and equals and value):
            raise UsageError(f"{option} {pair!r} is no pair such as {_EXAMPLES[option]}")
        found[name] = value
    return found


_EXAMPLES: Final[Mapping[str, str]] = {
    "--map": "user_id=customer",
    "--set": "type=purchase",
    "--type": "order=purchase",
}


def _check(found: CsvMap) -> None:
    given = {**found.columns, **found.constants}
    _refuse_others("no field", set(given) - FIELDS, sorted(FIELDS))
    _refuse_others("no event type", set(found.types.values()) - {*EventType, SKIP}, [*EventType, SKIP])
    for field, ways in (("user_id", "user_id"), ("timestamp", "timestamp"), ("type", "type")):
        if field not in given and not (field == "user_id" and "guest" in given):
            how = " or --set type=purchase" if field == "type" else ""
            raise UsageError(f"the map has no {ways}: say which column it is, as in --map {ways}=COLUMN{how}")
    if "price" in given and "total" in given:
        raise UsageError("the map has a price, which is of one piece, and a total, which is of all: leave one out")
    _check_form(found)


def _check_form(found: CsvMap) -> None:
    try:
        ZoneInfo(found.time.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"timezone {found.time.timezone!r} is no place such as UTC or Europe/Berlin") from error
    try:
        codecs.lookup(found.file.encoding)
    except LookupError as error:
        raise UsageError(f"encoding {found.file.encoding!r} is none that Python knows, such as utf-8") from error
    if len(found.file.delimiter) > 1:
        raise UsageError(f"delimiter {found.file.delimiter!r} is more than one character")
    if found.time.format not in {"auto", "iso", "s", "ms"} and "%" not in found.time.format:
        raise UsageError(
            f"time format {found.time.format!r} is none of auto, iso, s, ms and no pattern such as %d.%m.%Y"
        )


def _refuse_others(what: str, odd: Iterable[str], allowed: Sequence[str]) -> None:
    if names := sorted(odd):
        raise UsageError(f"the map names {', '.join(names)}: {what}; there are {', '.join(allowed)}")
