"""Feast reads what workers write, typed, with a stock client; it writes only what no worker owns."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from feast import FeatureStore, RepoConfig

from feature_repo.items import catalogue, cold_windows, item
from feature_repo.offline.fold import fold_stream
from feature_repo.offline.point_in_time import write_point_in_time
from feature_repo.registry import repo
from feature_repo.registry.sources import parquet_path
from feature_repo.shoppers import shopper
from feature_repo.store.row_store import Kind, RowWrite
from headrace.errors import FencedOut
from headrace.recording.reading import Record

HOUR = 3_600_000
START = 1_700_000_000_000
NOW = START + 1_000 * HOUR


def event(event_id: str, at: int, kind: str, user_id: str, item_id: str, **fields: object) -> Record:
    value = {"event_id": event_id, "type": kind, "user_id": user_id, "timestamp": at, "item_id": item_id, **fields}
    return Record("events", user_id, at, json.dumps(value).encode())


def described(item_id: str, **fields: object) -> Record:
    value = {"item_id": item_id, "title": f"Title {item_id}", **fields}
    return Record("items", item_id, START, json.dumps(value).encode())


STREAM = [
    described("lamp", price=20, categories=["light"], brand="Lux"),
    described("desk", price=100),
    event("e1", START + 1 * HOUR, "view", "ada", "lamp", price=20),
    event("e2", START + 2 * HOUR, "purchase", "ada", "lamp", price=20, quantity=2),
    event("e3", START + 3 * HOUR, "view", "bob", "desk"),
]


@pytest.fixture
def settings(make_settings):
    settings = make_settings()
    repo.apply(settings)
    return settings


@pytest.fixture
def stock(settings) -> FeatureStore:
    """A client as anyone would set it up: Feast's own store, no code of ours but the registry."""
    ours = repo.repo_config(settings)
    return FeatureStore(
        config=RepoConfig(
            project=settings.group,
            provider="local",
            registry=str(settings.home / "feast" / "registry.db"),
            online_store={"type": "redis", "connection_string": settings.redis_address},
            entity_key_serialization_version=ours.entity_key_serialization_version,
        )
    )


@pytest.fixture
async def rows(store, settings):
    """The stream's rows, written as a worker writes them."""
    rows = fold_stream(STREAM, settings, NOW)
    users = [RowWrite(Kind.USER, k, b"", b"f", b"", (state, None), START) for k, state in rows.shopper.items()]
    items = [
        RowWrite(Kind.ITEM, k, b"", b"f", b"", (state, rows.item_activity[k], None), START)
        for k, state in rows.item_catalogue.items()
    ]
    await store.write([*users, *items])
    return rows


async def test_a_stock_client_reads_every_row_equal(stock, rows):
    users = [{"user_id": key} for key in rows.shopper]
    found = stock.get_online_features(["shopper:shopper_state"], users).to_dict()
    assert dict(zip(found["user_id"], found["shopper_state"], strict=True)) == rows.shopper
    items = [{"item_id": key} for key in rows.item_catalogue]
    views = ["item_catalogue:catalogue_state", "item_activity:activity_state"]
    found = stock.get_online_features(views, items).to_dict()
    assert dict(zip(found["item_id"], found["catalogue_state"], strict=True)) == rows.item_catalogue
    assert dict(zip(found["item_id"], found["activity_state"], strict=True)) == rows.item_activity


async def test_a_stock_client_gets_typed_columns(stock, rows):
    found = stock.get_online_features(
        stock.get_feature_service("ctr"),
        [{"user_id": "ada", "item_id": "desk"}, {"user_id": "nobody", "item_id": "nothing"}],
    ).to_dict()
    assert found["recent_items"] == [["lamp", "lamp"], []]
    assert found["recent_actions"] == [["view", "purchase"], []]
    assert found["purchase_count"] == [1, 0]
    assert found["mean_price"] == [20.0, 0.0]
    assert found["title"] == ["Title desk", ""]
    assert found["price"][0] == 100.0
    assert found["available"] == [True, False]


async def test_every_service_can_be_read_in_one_request(stock, rows):
    for name in ("recommend", "ctr", "demand"):
        found = stock.get_online_features(stock.get_feature_service(name), [{"user_id": "ada", "item_id": "lamp"}])
        assert len(found.to_dict()) > 2
    demand = stock.get_online_features(stock.get_feature_service("demand"), [{"item_id": "lamp"}]).to_dict()
    assert demand["units_sold"] == [2]
    assert demand["revenue"] == [40.0]


async def test_windows_that_a_worker_set_aside_are_columns_like_the_others(stock, store):
    state = item.ItemActivity(windows={n: item.WindowCounts(views=n) for n in range(1, 21)})
    cold = cold_windows.split_cold(state, b"")
    await store.write([RowWrite(Kind.ITEM, "tea", b"", b"f", b"", (None, item.pack(state), cold), START)])
    found = stock.get_online_features(stock.get_feature_service("demand"), [{"item_id": "tea"}]).to_dict()
    assert found["window_views"] == [list(range(1, 21))]


