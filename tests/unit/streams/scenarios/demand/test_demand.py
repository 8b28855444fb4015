"""Demand, from item updates to messages: a function of the events, whatever batches and interleaving."""

import random

import msgspec
import numpy as np
import pytest

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.identity import item_hash
from feature_repo.basics.windows import LocalDays, number_at, start_of
from feature_repo.items import scopes
from feature_repo.items.item import ItemActivity, pack
from feature_repo.items.window_index import ClosedWindow
from headrace.arrays import DEMAND_HISTORY, DEMAND_SPAN
from headrace.messages.internal import ItemUpdate, Watermark
from headrace.messages.outputs import DemandAlert, DemandForecast
from streams.scenarios.demand import DemandRules, StockPolicy, fallback_quantiles
from streams.scenarios.demand.forecasting.queries import queries
from streams.scenarios.demand.offline import OfflineDemand

HOUR, LATENESS, SOURCES = 3_600_000, 600_000, 3
DAYS = 6
HORIZON = 6
RULES = DemandRules(HOUR, (0.1, 0.5, 0.9), 1e-6, StockPolicy(4 * HOUR, 0.95))
ENCODE = msgspec.json.Encoder().encode


def sources_of(rates, seed=0):
    """Each source's entries, hour by hour: `rates` gives an item's expected units at an hour."""
    rng = np.random.default_rng(seed)
    sources = [[] for _ in range(SOURCES)]
    for hour in range(DAYS * 24):
        for source, entries in enumerate(sources):
            for item, rate in rates.items():
                for _ in range(rng.poisson(rate(hour) / SOURCES)):
                    at = hour * HOUR + int(rng.integers(HOUR))
                    entries.append(ItemUpdate(0, item, ACTION_CODE["purchase"], at, 1, 100, False))
            entries.append(Watermark(0, (hour + 1) * HOUR + LATENESS + source, False))
    return sources


def forecaster(tensors):
    return fallback_quantiles(tensors, HORIZON)


def run(sources, *, batch=10**9, order=None, rules=RULES):
    """Feed all sources, in turns of `batch` entries or in a random order."""
    pipeline = OfflineDemand(forecaster, sources=SOURCES, rules=rules, lateness_ms=LATENESS)
    at, outputs = [0] * SOURCES, []
    while left := [s for s in range(SOURCES) if at[s] < len(sources[s])]:
        source = order.choice(left) if order else left[0]
        size = order.randint(1, batch) if order else batch
        outputs += pipeline.fold(source, sources[source][at[source] : at[source] + size])
        at[source] += size
    return pipeline, outputs


def alerts(outputs, state=None):
    return [o for o in outputs if isinstance(o, DemandAlert) and state in (None, o.state)]


def steady(rate):
    return lambda hour: rate


def during(begin, end, rate, otherwise):
    return lambda hour: rate if begin <= hour < end else otherwise


SHOP = {
    "steady": steady(6.0),
    "slow": steady(0.1),
    "surging": during(120, 126, 15.0, 0.2),
    "stopping": during(100, 118, 0.0, 5.0),
}


def test_batches_and_interleaving_leave_no_trace():
    sources = sources_of(SHOP)
    whole, expected = run(sources)
    in_order = sorted(map(ENCODE, expected))
    assert len(alerts(expected, "open")) == 2
    for seed in range(4):
        pipeline, outputs = run(sources, batch=60, order=random.Random(seed))
        assert sorted(map(ENCODE, outputs)) == in_order
        assert {i: pack(a) for i, a in pipeline.activities.items()} == {i: pack(a) for i, a in whole.activities.items()}


def test_ids_are_never_used_twice():
    _, outputs = run(sources_of(SHOP))
    ids = [o.id for o in outputs]
    assert len(ids) == len(set(ids))


