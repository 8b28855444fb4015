"""The demand model is asked for what its present version has not said before."""

import asyncio

import numpy as np
import pytest

from feature_repo.items.item import ItemActivity, pack
from feature_repo.items.window_index import ClosedWindow
from feature_repo.store.row_store import StoredRow
from headrace.arrays import DemandAnswer
from headrace.errors import ModelUnavailable, RequestFailed
from headrace.settings.model import settings
from streams.pipeline.items.series_rows import ItemRow
from streams.scenarios.demand import DemandRules, evaluate_windows
from streams.scenarios.demand.forecasting import scorer as demand_scorer
from streams.scenarios.demand.forecasting.scorer import DemandModel
from streams.serving.shopper_scorer.fallback import MODEL_UNAVAILABLE

SETTINGS = settings()
MS = SETTINGS.window
RULES = DemandRules.of(SETTINGS)
ITEMS = [f"item-{n}" for n in range(6)]


class Served:
    """A Triton whose version says of everything its own number; `swaps` are the versions of the next requests."""

    def __init__(self):
        self.version = "1"
        self.swaps = []
        self.queried = []
        self.away = False
        self.at_once = self.most_at_once = 0

    async def infer(self, _model, tensors, _rows, _kind):
        if self.away:
            raise ModelUnavailable("away")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.version = self.swaps.pop(0) if self.swaps else self.version
        self.queried.append(len(tensors.window_start))
        level = np.linspace(0, float(self.version), 9, dtype=np.float32)
        return DemandAnswer(np.tile(level, (len(tensors.window_start), SETTINGS.horizon, 1))), self.version


class Worker:
    """Closes windows of some items, one after the other, as the item pipeline does."""

    def __init__(self, served):
        self.served = served
        self.model = DemandModel(SETTINGS, served, lambda _: ["tea"])
        self.rows = {item: _row(item) for item in ITEMS}

    async def close(self, number):
        """Rows that the model was asked for, request by request, and what was answered."""
        self.served.queried.clear()
        closed_windows = [
            ClosedWindow(item, number * MS, judged=True, last=False, regular=True, watched=6) for item in ITEMS
        ]
        queried = await self.model.forecast(closed_windows, self.rows)
        activities = {item: row.merged() for item, row in self.rows.items()}
        evaluate_windows(
            closed_windows,
            activities,
            queried.queries,
            queried.result,
            queried.cached,
            [],
            lambda _: ["tea"],
            model=queried.model,
            fallback=queried.fallback,
            rules=RULES,
        )
        for item, forecasts in queried.cached.items():
            self.rows[item].cache_forecasts(forecasts, queried.model.version)
        return list(self.served.queried), queried

    def cached(self, queried):
        """The means that are cached, of whatever windows."""
        return {
            round(moments.mean, 3)
            for cached in queried.queries.cached.values()
            for moments in (*cached.one.values(), *cached.span.values())
        }


def _row(item):
    activity = ItemActivity(sold=dict.fromkeys(range(200, 320), 1), first=200)
    return ItemRow(item, StoredRow(b"", b"", (b"", pack(activity), b"")))


@pytest.fixture
async def worker():
    """A worker whose items have been judged in four windows."""
    worker = Worker(Served())
    for number in range(300, 304):
        await worker.close(number)
    return worker


async def fresh(version):
    """What a worker believes that has nothing but this version's answers."""
    served = Served()
    served.version = version
    new = Worker(served)
    for number in range(300, 304):
        _, queried = await new.close(number)
    return new.cached(queried)


async def test_window_after_window_one_row_a_closing_is_asked_for(worker):
    requests, queried = await worker.close(304)
    assert requests == [len(ITEMS)]
    assert queried.model.version == "1"


async def test_what_another_version_said_is_not_used_and_everything_is_asked_again(worker):
    worker.served.version = "2"
    requests, queried = await worker.close(304)
    assert requests == [len(ITEMS), 3 * len(ITEMS)]
    assert worker.cached(queried) == await fresh("2")
    assert queried.model.version == "2"
    assert [(await worker.close(number))[0] for number in (305, 306, 307, 308)] == [[12], [12], [6], [6]]


