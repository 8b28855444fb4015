"""Scores on families of series that had no part in a choice.

The benchmark's series come in families (folders). One family is left out at a time: settings are those that score best
on the others, and so is the threshold; the family left out is then scored with both. What was seen of a family thus
never decides how it is scored.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from benchmarks.nab.scoring import Labelled, Profile, nab_score, score_at

_ARTIFICIAL: Final = "artificial"

Scored = Mapping[str, Labelled]
"""Scores and windows of every series, by the series' name."""


class Family(NamedTuple):
    """A family left out: its score, and the settings and threshold that the others chose."""

    score: float
    settings: str
    threshold: float


class LeftOut(NamedTuple):
    """All families, each left out once; `pooled` weighs them by their windows."""

    families: dict[str, Family]
    mean: float
    pooled: float


def family_of(series: str) -> str:
    """The folder; the two artificial ones are one family, as one of them has no window to be scored by."""
    folder = series.split("/", maxsplit=1)[0]
    return _ARTIFICIAL if folder.startswith(_ARTIFICIAL) else folder


def left_out(candidates: Mapping[str, Scored], profile: Profile) -> LeftOut:
    """Leave out one family at a time.

    Args:
        candidates: the same series, scored with different settings.
    """
    names = list(next(iter(candidates.values())))
    found: dict[str, Family] = {}
    windows: dict[str, int] = {}
    for family in sorted({family_of(name) for name in names}):
        inside = [name for name in names if family_of(name) == family]
        others = [name for name in names if family_of(name) != family]
        best = {key: nab_score([scored[name] for name in others], profile) for key, scored in candidates.items()}
        chosen = max(best, key=lambda key: best[key].score)
        series = [candidates[chosen][name] for name in inside]
        threshold = best[chosen].threshold
        found[family] = Family(score_at(series, profile, threshold), chosen, threshold)
        windows[family] = sum(len(one.windows) for one in series)
    scores = [family.score for family in found.values()]
    pooled = sum(found[family].score * count for family, count in windows.items()) / sum(windows.values())
    return LeftOut(found, sum(scores) / len(scores), pooled)
