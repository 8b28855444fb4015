"""What is kept of earlier forecasts changes nothing but how much the model is asked."""

import msgspec
import numpy as np

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.items.item import ItemActivity
from feature_repo.items.scopes import SHOP, shard_of
from feature_repo.items.window_index import ClosedWindow
from headrace.arrays import DEMAND_MODEL, DEMAND_SPAN, DemandAnswer
from headrace.messages.internal import ItemUpdate, Watermark
from headrace.messages.outputs import DemandAlert, ModelRef
from streams.scenarios.demand import DemandRules, StockPolicy, evaluate_windows, fallback_quantiles
from streams.scenarios.demand.forecasting.cached import unpack
from streams.scenarios.demand.forecasting.queries import queries
from streams.scenarios.demand.offline import OfflineDemand

HOUR = 3_600_000
HOURS = 150
RULES = DemandRules(HOUR, (0.1, 0.5, 0.9), 1e-4, StockPolicy(4 * HOUR, 0.95))
MODEL = ModelRef(DEMAND_MODEL, "1")
ENCODE = msgspec.json.Encoder().encode


class Model:
    """Sees everything that a request tells of a series."""

    def __init__(self):
        self.rows = []

    def __call__(self, tensors):
        self.rows.append(len(tensors.window_start))
        factor = 1 + tensors.category % 7 / 10 + tensors.price / 100
        quantiles = fallback_quantiles(tensors, 6).quantiles
        return DemandAnswer((quantiles * factor[:, None, None]).astype(np.float32))


class Catalogue:
    """One item moves from category to category."""

    def __init__(self):
        self.hour = 0

    def categories_of(self, item_id):
        return (f"{self.hour // 20}",) if item_id == "item-5" else ("tea",)


def run(*, keep):
    """Two sources, one of them idle now and then, three windows now and then in one batch; messages and rows asked."""
    random, model, catalogue = np.random.default_rng(3), Model(), Catalogue()
    pipeline = OfflineDemand(model, sources=2, rules=RULES, lateness_ms=0, categories_of=catalogue.categories_of)
    made, waiting = [], []
    for hour in range(HOURS):
        catalogue.hour = hour
        waiting += _deltas(random, hour)
        idle = hour % 9 == 4
        waiting.append(Watermark(0, (hour + 1) * HOUR, False))
        made += pipeline.fold(1, [Watermark(0, (hour + 1) * HOUR, idle)])
        if hour % 10 not in (6, 7):
            if not keep:
                pipeline.cached.clear()
            made += pipeline.fold(0, waiting)
            waiting = []
    return made, sum(model.rows), pipeline


def _deltas(random, hour):
    """Sales of the hour and some of the hours before, late by their source's clock or not, at prices that change."""
    for n, rate in enumerate((0.05, 0.3, 1.0, 3.0, 8.0, 8.0)):
        surge = 6 if (n, hour // 5) == (4, 20) else 1
        for _ in range(random.poisson(rate * surge)):
            back = int(random.integers(1, 6)) if random.random() < 0.1 else 0
            at, price = max(hour - back, 0) * HOUR + int(random.integers(HOUR)), int(random.integers(1, 9)) * 100
            for key, shard in ((f"item-{n}", -1), (SHOP, shard_of(f"item-{n}"))):
                yield ItemUpdate(0, key, ACTION_CODE["purchase"], at, 1, price, random.random() < 0.02, shard)


def test_outputs_and_episodes_are_those_of_asking_again():
    made, rows, pipeline = run(keep=True)
    expected, all_rows, uncached = run(keep=False)
    assert any(isinstance(message, DemandAlert) for message in expected)
    assert list(map(ENCODE, made)) == list(map(ENCODE, expected))
    assert pipeline.activities == uncached.activities
    assert pipeline.index == uncached.index
    assert rows < all_rows / 2


def closed(number, key="tea"):
    return ClosedWindow(key, number * HOUR, judged=True, last=False, regular=True, watched=1)


def close(number, kept, *, category="hot", fallback=None):
    """Close one window of an item; the first windows that were asked for."""
    activities = {"tea": ItemActivity(sold={n: n % 5 for n in range(number - 60, number + 1)})}
    requested = queries([closed(number)], activities, lambda _: [category], HOUR, kept)
    evaluate_windows(
        [closed(number)],
        activities,
        requested,
        Model()(requested.tensors),
        kept,
        [],
        lambda _: [category],
        model=MODEL,
        fallback=fallback,
        rules=RULES,
    )
    return [start // HOUR for _, start in requested.rows]


def test_window_after_window_the_model_is_asked_for_one_forecast_a_closing():
    kept = {}
    requested = [close(number, kept) for number in range(300, 310)]
    assert requested[: DEMAND_SPAN - 1] == [[297, 300, 301], [298, 302], [299, 303]]
    assert requested[DEMAND_SPAN - 1 :] == [[number + 1] for number in range(303, 310)]


def test_after_a_gap_what_was_never_forecast_is_asked_for():
    kept = {}
    close(300, kept)
    assert close(304, kept) == [304, 305]  # 301 is there still, for four windows together
    assert close(320, kept) == [317, 320, 321]


def test_what_is_kept_of_an_item_does_not_grow():
    kept, sizes = {}, []
    for number in range(300, 330):
        close(number, kept)
        sizes.append(len(kept["tea"]))
    cached = unpack(kept["tea"], category=_category(kept))
    assert len(set(sizes[DEMAND_SPAN - 1 :])) == 1
    assert sizes[-1] < 300
    assert [start // HOUR for start in cached.one] == [330]
    assert [start // HOUR for start in cached.span] == [327, 328, 329, 330]


def _category(kept):
    return msgspec.msgpack.decode(kept["tea"])[0]


def test_an_item_of_another_category_is_asked_for_anew():
    kept = {}
    for number in range(300, 306):
        close(number, kept)
    assert close(306, kept, category="cold") == [303, 306, 307]
    assert close(307, kept, category="cold") == [304, 308]


def test_nothing_is_kept_of_what_the_fallback_says():
    kept = {}
    close(300, kept, fallback="model_unavailable")
    assert kept == {}
    close(300, kept)
    before = dict(kept)
    close(301, kept, fallback="model_unavailable")
    assert kept == before
