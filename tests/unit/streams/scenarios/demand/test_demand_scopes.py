"""Demand that a category or the shop shares is told of once, as what it is."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.items.item import Episode, ItemActivity
from feature_repo.items.scopes import SHOP, Scope, is_scope, item_key, item_of, scope_of, scopes_of, shard_of
from feature_repo.shoppers.item_updates import derive_updates
from feature_repo.shoppers.watermark import SourceWatermark
from headrace.messages.events import Event
from headrace.messages.internal import ItemUpdate, Watermark
from headrace.messages.outputs import DemandAlert, DemandForecast, ModelRef
from streams.scenarios.demand import DemandRules, StockPolicy, fallback_quantiles
from streams.scenarios.demand.alerts.anomaly import Moments, expected_counts
from streams.scenarios.demand.alerts.episodes import Evidence
from streams.scenarios.demand.alerts.shared import Sales, SharedDemand
from streams.scenarios.demand.offline import OfflineDemand
from streams.scenarios.demand.outputs import Origin, alert

HOUR = 3_600_000
RULES = DemandRules(HOUR, (0.1, 0.5, 0.9), 1e-6, StockPolicy(4 * HOUR, 0.95))
CATEGORIES = {f"{kind}-{n}": (kind,) for kind in ("tea", "cups") for n in range(10)}
SURGE = range(120, 126)


def categories_of(item_id: str) -> tuple[str, ...]:
    return CATEGORIES.get(item_id, ())


def run(rate):
    """Every item's purchases by `rate(item, hour)`, told of as the shopper pipeline tells; all messages."""
    random = np.random.default_rng(0)
    pipeline = OfflineDemand(
        lambda tensors: fallback_quantiles(tensors, 4),
        sources=1,
        rules=RULES,
        lateness_ms=0,
        categories_of=categories_of,
    )
    made = []
    for hour in range(144):
        entries: list[ItemUpdate | Watermark] = []
        for item, categories in CATEGORIES.items():
            units = random.poisson(rate(item, hour))
            keys = [item, *scopes_of(categories)] if units else []
            entries += [_delta(item, key, hour, int(units)) for key in keys]
        made += pipeline.fold(0, [*entries, Watermark(0, (hour + 1) * HOUR, False)])
    return made


def _delta(item, key, hour, units):
    shard = shard_of(item) if is_scope(key) else -1
    return ItemUpdate(0, key, ACTION_CODE["purchase"], hour * HOUR, units, -1, False, shard)


def opened(made):
    return [(m.scope, m.item_id or m.category) for m in made if isinstance(m, DemandAlert) and m.state == "open"]


def test_a_surge_of_a_category_is_one_alert_of_it_and_none_of_its_items():
    made = run(lambda item, hour: 12.0 if item.startswith("tea") and hour in SURGE else 3.0)
    found = opened(made)
    assert found.count(("category", "tea")) == 1
    assert [about for about in found if about[0] == "item"] == []
    assert ("category", "cups") not in found
    (alert,) = [m for m in made if isinstance(m, DemandAlert) and m.category == "tea" and m.state == "open"]
    assert alert.item_id is None
    assert alert.direction == "spike"
    assert alert.observed > alert.upper


def test_a_surge_of_the_shop_is_told_of_the_shop():
    found = opened(run(lambda item, hour: 9.0 if hour in SURGE else 3.0))
    assert ("shop", None) in found
    assert [about for about in found if about[0] == "item"] == []


def test_an_item_s_own_surge_is_still_its_own():
    found = opened(run(lambda item, hour: 40.0 if item == "tea-3" and hour in SURGE else 3.0))
    assert found == [("item", "tea-3")]


def test_forecasts_are_of_items_alone():
    made = run(lambda item, hour: 3.0)
    assert {m.item_id for m in made if isinstance(m, DemandForecast)} == CATEGORIES.keys()