def test_a_surge_is_one_episode_with_a_beginning_and_an_end():
    _, outputs = run(sources_of(SHOP))
    surge = [a for a in alerts(outputs) if a.item_id == "surging"]
    assert (surge[0].state, surge[-1].state) == ("open", "closed")
    assert {a.state for a in surge[1:-1]} == {"update"}
    assert len({a.episode for a in surge}) == 1
    opened = surge[0]
    assert opened.direction == "spike"
    assert 120 <= opened.window_start // HOUR < 122
    assert opened.observed > opened.upper >= opened.expected >= opened.lower
    assert 0.3 < opened.score <= 1
    assert opened.history == [0] * 8 or max(opened.history) < opened.observed
    assert {a.pattern for a in surge} == {"pulse"}


def test_sales_that_stop_are_a_drop():
    _, outputs = run(sources_of(SHOP))
    stop = [a for a in alerts(outputs) if a.item_id == "stopping"]
    assert {a.direction for a in stop} == {"drop"}
    assert stop[0].window_end // HOUR <= 104
    assert stop[0].observed < stop[0].lower
    assert stop[-1].state == "closed"
    assert stop[-1].window_end // HOUR in range(118, 123)
    assert [a.pattern for a in (stop[0], stop[-1])] == ["pulse", "level_shift"]


def test_an_item_that_never_sells_again_ends_its_episode():
    _, outputs = run(sources_of({"gone": during(0, 70, 5.0, 0.0)}))
    assert [a.state for a in alerts(outputs) if a.state != "update"] == ["open", "closed"]


def test_quiet_demand_raises_no_alarm():
    shop = {f"item-{n}": steady(rate) for n, rate in enumerate([0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0] * 3)}
    _, outputs = run(sources_of(shop, seed=5))
    assert alerts(outputs) == []


