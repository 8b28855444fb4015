"""What is popular now: counted in memory, told to the store now and then, nothing of it twice."""

import pytest

from feature_repo.basics.actions import ACTION_CODE
from headrace.errors import StoreError
from headrace.messages.internal import ItemUpdate
from streams.serving.catalogue.trending import Trending


class Store:
    def __init__(self) -> None:
        self.announced_sources: list[dict[str, int]] = []
        self.away = False

    async def add_trending(self, bucket: int, counts: dict[str, int]) -> None:
        if self.away:
            raise StoreError("away")
        self.announced_sources.append(counts)

    async def trending(self, now_bucket: int, buckets: int, top: int) -> list[tuple[str, int]]:
        return []


def viewed(item_id: str) -> ItemUpdate:
    return ItemUpdate(0, item_id, ACTION_CODE["view"], 1, 1, -1, False)


async def test_what_was_counted_is_told_once():
    store = Store()
    trending = Trending(store, on=True)  # type: ignore[arg-type]
    trending.add([viewed("a"), viewed("a"), viewed("b")])
    await trending.refresh()
    trending._due = 0.0
    await trending.refresh()
    assert store.announced_sources == [{"a": 2, "b": 1}, {}]


async def test_what_the_store_did_not_take_is_told_later():
    store = Store()
    trending = Trending(store, on=True)  # type: ignore[arg-type]
    trending.add([viewed("a")])
    store.away = True
    with pytest.raises(StoreError):
        await trending.refresh()
    store.away = False
    trending.add([viewed("a")])
    trending._due = 0.0
    await trending.refresh()
    assert store.announced_sources == [{"a": 2}]


async def test_off_counts_nothing():
    store = Store()
    trending = Trending(store, on=False)  # type: ignore[arg-type]
    trending.add([viewed("a")])
    await trending.refresh()
    assert store.announced_sources == []


async def test_what_no_catalogue_has_is_not_counted():
    store = Store()
    trending = Trending(store, on=True, counts=lambda item_id: item_id == "a")  # type: ignore[arg-type]
    trending.add([viewed("a"), viewed("bot-1"), viewed("bot-2")])
    await trending.refresh()
    assert store.announced_sources == [{"a": 1}]


async def test_items_without_end_wait_in_no_longer_a_queue_than_some():
    store = Store()
    trending = Trending(store, on=True)  # type: ignore[arg-type]
    for round in range(20):
        trending.add([viewed("busy")] * 3)
        trending.add([viewed(f"{round}-{n}") for n in range(5_000)])
        trending._due = 0.0
        await trending.refresh()
        assert len(trending._counted) <= 20_000
    assert sum(counts.get("busy", 0) for counts in store.announced_sources) == 60
