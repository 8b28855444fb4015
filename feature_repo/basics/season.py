"""The season of a demand series, in windows: the same for the served model, its fallback and the episodes."""

from typing import Final

_DAY_MS: Final = 86_400_000
_LONGEST: Final = 84
"""Two seasons fit into a week of hours, the history that travels."""
_DEFAULT: Final = 24


def season(window_ms: int) -> int:
    """Windows after which demand repeats: a day where a day has 4 to 84 windows, a week where it has fewer.

    Windows so short that two days do not fit into the history get 24, which is then only a lag among others.
    """
    a_day = _DAY_MS // window_ms
    if a_day > _LONGEST:
        return _DEFAULT
    return a_day if a_day >= 4 else max(7 * a_day, 4)
