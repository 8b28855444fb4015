"""What reasons say, one table a language, which a shop can replace and translate."""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Final, NamedTuple

from headrace.errors import SettingsError

ACTIONS: Final = ("view", "click", "add_to_cart", "purchase", "review")
"""Kinds of reasons that lie in what a shopper did to an item; each has a text for the item itself, too."""
OTHERS: Final = ("description", "popular", "range", "boosted", "pinned")
"""Kinds of all other reasons."""
LANGUAGES: Final = ("en", "de", "zh")
_KINDS: Final = (*ACTIONS, *(f"{action}_again" for action in ACTIONS), *OTHERS)
_FOLDER: Final = Path(__file__).parent


class ReasonTexts(NamedTuple):
    """A table: texts by kind.

    Attributes:
        of_action: with the place of a title in it.
        of_itself: where the item is the very one that the shopper did it to.
        other: of kinds that name no event.
    """

    of_action: Mapping[str, str]
    of_itself: Mapping[str, str]
    other: Mapping[str, str]


@lru_cache(maxsize=8)
def reason_texts(name: str) -> ReasonTexts:
    """The table of a language that comes along, or that of a TOML file.

    Raises:
        SettingsError: there is no such table, or a text of it is missing or cannot be said.
    """
    path = _FOLDER / f"{name}.toml" if name in LANGUAGES else Path(name)
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        known = ", ".join(LANGUAGES)
        raise SettingsError(
            f"HEADRACE_REASONS={name!r} cannot be read ({error}): it must be {known}, or a TOML file."
        ) from error
    for kind in _KINDS:
        _check(name, kind, found.get(kind))
    if unknown := sorted(set(found) - set(_KINDS)):
        raise SettingsError(
            f"HEADRACE_REASONS={name!r}: {unknown[0]} is no kind of reason; they are {', '.join(_KINDS)}."
        )
    return ReasonTexts(
        {kind: found[kind] for kind in ACTIONS},
        {kind: found[f"{kind}_again"] for kind in ACTIONS},
        {kind: found[kind] for kind in OTHERS},
    )


def _check(name: str, kind: str, text: object) -> None:
    """Refuse a text that is missing, or that has other places than that of a title."""
    if not isinstance(text, str) or not text.strip():
        raise SettingsError(f'HEADRACE_REASONS={name!r} has no text for {kind}; add a line `{kind} = "…"`.')
    allowed = {"title"} if kind in ACTIONS else set[str]()
    try:
        parts = [part for part in Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        raise SettingsError(
            f"HEADRACE_REASONS={name!r}: the text for {kind}: {error}; write {{{{ for a brace."
        ) from error
    for _, place, form, conversion in parts:
        if place not in allowed or form or conversion:
            placeholder = "{title} alone" if allowed else "none"
            raise SettingsError(f"HEADRACE_REASONS={name!r}: {kind} may have the placeholder {placeholder}: {text!r}.")
