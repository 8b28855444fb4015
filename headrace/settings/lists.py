"""How lists are made: how long, how varied, of which categories; set for all triggers, and for some of them apart."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final, Generic, NamedTuple, TypeVar

from pydantic import PlainValidator
from pydantic_settings import NoDecode

from headrace.messages.events import EventType

LONGEST: Final = 100
"""Items of a list at most."""
SAME: Final = "same"
"""In place of names: the categories of the event's item."""
ANY: Final = "any"

T = TypeVar("T")


class PerTrigger(NamedTuple, Generic[T]):
    """A value for all triggers, and others for some."""

    default: T
    apart: Mapping[EventType, T]

    def of(self, kind: EventType) -> T:
        """The value for a trigger."""
        return self.apart.get(kind, self.default)

    def values(self) -> list[T]:
        """All that are set."""
        return [self.default, *self.apart.values()]

    def __str__(self) -> str:
        own = (f"{kind}={_shown(value)}" for kind, value in self.apart.items())
        return ",".join([_shown(self.default), *own])


def _shown(value: object) -> str:
    return "|".join(value) or ANY if isinstance(value, tuple) else str(value)


class ListRule(NamedTuple):
    """What one list is to be.

    Attributes:
        length: items at most.
        diversity: 0 to 1; None for the version's own.
        categories: a listed item has one of these; `SAME` alone stands for those of the event's item; none: any.
    """

    length: int = 20
    diversity: float | None = None
    categories: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the categories are those of the event's item."""
        return self.categories == (SAME,)


def per_trigger(value: str, read: Callable[[str], T], default: T) -> PerTrigger[T]:
    """Read `VALUE`, `VALUE,TRIGGER=VALUE,…` or `TRIGGER=VALUE,…`.

    Raises:
        ValueError: a trigger is no event type, or stands there twice, or so does the value for all.
    """
    found: dict[EventType | None, T] = {}
    for part in value.split(","):
        name, sign, text = part.strip().rpartition("=")
        kind = EventType(name.strip()) if sign else None
        if kind in found:
            raise ValueError(part)
        found[kind] = read(text.strip())
    return PerTrigger(found.pop(None, default), {kind: one for kind, one in found.items() if kind is not None})


def length(text: str) -> int:
    """Items of a list."""
    found = int(text)
    if not 1 <= found <= LONGEST:
        raise ValueError(text)
    return found


def diversity(text: str) -> float:
    """From 0, the order of the scores, to 1."""
    found = float(text)
    if not 0 <= found <= 1:
        raise ValueError(text)
    return found


def categories(text: str) -> tuple[str, ...]:
    """`any`, `same`, or names between `|`."""
    names = tuple(name for part in text.split("|") if (name := part.strip()))
    if not names:
        raise ValueError(text)
    return () if names == (ANY,) else names


def _reader(read: Callable[[str], object], default: object, what: str) -> Callable[[object], object]:
    def parse(value: object) -> object:
        if isinstance(value, PerTrigger):
            return value
        try:
            return per_trigger(str(value), read, default)
        except ValueError:
            raise ValueError(what) from None

    return parse


_LENGTHS = _reader(length, 20, "1 to 100, for some triggers apart where wanted, such as 20 or 20,search=50")
_DIVERSITIES = _reader(diversity, None, "0 to 1, for some triggers apart where wanted, such as 0.3 or 0.3,view=0")
_CATEGORIES = _reader(
    categories, (), "any, same or names between |, by trigger where wanted, such as view=same,search=Kitchen|Dining"
)
Lengths = Annotated[PerTrigger[int], NoDecode, PlainValidator(_LENGTHS)]
Diversities = Annotated[PerTrigger[float | None], NoDecode, PlainValidator(_DIVERSITIES)]
Categories = Annotated[PerTrigger[tuple[str, ...]], NoDecode, PlainValidator(_CATEGORIES)]