async def test_feast_tells_the_event_time_of_a_row(stock, rows):
    response = stock.get_online_features(["shopper:shopper_state"], [{"user_id": "ada"}]).proto
    assert response.results[-1].event_timestamps[0].ToMilliseconds() == START


def frame(user_id: str, state: bytes, at_ms: int) -> pd.DataFrame:
    at = datetime.fromtimestamp(at_ms / 1_000, UTC)
    return pd.DataFrame({"user_id": [user_id], "shopper_state": [state], "event_timestamp": [at], "created": [at]})


async def test_feast_fills_rows_that_no_worker_owns_late_or_not(settings, store):
    feast = repo.feature_store(settings)
    newer, older = (shopper.pack(shopper.ShopperState(last_query=q)) for q in ("newer", "older"))
    feast.write_to_online_store("shopper", frame("eve", newer, START + HOUR))
    feast.write_to_online_store("shopper", frame("eve", older, START))
    assert (await store.read(Kind.USER, ["eve"]))[0] == (b"", b"", (older, b""))


async def test_feast_may_not_write_a_row_that_a_worker_owns(settings, store, rows):
    with pytest.raises(FencedOut, match="'ada'"):
        repo.feature_store(settings).write_to_online_store("shopper", frame("ada", b"", NOW))
    assert (await store.read(Kind.USER, ["ada"]))[0].states == (rows.shopper["ada"], b"")


async def test_registering_twice_is_registering_once(settings):
    repo.apply(settings)
    feast = repo.feature_store(settings)
    assert {view.name for view in feast.list_feature_views()} == {
        "shopper",
        "scenario_views",
        "item_catalogue",
        "item_activity",
        "item_windows",
    }
    assert {service.name for service in feast.list_feature_services()} == {"recommend", "ctr", "demand"}


def entities(**columns: list[object]) -> pd.DataFrame:
    times = [datetime.fromtimestamp(at / 1_000, UTC) for at in columns.pop("at")]
    return pd.DataFrame({**columns, "event_timestamp": times})


def test_historical_features_are_those_of_the_moment(settings):
    write_point_in_time(STREAM, settings, NOW)
    feast = repo.feature_store(settings)
    moments = [START + HOUR, START + 2 * HOUR - 1, START + 2 * HOUR]
    found = (
        feast.get_historical_features(entities(user_id=["ada"] * 3, at=moments), ["shopper:shopper_state"])
        .to_df()
        .sort_values("event_timestamp")
    )
    assert [sum(shopper.unpack(s).counts) for s in found["shopper_state"]] == [1, 1, 2]


def test_the_last_historical_state_is_the_online_state(settings):
    written = write_point_in_time(STREAM, settings, NOW)
    assert written == {"shopper": 3, "item_catalogue": 2, "item_activity": 3, "item_windows": 0, "scenario_views": 0}
    rows = fold_stream(STREAM, settings, NOW)
    found = (
        repo.feature_store(settings)
        .get_historical_features(
            entities(user_id=["ada", "bob"], item_id=["lamp", "desk"], at=[NOW, NOW]),
            ["shopper:shopper_state", "item_catalogue:catalogue_state", "item_activity:activity_state"],
        )
        .to_df()
        .set_index("user_id")
    )
    assert found["shopper_state"].to_dict() == rows.shopper
    assert catalogue.unpack(found["catalogue_state"]["ada"]).title == "Title lamp"
    assert item.unpack(found["activity_state"]["ada"]).units == 2


def test_of_events_at_one_moment_the_last_folded_is_the_historical_state(settings):
    at_once = [event(f"x{n}", START + 5 * HOUR, "view", "ada", "lamp") for n in range(20)]
    write_point_in_time([*STREAM, *at_once], settings, NOW)
    created = pd.read_parquet(parquet_path(settings.home, "shopper"))["created"]
    assert created.is_monotonic_increasing
    assert created.is_unique


def test_a_late_event_does_not_tell_the_past(settings):
    late = event("e4", START, "view", "ada", "desk")
    write_point_in_time([*STREAM, late], settings, NOW)
    feast = repo.feature_store(settings)
    before = entities(user_id=["ada"], at=[START + 2 * HOUR - 1])
    found = feast.get_historical_features(before, ["shopper:shopper_state"]).to_df()
    assert sum(shopper.unpack(found["shopper_state"][0]).counts) == 1
    after = entities(user_id=["ada"], at=[START + int(timedelta(hours=2) / timedelta(milliseconds=1))])
    found = feast.get_historical_features(after, ["shopper:shopper_state"]).to_df()
    assert sum(shopper.unpack(found["shopper_state"][0]).counts) == 3