async def test_rows_that_an_earlier_version_last_answered_are_asked_for_at_once(worker):
    other = _row("item-0")
    other.cache_forecasts(worker.rows["item-0"].cached_forecasts("1"), "0")
    worker.rows["item-0"] = other
    requests, _ = await worker.close(304)
    assert requests == [len(ITEMS) + 2]


async def test_a_swap_between_the_parts_of_a_request_leaves_no_mixture(worker, monkeypatch):
    monkeypatch.setattr(demand_scorer, "_MAX_ROWS", 4)
    worker.served.swaps = ["1", "2"]
    requests, queried = await worker.close(304)
    assert requests == [4, 2, 4, 4, 4, 4, 2]
    assert worker.cached(queried) == await fresh("2")


async def test_what_two_versions_answered_in_part_is_asked_again_of_one(monkeypatch):
    monkeypatch.setattr(demand_scorer, "_MAX_ROWS", 9)
    worker = Worker(Served())
    worker.served.swaps = ["1", "2"]
    requests, queried = await worker.close(300)
    assert requests == [9, 9, 9, 9]
    assert queried.model.version == "2"
    assert worker.cached(queried) == await fresh("2")


async def test_without_the_model_the_fallback_says_everything_and_nothing_of_it_is_kept(worker):
    before = [row.cached_forecasts("1") for row in worker.rows.values()]
    worker.served.away = True
    _, queried = await worker.close(304)
    assert queried.fallback == MODEL_UNAVAILABLE
    assert len(queried.result.quantiles) == 3 * len(ITEMS)
    assert [row.cached_forecasts("1") for row in worker.rows.values()] == before
    assert not any(row.cached_forecasts("") for row in worker.rows.values())
    worker.served.away = False
    requests, queried = await worker.close(305)
    assert requests == [2 * len(ITEMS)]  # from 302 was forecast before the model went, from 305 and 306 was not
    assert worker.cached(queried) == await fresh("1")


async def test_a_row_read_anew_has_nothing_kept(worker):
    worker.rows["item-0"] = _row("item-0")
    requests, _ = await worker.close(304)
    assert requests == [len(ITEMS) + 2]


async def test_however_many_partitions_ask_two_requests_are_under_way_at_most():
    served = Served()
    worker = Worker(served)
    await asyncio.gather(*(worker.close(number) for number in range(330, 336)))
    assert len(served.queried) > 0
    assert served.most_at_once == 2


class Alternating(Served):
    """Two versions behind one address, that answer in turns."""

    async def infer(self, _model, tensors, _rows, _kind):
        self.version = "2" if self.version == "1" else "1"
        return await super().infer(_model, tensors, _rows, _kind)


async def test_two_versions_that_answer_in_turns_are_asked_a_few_times_and_one_answers():
    worker = Worker(Alternating())
    for number in range(300, 306):
        requests, queried = await worker.close(number)
        assert len(requests) <= 4
        assert queried.fallback is None


class Odd(Served):
    """Its forecasts make no sense."""

    quantiles = np.zeros((0,))

    async def infer(self, _model, tensors, _rows, _kind):
        return DemandAnswer(self.quantiles), "1"


@pytest.mark.parametrize("quantiles", [np.empty(0), np.full((6, 4, 9), np.nan, np.float32), np.zeros((6, 4, 2))])
async def test_a_forecast_that_makes_no_sense_is_stood_in_for(quantiles):
    served = Odd()
    served.quantiles = quantiles
    _, queried = await Worker(served).close(300)
    assert queried.fallback == MODEL_UNAVAILABLE
    assert queried.result is not None


class Failing(Served):
    async def infer(self, _model, tensors, _rows, _kind):
        raise RequestFailed("this version forecasts windows of another length")


async def test_a_model_that_fails_on_a_request_is_stood_in_for():
    _, queried = await Worker(Failing()).close(300)
    assert queried.fallback == MODEL_UNAVAILABLE