def test_late_units_change_no_message():
    sources = sources_of(SHOP)
    _, expected = run(sources)
    late = ItemUpdate(0, "steady", ACTION_CODE["purchase"], 50 * HOUR, 500, 100, True)
    sources[0].insert(len(sources[0]) // 2, late)
    pipeline, outputs = run(sources)
    assert list(map(ENCODE, outputs)) == list(map(ENCODE, expected))
    assert pipeline.activities["steady"].late == 500


def test_a_forecast_tells_the_next_windows_with_ordered_quantiles():
    _, outputs = run(sources_of({"steady": steady(6.0)}))
    forecast = [o for o in outputs if isinstance(o, DemandForecast)][-1]
    assert forecast.timestamp == forecast.windows[0].start
    assert len(forecast.windows) == HORIZON
    for before, after in zip(forecast.windows, forecast.windows[1:], strict=False):
        assert before.end == after.start == before.start + HOUR
    for window in forecast.windows:
        low, middle, high = (window.quantiles[level] for level in ("0.1", "0.5", "0.9"))
        assert 0 <= low <= middle <= high
        assert middle == pytest.approx(6, rel=0.3)


def test_forecasts_and_alerts_of_days_begin_and_end_where_the_shop_has_midnight():
    """Clocks went back on the 25th of October 2026, a day of 25 hours."""
    berlin, day = LocalDays(1, "Europe/Berlin"), 86_400_000
    rules = DemandRules(day, (0.1, 0.5, 0.9), 1e-6, StockPolicy(day, 0.95), berlin)
    pipeline = OfflineDemand(forecaster, sources=1, rules=rules, lateness_ms=LATENESS)
    last = number_at(1_792_900_000_000, berlin)  # of the 25th of October
    outputs = []
    for number in range(last - 60, last + 2):
        sold, midnight = (900 if number == last else 6), start_of(number + 1, berlin)
        at = midnight - 60_000  # one minute to midnight there, 21:59 or 22:59 in UTC
        outputs += pipeline.fold(0, [ItemUpdate(0, "tea", ACTION_CODE["purchase"], at, sold, 100, False)])
        outputs += pipeline.fold(0, [Watermark(0, midnight + LATENESS, False)])
    forecasts = [(o.timestamp, o.windows) for o in outputs if isinstance(o, DemandForecast)]
    assert [time for time, _ in forecasts] == [start_of(number + 1, berlin) for number in range(last - 60, last + 2)]
    lengths = {(w.end - w.start) // HOUR for w in forecasts[-3][1]}
    assert (forecasts[-3][1][0].start, forecasts[-3][1][0].end) == (start_of(last, berlin), start_of(last + 1, berlin))
    assert lengths == {25, 24}
    [opened] = alerts(outputs, "open")
    assert (opened.window_start, opened.window_end) == (1_792_879_200_000, 1_792_969_200_000)
    assert opened.episode == "item:tea/1792879200000/1792969200000/spike"


def closed(key, number):
    return ClosedWindow(key, number * HOUR, judged=True, last=False, regular=False, watched=1)


def no_categories(_):
    return ()


def test_a_history_ends_right_before_the_window_and_holds_zeros_for_empty_ones():
    activity = ItemActivity(sold={99: 16, 100: 1, 267: 2, 268: 4, 269: 8})
    made = queries([closed("tea", 268)], {"tea": activity}, no_categories, HOUR, {})
    units = made.tensors.units[made.rows["tea", 268 * HOUR]]
    assert units.shape == (DEMAND_HISTORY,)
    assert (units[0], units[-1], units.sum()) == (1, 2, 3)


def test_a_closing_asks_before_it_and_after_it_and_a_horizon_back():
    activity = ItemActivity(sold={300: 3, 301: 5})
    made = queries([closed("tea", 300)], {"tea": activity}, no_categories, HOUR, {})
    assert [start // HOUR for _, start in made.rows] == [300 - DEMAND_SPAN + 1, 300, 301]
    assert [units[-1] for units in made.tensors.units] == [0, 0, 3]
    assert [units.sum() for units in made.tensors.units] == [0, 0, 3]


def test_closings_of_several_items_and_windows_are_asked_with_their_own_histories():
    order = np.random.default_rng(0)
    activities = {
        item: ItemActivity(sold={int(n): int(n) for n in order.choice(np.arange(100, 310), 90, replace=False)})
        for item in ("tea", "cup", "pot")
    }
    closed_windows = [closed(item, number) for number in (300, 303) for item in activities]
    made = queries(closed_windows, activities, no_categories, HOUR, {})
    for (item, start), units in zip(made.rows, made.tensors.units, strict=True):
        before = range(start // HOUR - DEMAND_HISTORY, start // HOUR)
        assert units.tolist() == [activities[item].sold.get(number, 0) for number in before]


def test_neighbouring_closings_share_their_questions():
    closed_windows = [closed("tea", n) for n in range(300, 310)]
    made = queries(closed_windows, {"tea": ItemActivity(sold={300: 1})}, no_categories, HOUR, {})
    assert len(made.rows) == len(closed_windows) + DEMAND_SPAN
    assert queries([], {}, no_categories, HOUR, {}).tensors is None


def test_a_closing_tells_which_item_it_is_and_what_was_paid_for_it_by_then():
    activity = ItemActivity(sold={300: 3}, paid={290: [1, 500], 300: [2, 450], 301: [3, 400]})
    made = queries([closed("tea", 300)], {"tea": activity}, lambda _: ["drinks", "hot drinks"], HOUR, {})
    assert set(made.tensors.item) == {item_hash("tea")}
    assert set(made.tensors.category) == {item_hash("hot drinks")}
    np.testing.assert_allclose(made.tensors.price, [5.0, 5.0, 4.5])


def test_a_scope_is_no_item():
    made = queries([closed(scopes.SHOP, 300)], {scopes.SHOP: ItemActivity(sold={300: 3})}, no_categories, HOUR, {})
    assert not made.tensors.item.any()
    assert not made.tensors.category.any()
    assert not made.tensors.price.any()
