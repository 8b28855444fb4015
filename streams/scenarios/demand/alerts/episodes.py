"""The evidence for an alert, and when its episode is over.

Evidence is held against the model's forecast, for one window or for the last few together. An episode ends on the
item's own past: demand is held against the windows before it, because the model's view of normal follows what it sees,
the anomaly included.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from feature_repo.basics.season import season
from feature_repo.items.item import Episode, ItemActivity
from feature_repo.items.scopes import SHARDS
from headrace.arrays import DEMAND_HISTORY, DEMAND_SPAN
from streams.scenarios.demand.alerts.anomaly import Moments, expected_counts, tail_above, tail_below

LONGEST: Final = 48
"""Windows after which a changed level counts as the new normal."""
_WARM_UP: Final = 48
"""Windows an item must have been selling before its demand can be called unusual."""
_NORMAL: Final = 0.01
"""Probability of demand so far out that a spike goes on."""
_QUIET: Final = 2
"""Normal windows in a row that end a spike."""
_SPAN: Final = DEMAND_SPAN
_SEASONS: Final = 7
_SHRINK: Final = 1.0
"""Windows that the overall level weighs, beside those of earlier seasons."""


class Evidence(NamedTuple):
    """Demand in the last `windows` windows, held against what was expected.

    Attributes:
        tail: probability of demand this far out.
    """

    windows: int
    observed: int
    moments: Moments
    tail: float
    spike: bool


def units_in(activity: ItemActivity, last: int, windows: int = 1) -> int:
    """Units sold on time in the `windows` windows up to number `last`."""
    sold = activity.sold
    return sum([sold.get(number, 0) for number in range(last - windows + 1, last + 1)])


def weigh(observed: int, windows: int, moments: Moments) -> Evidence:
    """Hold an observed count against its forecast."""
    spike = observed > moments.mean
    tail = tail_above(observed, moments) if spike else tail_below(observed, moments)
    return Evidence(windows, observed, moments, tail, spike)


def is_known(activity: ItemActivity, window: int) -> bool:
    """Whether the item has been selling for long enough that its demand can be called unusual."""
    return window - activity.first >= _WARM_UP


def most_unusual(activity: ItemActivity, window: int, one: Moments, span: Moments, window_ms: int) -> Evidence:
    """The least likely evidence for an episode at the close of `window`.

    Args:
        one: forecast of the window, made before it.
        span: forecast of the last windows together, made before them.
    """
    found = [weigh(units_in(activity, window), 1, one)]
    if window - _SPAN >= activity.calm:  # the last episode's own windows are no evidence for another
        together = units_in(activity, window, _SPAN)
        found.append(weigh(together, _SPAN, span))
        if 2 * together < span.mean >= 1:
            found.append(weigh(together, _SPAN, _usual_span(activity, window - _SPAN + 1, window, window_ms)))
    if activity.shards:
        found = [_shared(activity, window, evidence) for evidence in found]
    return min(found, key=lambda evidence: evidence.tail)


def _shared(activity: ItemActivity, window: int, evidence: Evidence) -> Evidence:
    """A scope's evidence as far as it stands without any one shard of its items: else it is that item's news."""
    first = window - evidence.windows + 1
    now, before = [0] * SHARDS, [0] * SHARDS
    for number, units in activity.shards.items():
        if number <= window:
            into = now if number >= first else before
            for shard, count in enumerate(units):
                into[shard] += count
    everything = max(sum(before), 1)
    tails = [
        _one_sided(evidence.observed - now[shard], evidence, 1 - before[shard] / everything) for shard in range(SHARDS)
    ]
    return evidence._replace(tail=max(evidence.tail, *tails))


def _one_sided(observed: int, evidence: Evidence, share: float) -> float:
    """How likely it is that the rest of the shards, which usually sell `share` of it all, sold so much or little."""
    moments = evidence.moments
    rest = Moments(moments.mean * share, moments.variance * share, moments.high * share, moments.fall)
    if rest.mean <= 0:
        return 1.0
    return tail_above(observed, rest) if evidence.spike else tail_below(observed, rest)


def _usual_span(activity: ItemActivity, before: int, window: int, window_ms: int) -> Moments:
    """What the last windows usually sell, by the windows before number `before`.

    A second opinion on drops: a model that has seen few busy items can take two slow hours for a new level.
    """
    numbers = range(window - _SPAN + 1, window + 1)
    return expected_counts(sum(usual(activity, before, numbers, window_ms)))


def follow(activity: ItemActivity, episode: Episode, window: int, window_ms: int) -> tuple[Evidence, bool]:
    """Hold `window`, for a drop the last Z, against the time before the episode.

    Returns:
        the evidence, and whether it still parts from normal; windows that do not are counted in `quiet`.
    """
    windows = 1 if episode.spike else _SPAN
    if episode.spike:
        normal = expected_counts(usual(activity, episode.start, [window], window_ms)[0])
    else:
        normal = _usual_span(activity, episode.start, window, window_ms)
    evidence = weigh(units_in(activity, window, windows), windows, normal)
    still = evidence.spike and evidence.tail <= _NORMAL if episode.spike else 2 * evidence.observed < normal.mean
    episode.quiet = 0 if still else episode.quiet + 1
    return evidence, still


def over(episode: Episode, window: int, *, last: bool) -> bool:
    """Whether the episode ends with `window`."""
    enough = _QUIET if episode.spike else 1
    return last or episode.quiet >= enough or window - episode.opened >= LONGEST


def usual(activity: ItemActivity, before: int, windows: Sequence[int], window_ms: int) -> list[float]:
    """Units usual in each of `windows`, from those before number `before`: same place in the season, and level."""
    lag = season(window_ms)
    sold = activity.sold
    oldest = max(activity.first, before - DEMAND_HISTORY)
    level = sum([u for n, u in sold.items() if oldest <= n < before]) / max(before - oldest, 1)
    found: list[float] = []
    for window in windows:
        nearest = window - lag * max(1, -(-(window - before + 1) // lag))
        same = range(nearest, max(oldest - 1, nearest - _SEASONS * lag), -lag)
        found.append((sum([sold.get(n, 0) for n in same]) + _SHRINK * level) / (len(same) + _SHRINK))
    return found
