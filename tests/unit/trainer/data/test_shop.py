"""A recorded stream is read as the worker reads it."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_shop import START, event, item, write

from feature_repo.basics.identity import item_hash
from headrace.errors import ModelError, UsageError
from trainer.data.shop import Shop, read_shop


def views(user: str, names: list[str]) -> list[dict[str, object]]:
    return [event("view", user, START + 1000 * n, item_id=name) for n, name in enumerate(names)]


def read(tmp_path: Path, records: list[dict[str, object]]) -> Shop:
    return read_shop(write(tmp_path / "stream.jsonl", records), lambda _: None)


def names_of(shop: Shop, shopper: int) -> list[str]:
    events = slice(*shop.sequences.start[shopper : shopper + 2])
    return [shop.item_ids[row] for row in shop.sequences.item[events]]


def test_a_sequence_is_whole_although_a_row_remembers_fifty_events(tmp_path: Path):
    wanted = [f"item-{n}" for n in range(120)]
    assert names_of(read(tmp_path, views("a", wanted)), 0) == wanted


def test_a_repeated_event_id_counts_once(tmp_path: Path):
    records = views("a", [f"item-{n}" for n in range(30)])
    assert len(read(tmp_path, [*records, records[-1]]).sequences.item) == 30


def test_a_late_event_stands_where_its_time_puts_it(tmp_path: Path):
    records = views("a", [f"item-{n}" for n in range(30)])
    late = event("view", "a", START + 1500, item_id="late")
    path = tmp_path / "stream.jsonl"
    write(path, records)
    with path.open("a") as file:
        file.write(json.dumps({**late, "timestamp": START + 99_000}) + "\n")
    assert names_of(read_shop(path, lambda _: None), 0)[:4] == ["item-0", "item-1", "late", "item-2"]


def test_records_that_break_the_contract_are_left_out_and_counted(tmp_path: Path):
    bad = {"topic": "events", "key": "a", "timestamp": START, "value": {"type": "view", "user_id": "a"}}
    shop = read(tmp_path, [*views("a", [f"item-{n}" for n in range(30)]), bad])
    assert (shop.events, shop.refused) == (30, 1)


def test_items_are_ordered_by_hash_and_carry_the_newest_text(tmp_path: Path):
    catalogue = [item("item-1", "old"), item("item-1", "new"), item("never seen", "cold")]
    shop = read(tmp_path, [*catalogue, *views("a", [f"item-{n}" for n in range(30)])])
    assert (np.diff(shop.item_hash) > 0).all()
    assert shop.texts[shop.item_ids.index("item-1")] == "new"
    assert item_hash("never seen") in shop.item_hash


def test_a_stream_of_next_to_nothing_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="longer stream"):
        read(tmp_path, views("a", ["one"]))


def test_a_missing_stream_is_wrong_usage(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot read"):
        read_shop(tmp_path / "nowhere.jsonl", lambda _: None)
