"""Whether a shop could print the lists: what is in them that should not be, and whether the first click rates hold.

Shape letters: U moments, K places of a list.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, cast

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.shoppers.history import hashes
from headrace.arrays import Ints
from headrace.errors import UsageError
from headrace.messages.events import Event, EventType
from headrace.settings.model import Settings
from streams.recordings.simulation.truth import ClickTruth, read_click_truth
from streams.serving.shopper_scorer.queries import ShopperQuery
from trainer.evaluation.calibration import equal_width
from trainer.evaluation.lists.held_back import Clicks, Recorded, clicks_on, read_recorded, states
from trainer.evaluation.lists.worker_lists import Answered, answer, ask
from trainer.publishing.exported import load_recommender
from trainer.training_loop.fit import OnProgress

_MOST: Final = 5_000
_FIRST: Final = 3
"""Entries of a list whose click rates are held against what followed: those that a shopper sees at once."""
_FOLLOWS_MS: Final = 30 * 60_000
"""An impression within this time shows what became of the entries of the list before it."""


class ListQuality(Struct, frozen=True):
    """Shares of all entries of the lists, and calibration errors (15 bins of equal width) of their first three.

    A list's rates are held against the truth as if it were shown as it is, and against clicks as `ctr.scores` rates the
    next impression, where its entries stand at places of the shop's choice.

    Attributes:
        ece_top3: against the truth where there is one, else against what followed; None where neither is known.
    """

    already_bought: float
    unknown: float
    repeated: float
    ece_top3: float | None
    ece_top3_truth: float | None
    ece_top3_followed: float | None
    mean_rate_top3: float | None  # what the lists say
    mean_truth_top3: float | None
    lists: int
    entries: int
    followed: int  # first entries that the shopper's next impression shows
    since: str


class Moment(NamedTuple):
    """An event that is owed a list, and what is needed to judge the list."""

    event: Event
    query: ShopperQuery
    bought: Ints
    last: str | None  # the item looked at last
    following: ShopperQuery | None  # the shopper's next impression, if it comes soon


Rates = NDArray[np.float64]


def evaluate_lists(
    stream: Path, model: Path, since: datetime | None, settings: Settings, on_progress: OnProgress
) -> ListQuality:
    """Answer the held-back trigger events of a stream as a worker would, and judge the lists.

    Args:
        model: a folder that `headrace train` wrote.
        since: events from this time on; None for what `headrace train` holds back of this stream.

    Raises:
        UsageError: no such stream or model, or no event since then that is owed a list.
    """
    scorer = load_recommender(model, clicks=True)
    recorded = read_recorded(stream, settings, lambda n: on_progress("read", n, 0, "records"))
    split = int(since.replace(tzinfo=UTC).timestamp() * 1000) if since is not None else recorded.split()
    found = moments(recorded, split, settings)
    if not found:
        date = _date(split)
        raise UsageError(f"--stream {stream}: no event from {date} on is owed a list; give an earlier --since")
    truth = read_click_truth(stream)
    on_progress("lists", 0, 0, f"{len(found)} moments")
    lists = list(answer(scorer, [moment.query for moment in found], recorded.catalogue))
    following = [moment.following for moment in found if moment.following is not None]
    rates = iter(answer(scorer, following, recorded.catalogue))
    shown = [None if moment.following is None else next(rates) for moment in found]
    return _judge(found, lists, shown, recorded, truth, _date(split))


def moments(recorded: Recorded, since: int, settings: Settings) -> list[Moment]:
    """The trigger events from `since` (ms) on, evenly thinned, each with the shopper's next impression."""
    found: list[Moment] = []
    last: dict[str, str] = {}
    waiting: dict[str, list[int]] = {}
    for event, state in states(recorded.events):
        if event.type is EventType.VIEW and event.item_id is not None:
            last[event.user_id] = event.item_id
        if event.timestamp < since:
            continue
        if event.type is EventType.IMPRESSION:
            for row in waiting.pop(event.user_id, ()):
                if event.timestamp - found[row].event.timestamp <= _FOLLOWS_MS:
                    found[row] = found[row]._replace(following=ask(event, state, settings))
        elif event.type in settings.triggers:
            waiting.setdefault(event.user_id, []).append(len(found))
            found.append(
                Moment(event, ask(event, state, settings), hashes(state.bought), last.get(event.user_id), None)
            )
    return found[:: max(1, -(-len(found) // _MOST))]


def _judge(
    found: Sequence[Moment],
    lists: Sequence[Answered],
    shown: Sequence[Answered | None],
    recorded: Recorded,
    truth: ClickTruth | None,
    since: str,
) -> ListQuality:
    entries = [[item for item in made.items if item != NO_ITEM] for made in lists]
    count = max(1, sum(map(len, entries)))
    bought = sum(np.isin(some, moment.bought).sum() for some, moment in zip(entries, found, strict=True))
    unknown = sum(recorded.catalogue.get(item) is None for some in entries for item in some)
    repeated = sum(len(some) - len(set(some)) for some in entries)
    rate, chance = _against_truth(found, lists, recorded, truth) if truth else (np.zeros(0), np.zeros(0))
    tensors, clicked = _against_clicks(found, entries, shown, clicks_on(recorded.events))
    by_truth, by_clicks = _error(rate, chance), _error(tensors, clicked)
    return ListQuality(
        already_bought=float(bought / count),
        unknown=float(unknown / count),
        repeated=float(repeated / count),
        ece_top3=by_truth if by_truth is not None else by_clicks,
        ece_top3_truth=by_truth,
        ece_top3_followed=by_clicks,
        mean_rate_top3=float(rate.mean()) if len(rate) else None,
        mean_truth_top3=float(chance.mean()) if len(rate) else None,
        lists=len(lists),
        entries=sum(map(len, entries)),
        followed=len(tensors),
        since=since,
    )


def _against_truth(
    found: Sequence[Moment], lists: Sequence[Answered], recorded: Recorded, truth: ClickTruth
) -> tuple[Rates, Rates]:
    """Rates of the first entries, and their true probabilities were the list shown. [P] each"""
    rates: list[float] = []
    chances: list[float] = []
    for moment, made in zip(found, lists, strict=True):
        event = moment.event
        ids = [entry.item_id for entry in recorded.catalogue.entries(made.items[:_FIRST]) if entry is not None]
        if truth.knows(event.user_id) and len(ids) == _FIRST:
            page = str((event.context or {}).get("page", ""))
            chances += truth.of(event.user_id, moment.last, ids, page).tolist()
            rates += made.ctrs[:_FIRST]
    return _both(rates, chances)


def _against_clicks(
    found: Sequence[Moment], entries: Sequence[Sequence[int]], shown: Sequence[Answered | None], clicks: Clicks
) -> tuple[Rates, Rates]:
    """Rates of first entries that the next impression shows, as `ctr.scores` rates it, and whether clicked. [P] each"""
    rates: list[float] = []
    clicked: list[float] = []
    for moment, some, made in zip(found, entries, shown, strict=True):
        if moment.following is None or made is None:
            continue
        shown_by = cast(Event, moment.following.input)
        on = clicks.get((moment.event.user_id, shown_by.event_id), frozenset())
        for item, rate in zip(moment.following.candidates, made.ctrs, strict=True):
            if item_hash(item) in some[:_FIRST]:
                rates.append(rate)
                clicked.append(float(item in on))
    return _both(rates, clicked)


def _both(rates: Sequence[float], outcomes: Sequence[float]) -> tuple[Rates, Rates]:
    """Those pairs of which both numbers are known."""
    pair = np.array([rates, outcomes], np.float64)
    rate, outcome = pair[:, ~np.isnan(pair).any(axis=0)]
    return rate, outcome


def _error(rate: Rates, outcome: Rates) -> float | None:
    return equal_width(rate, outcome).error if len(rate) else None


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
