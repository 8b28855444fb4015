"""A recording folded offline follows the rules of the online pipeline."""

import json

from feature_repo.items import catalogue, item
from feature_repo.offline.fold import StreamFold, fold_stream
from feature_repo.shoppers import shopper
from feature_repo.store.dump import write_lines
from headrace.recording.reading import Record
from headrace.settings.model import Settings

HOUR = 3_600_000
NOW = 1_000 * HOUR
SETTINGS = Settings(partitions=2, past=0)


def event(event_id: str, at: int, kind: str = "view", user_id: str = "u", **fields: object) -> Record:
    value = {"event_id": event_id, "type": kind, "user_id": user_id, "timestamp": at, "item_id": "a", **fields}
    return Record("events", user_id, at, json.dumps(value).encode())


def described(item_id: str, **fields: object) -> Record:
    value = {"item_id": item_id, "title": item_id.upper(), **fields}
    return Record("items", item_id, HOUR, json.dumps(value).encode())


def counts(rows, item_id: str = "a") -> item.ItemActivity:
    return item.unpack(rows.item_activity[item_id])


def test_events_fold_into_shopper_and_item():
    rows = fold_stream([event("e1", HOUR), event("e2", HOUR + 1, "purchase", quantity=3)], SETTINGS, NOW)
    assert len(shopper.unpack(rows.shopper["u"]).recent) == 2
    assert counts(rows).units == 3


def test_a_repeated_event_folds_once():
    once = fold_stream([event("e1", HOUR)], SETTINGS, NOW)
    assert fold_stream([event("e1", HOUR), event("e1", HOUR)], SETTINGS, NOW) == once


def test_a_repeat_after_more_than_256_other_events_is_a_new_event():
    others = [event(f"o{n}", HOUR + n) for n in range(256)]
    rows = fold_stream([event("e1", HOUR), *others, event("e1", HOUR)], SETTINGS, NOW)
    assert sum(shopper.unpack(rows.shopper["u"]).counts) == 258


def test_what_breaks_the_contract_leaves_no_trace():
    good = [event("e1", HOUR)]
    bad = [Record("events", "u", HOUR, b"{"), Record("events", "u", HOUR, None), event("e2", NOW + 2 * HOUR)]
    fold = StreamFold(SETTINGS, NOW)
    for record in [*bad, *good]:
        fold.fold(record)
    assert fold.rejected == 3
    assert fold.rows() == fold_stream(good, SETTINGS, NOW)


def test_of_an_item_the_newest_record_counts():
    rows = fold_stream([described("a", price=1), described("a", price=2), described("b")], SETTINGS, NOW)
    assert catalogue.unpack(rows.item_catalogue["a"]).price_cents == 200
    rows = fold_stream([described("a"), Record("items", "a", HOUR, None)], SETTINGS, NOW)
    assert catalogue.unpack(rows.item_catalogue["a"]) == catalogue.withdrawn()


def test_what_comes_after_its_sources_watermark_counts_as_late():
    window = SETTINGS.window
    stream = [
        event("e1", 10 * window, user_id="u1"),
        event("e2", 10 * window, user_id="u2"),
        event("e3", 10 * window, user_id="u3"),
        event("e4", window, "purchase", user_id="u1", quantity=2),
    ]
    rows = fold_stream(stream, Settings(partitions=1, past=0), NOW)
    assert counts(rows).late == 2
    # A clock that runs ahead alone makes nobody late.
    alone = [event("e1", 10 * window, user_id="u1"), event("e2", window, "purchase", user_id="u2")]
    assert counts(fold_stream(alone, Settings(partitions=1, past=0), NOW)).late == 0


def test_an_item_shown_twice_in_one_impression_counts_once():
    shown = event("e1", HOUR, "impression", item_id=None, items=["a", "b", "a"])
    rows = fold_stream([shown], SETTINGS, NOW)
    assert sum(counts(rows, "a").counts) == sum(counts(rows, "b").counts) == 1


def test_dumps_of_equal_streams_are_equal_and_sorted(tmp_path):
    stream = [
        described("b"),
        described("a"),
        event("e1", HOUR, user_id="v"),
        event("e2", HOUR, user_id="u", channel="x"),
    ]
    for name in ("one", "two"):
        write_lines(tmp_path / name, fold_stream(stream, SETTINGS, NOW).lines())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "one").open()]
    places = [(line["view"], line["key"]) for line in lines]
    assert places == sorted(places)
    assert [list(line) for line in lines] == [["view", "key", "features"]] * len(lines)


def test_a_dump_holds_nothing_that_a_model_derived(tmp_path):
    rows = fold_stream([described("a"), event("e1", HOUR)], SETTINGS, NOW)
    entry = catalogue.unpack(rows.item_catalogue["a"])
    entry.text_vector, entry.encoder_version = b"\x01\x02\x03\x04", "7"
    activity = counts(rows)
    activity.evaluated, activity.episode = 5, item.Episode(4, 4, spike=True)
    with_model = rows._replace(item_catalogue={"a": catalogue.pack(entry)}, item_activity={"a": item.pack(activity)})
    assert list(with_model.lines()) == list(rows.lines())