def test_units_of_a_scope_are_those_of_its_items():
    event = msgspec.convert(
        {"event_id": "e", "type": "purchase", "user_id": "u", "timestamp": HOUR, "item_id": "tea-1", "quantity": 3},
        Event,
    )
    derived = derive_updates(SourceWatermark(), event, 7, HOUR, HOUR, 0, categories_of)
    updates = [entry for entry in derived if isinstance(entry, ItemUpdate)]
    assert [(d.item_id, d.quantity, d.offset) for d in updates] == [
        ("tea-1", 3, 7),
        (SHOP, 3, 7),
        (scopes_of(["tea"])[1], 3, 7),
    ]
    viewed = msgspec.structs.replace(event, type="view")
    derived = derive_updates(SourceWatermark(), viewed, 8, HOUR, HOUR, 0, categories_of)
    assert len([entry for entry in derived if isinstance(entry, ItemUpdate)]) == 1


def test_an_item_of_very_many_categories_counts_for_the_first_of_them():
    many = [f"c{n}" for n in range(60_000)]
    assert scopes_of([*many, *many]) == scopes_of(many[:32])
    assert scopes_of(["x" * 257, "tea"]) == scopes_of(["tea"])


def test_a_key_says_what_it_is_of():
    keys = scopes_of(["a/b", "tea", "tea"])
    assert [scope_of(key) for key in keys] == [Scope("shop", None), Scope("category", "a/b"), Scope("category", "tea")]
    assert all(map(is_scope, keys))
    assert scope_of("tea-1") == Scope("item", "tea-1")
    assert not is_scope("\x1fodd id of an item")


@pytest.mark.parametrize("item_id", [SHOP, *scopes_of(["tea", ""]), "\x1f", "\x1f" + SHOP, "\x1f\x1f", "tea", ""])
def test_no_id_of_an_item_is_a_key_of_a_scope(item_id):
    key = item_key(item_id)
    assert not is_scope(key)
    assert item_of(key) == item_id
    assert scope_of(key) == Scope("item", item_id)
    assert key not in {SHOP, *scopes_of(["tea", ""])}


@given(st.text("\x1fshopcategory/:", min_size=1, max_size=8), st.text("\x1fshopcategory/:", min_size=1, max_size=8))
def test_no_two_items_have_one_key(one, other):
    assert (item_key(one) == item_key(other)) == (one == other)


@pytest.mark.parametrize("odd", ["shop:", "category:tea", "item:shop:", "shop", "item:", "shop:/1/spike"])
def test_an_alert_of_an_item_has_no_id_of_a_scopes_alert(odd):
    keys = [item_key(odd), SHOP, *scopes_of(["tea", ""])[1:], item_key("item:" + odd), item_key("tea")]
    assert len({episode_of(key) for key in keys}) == len(keys)


def episode_of(key: str) -> str:
    evidence = Evidence(1, 1, Moments(1.0, 1.0), 1e-9, True)
    origin = Origin(ModelRef("m", "1"), None, HOUR, ("0.5",), HOUR)
    return alert(key, 1, Episode(1, 1, True), "open", evidence, ItemActivity(), origin).id


def test_what_others_do_scales_an_item_s_forecast_and_what_it_does_itself_does_not():
    expected = expected_counts(5.0)
    surging = [Sales(item, 15, expected) for item in CATEGORIES if item.startswith("tea")]
    shared = SharedDemand(surging, categories_of)
    assert shared.scaled("tea-1", expected).mean == pytest.approx(15, rel=0.05)
    assert shared.scaled("new", expected).mean == pytest.approx(15, rel=0.05)  # the shop's items all surge
    alone = [Sales(item, 150 if item == "tea-1" else 5, expected) for item in CATEGORIES]
    assert SharedDemand(alone, categories_of).scaled("tea-1", expected) == expected


def test_few_items_are_no_group():
    expected = expected_counts(5.0)
    assert (
        SharedDemand([Sales(f"tea-{n}", 50, expected) for n in range(4)], categories_of).scaled("tea-0", expected)
        == expected
    )
