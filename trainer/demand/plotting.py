"""A picture of demand: what came, what was forecast, and where an alert was open."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from numpy.typing import NDArray

from feature_repo.basics.actions import ACTION_CODE
from headrace.arrays import DEMAND_HISTORY
from headrace.messages.internal import Entry, ItemUpdate, Watermark
from headrace.messages.outputs import DemandAlert
from streams.scenarios.demand import DemandRules
from streams.scenarios.demand.offline import OfflineDemand
from trainer.demand.evaluation import DemandEvaluation, as_forecaster
from trainer.evaluation.drawing import save_svg

_BEFORE: Final = 60
"""Windows shown before the split."""


class Episode(NamedTuple):
    """An alert from its first window's start to its end, ms."""

    item_id: str
    start: int
    end: int
    spike: bool


def alerts_of(done: DemandEvaluation, rules: DemandRules) -> list[Episode]:
    """The episodes that the item pipeline opens on the evaluated items, by the evaluated network."""
    catalogue = done.series.catalogue
    pipeline = OfflineDemand(
        lambda tensors: as_forecaster(done.network, tensors),
        sources=1,
        rules=rules,
        lateness_ms=0,
        categories_of=lambda item: [catalogue[item].category] if item in catalogue and catalogue[item].category else (),
    )
    messages = [message for window in _entries(done) for message in pipeline.fold(0, window)]
    alerts = [message for message in messages if isinstance(message, DemandAlert)]
    opened = {alert.episode: alert for alert in alerts if alert.state == "open"}
    last = {alert.episode: alert.window_end for alert in alerts}
    return [
        Episode(alert.item_id or "", alert.window_start, last[name], alert.direction == "spike")
        for name, alert in opened.items()
    ]


def draw_demand(out: Path, done: DemandEvaluation, item_ids: list[str], episodes: list[Episode]) -> None:
    """Draw each item below the other.

    Raises:
        UsageError: the file cannot be written.
    """
    figure = Figure(figsize=(9, 2.2 * len(item_ids)), layout="constrained")
    panels = figure.subplots(len(item_ids), 1, sharex=True, squeeze=False)[:, 0]
    for axes, item_id in zip(panels, item_ids, strict=True):
        _draw_item(axes, done, item_id, [episode for episode in episodes if episode.item_id == item_id])
    panels[0].legend(loc="upper left", frameon=False, ncols=4)
    panels[0].xaxis_date(tz=UTC)
    save_svg(figure, out)


def _entries(done: DemandEvaluation) -> Iterator[list[Entry]]:
    """Units of the evaluated items, window by window."""
    series, purchase = done.series, ACTION_CODE["purchase"]
    for column in range(DEMAND_HISTORY, series.units.shape[1]):
        start = series.first + column * series.window_ms
        units = series.units[done.items, column]
        cents = np.round(series.paid[done.items, column] * 100)
        sold: list[Entry] = [
            ItemUpdate(0, series.item_ids[done.items[i]], purchase, start, int(units[i]), int(cents[i]), False)
            for i in np.flatnonzero(units)
        ]
        yield [*sold, Watermark(0, start + series.window_ms, idle=False)]


def _draw_item(axes: Axes, done: DemandEvaluation, item_id: str, episodes: list[Episode]) -> None:
    row = done.series.item_ids.index(item_id)
    place = int(np.flatnonzero(done.items == row)[0])
    begin = max(done.split - _BEFORE, DEMAND_HISTORY)
    shown = done.series.units[row, begin:]
    came = _moments(done, np.arange(begin, begin + len(shown)))
    after = _moments(done, np.arange(done.split, done.split + done.headrace.lower.shape[1]))
    axes.fill_between(
        after, done.headrace.lower[place], done.headrace.upper[place], step="mid", color="0.85", label="80 % interval"
    )
    axes.step(after, done.headrace.quantiles[place, :, 1], where="mid", color="C0", linewidth=1, label="median")
    axes.plot(came, shown, ".-", color="0.25", markersize=3, linewidth=0.6, label="came")
    half = done.series.window_ms // 2
    for episode in episodes:
        start, end = date2num([_moment(time - half) for time in (episode.start, episode.end)])
        if end > came[0]:
            axes.axvspan(max(start, came[0]), end, color="C3" if episode.spike else "C4", alpha=0.25)
    axes.axvline(after[0] - (after[1] - after[0]) / 2, color="0.6", linewidth=0.8, linestyle=":")
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.set(ylabel="units", title=f"{item_id}: {len(episodes)} alerts", ylim=(0, None))


def _moments(done: DemandEvaluation, columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where windows stand on the time axis."""
    return date2num([_moment(done.series.first + int(column) * done.series.window_ms) for column in columns])


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)
