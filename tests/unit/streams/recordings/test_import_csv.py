"""A shop's own exports become a recorded stream that validates; every line that does not is counted by its reason."""

import csv
import gzip
import json
import lzma
import sys
from pathlib import Path

import msgspec
import pytest
import zstandard

from headrace.errors import UsageError
from headrace.recording.reading import read_recording
from headrace.settings.model import Settings
from headrace_cli import main
from streams.recordings.importing.csv_import import Export, ImportedCsv, import_csv
from streams.recordings.importing.csv_map import read_map
from streams.recordings.simulation.simulate import Plan, simulate
from streams.recordings.validation.validate import validate_recording

NOW = 1_800_000_000_000
BASE = ("user_id=who", "timestamp=at", "item_id=sku")
VIEWS = (*BASE, "type=did")


def run(
    tmp_path: Path,
    text: str | bytes,
    words: tuple[str, ...] = VIEWS,
    name: str = "export.csv",
    constants: tuple[str, ...] = (),
    types: tuple[str, ...] = (),
    **period: int,
) -> tuple[ImportedCsv, list[dict], list[dict]]:
    """What the import says, its items and its events."""
    source, out = tmp_path / name, tmp_path / "out.jsonl"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = import_csv([Export(source, read_map(words, constants, types))], out, Settings(), **period)
    records = list(read_recording(out))
    items = [json.loads(record.value or b"") for record in records if record.topic == "items"]
    events = [json.loads(record.value or b"") for record in records if record.topic == "events"]
    assert [record.topic for record in records] == ["items"] * len(items) + ["events"] * len(events)
    assert done.lines == done.events + sum(done.dropped.values())
    assert done.dropped.keys() == done.examples.keys()
    return done, items, events


def table(*rows: str) -> str:
    return "\n".join(("who,at,sku,did", *rows)) + "\n"


def good(count: int) -> list[str]:
    """Enough rows that a few others are no reason to think of another file."""
    return [f"ann,{1_700_000_000 + number},mug,view" for number in range(count)]


def test_every_line_that_is_dropped_is_counted_by_its_reason(tmp_path: Path):
    text = table(
        *good(20),
        "ann,yesterday,mug,view",
        ",1700000000,mug,view",
        "ann,1700000000,,view",
        "ann,1700000000,mug,stare",
        "ann,1700000000,mug,newsletter",
        "ann,4000000000,mug,view",
        "ann,1500000000,mug,view",
        "ann,,mug,view",
        "ann,1700000000,mug",
        f"{'x' * 129},1700000000,mug,view",
    )
    done, _, _ = run(tmp_path, text, types=("newsletter=skip",), since_ms=1_600_000_000_000)
    assert (done.lines, done.events) == (30, 20)
    assert done.dropped == {
        "missing_field": 3,
        "unreadable_time": 1,
        "unknown_type": 1,
        "skipped": 1,
        "timestamp_in_future": 1,
        "outside_period": 1,
        "wrong_width": 1,
        "out_of_range": 1,
    }
    assert done.examples["unreadable_time"] == f"{tmp_path}/export.csv, line 22: time 'yesterday' is not auto"
    assert "line 23" in done.examples["missing_field"]


def test_orders_become_purchases_and_returns_and_their_items(tmp_path: Path):
    text = (
        "order;who;at;sku;name;group;pieces;total\n"
        "7;ann;02.11.2025 09:20;mug;Blue mug;Kitchen/Mugs;2;19,00\n"
        "7;ann;02.11.2025 09:20;tray;Oak tray;Kitchen;1;1.024,00\n"
        "8;;02.07.2025 11:02;mug;Blue mug ;Kitchen/Mugs;1;9,80\n"
        "9;ann;04.11.2025 10:00;mug;;;-1;-9,50\n"
    )
    map_ = tmp_path / "map.toml"
    map_.write_text("""
        [columns]
        event_id = "order"
        session_id = "order"
        user_id = "who"
        guest = "order"
        timestamp = "at"
        item_id = "sku"
        title = "name"
        categories = "group"
        quantity = "pieces"
        total = "total"
        [constants]
        type = "purchase"
        channel = "shop"
        [time]
        format = "%d.%m.%Y %H:%M"
        timezone = "Europe/Berlin"
        [file]
        decimal = ","
        separator = "/"
    """)
    done, items, events = run(tmp_path, text, (str(map_),))
    assert (done.lines, done.events, done.users, done.items, done.dropped) == (4, 4, 2, 2, {})
    assert [(e["event_id"], e["type"], e["user_id"], e.get("quantity", 1), e["price"]) for e in events] == [
        ("8", "purchase", "guest:8", 1, 9.8),
        ("7", "purchase", "ann", 2, 9.5),
        ("7-2", "purchase", "ann", 1, 1024.0),
        ("9", "return", "ann", 1, 9.5),
    ]
    assert {e["channel"] for e in events} == {"shop"}
    assert [e["session_id"] for e in events] == ["8", "7", "7", "9"]
    # Summer time in July, winter time in November.
    assert [e["timestamp"] for e in events[:2]] == [1_751_446_920_000, 1_762_071_600_000]
    by_id = {item["item_id"]: item for item in items}
    assert by_id["mug"]["title"] == "Blue mug" and by_id["mug"]["categories"] == ["Kitchen", "Mugs"]
    assert (by_id["mug"]["price"], by_id["tray"]["price"]) == (9.5, 1024.0)


@pytest.mark.parametrize(
    ("written", "form", "zone", "ms"),
    [
        ("1700000000", "auto", "Europe/Berlin", 1_700_000_000_000),
        ("1700000000123", "auto", "UTC", 1_700_000_000_123),
        ("1700000000.5", "auto", "UTC", 1_700_000_000_500),
        ("2023-11-14T22:13:20Z", "auto", "Europe/Berlin", 1_700_000_000_000),
        ("2023-11-14 23:13:20", "auto", "Europe/Berlin", 1_700_000_000_000),
        ("2023-11-14T22:13:20+00:00", "iso", "Europe/Berlin", 1_700_000_000_000),
        ("1700000000", "s", "UTC", 1_700_000_000_000),
        ("1700000000000", "ms", "UTC", 1_700_000_000_000),
        ("14/11/23 22.13.20", "%d/%m/%y %H.%M.%S", "UTC", 1_700_000_000_000),
        ("20231114", "auto", "UTC", 1_699_920_000_000),
        ("nan", "s", "UTC", None),
        ("14/11/2023", "auto", "UTC", None),
    ],
)
def test_times(tmp_path: Path, written: str, form: str, zone: str, ms: int | None):
    map_ = tmp_path / "map.toml"
    map_.write_text(f'[time]\nformat = "{form}"\ntimezone = "{zone}"\n[constants]\ntype = "view"\n')
    if ms is None:
        with pytest.raises(UsageError, match=r"gives no event: 1 of 1 lines are dropped, the first as unreadable_time"):
            run(tmp_path, f"who,at,sku\nann,{written},mug\n", (str(map_), *BASE))
    else:
        _, _, [event] = run(tmp_path, f"who,at,sku\nann,{written},mug\n", (str(map_), *BASE))
        assert event["timestamp"] == ms


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("export.csv.gz", gzip.compress),
        ("export.csv.xz", lzma.compress),
        ("export.tsv.zst", zstandard.ZstdCompressor().compress),
    ],
)
def test_files_may_be_compressed_and_delimited_otherwise(tmp_path: Path, name: str, pack):
    text = table(*good(2)).replace(",", "\t")
    done, _, _ = run(tmp_path, pack(text.encode()), name=name)
    assert done.events == 2


def test_an_encoding_is_named_or_asked_for(tmp_path: Path):
    text = "who,at,sku,did,name\nann,1700000000,mug,view,Kännchen\n".encode("cp1252")
    with pytest.raises(UsageError, match=r"is no utf-8: name its encoding, such as cp1252"):
        run(tmp_path, text, (*VIEWS, "title=name"))
    map_ = tmp_path / "map.toml"
    for encoding in ("cp1252", "utf-16", "utf-8"):
        map_.write_text(f'[file]\nencoding = "{encoding}"\n')
        mark = b"\xef\xbb\xbf" if encoding == "utf-8" else b""
        _, [item], _ = run(tmp_path, mark + text.decode("cp1252").encode(encoding), (str(map_), *VIEWS, "title=name"))
        assert item["title"] == "Kännchen"


def test_their_words_for_types(tmp_path: Path):
    rows = [
        f"ann,{1_700_000_000 + n},mug,{did}" for n, did in enumerate(("Add to Cart", "PURCHASE", "Ordered", "view"))
    ]
    _, _, events = run(tmp_path, table(*rows), types=("ordered=purchase",))
    assert [event["type"] for event in events] == ["add_to_cart", "purchase", "purchase", "view"]


def test_ids_are_of_the_file_and_line_or_made_unique(tmp_path: Path):
    rows = ["ann,1700000000,mug,view", "ann,1700000001,mug,view", "ann,1700000001,mug,view"]
    _, _, events = run(tmp_path, table(*rows))
    assert [event["event_id"] for event in events] == ["export-2", "export-3", "export-4"]
    done, _, events = run(tmp_path, table(*rows), (*VIEWS, "event_id=who"))
    assert [event["event_id"] for event in events] == ["ann", "ann-2"]
    assert done.dropped == {"duplicate": 1}


def test_several_exports_become_one_stream(tmp_path: Path):
    orders, clicks = tmp_path / "orders.csv", tmp_path / "clicks.csv"
    orders.write_text("who,at,sku\nann,1700000100,mug\n")
    clicks.write_text("visitor,time,page\nann,1700000000,mug\nann,1700000050,tray\n")
    maps = [
        read_map([*BASE], ["type=purchase"]),
        read_map(["user_id=visitor,timestamp=time,item_id=page"], ["type=view"]),
    ]
    done = import_csv(
        [Export(path, map_) for path, map_ in zip((orders, clicks), maps, strict=True)],
        tmp_path / "o.jsonl",
        Settings(),
    )
    types = [json.loads(r.value or b"")["type"] for r in read_recording(tmp_path / "o.jsonl") if r.topic == "events"]
    assert (done.events, types) == (3, ["view", "view", "purchase"])


@pytest.mark.parametrize(
    ("words", "constants", "types", "line"),
    [
        (
            ("user_id=who", "timestamp=at"),
            (),
            (),
            "the map has no type: say which column it is, as in --map type=COLUMN",
        ),
        (("timestamp=at", "type=did"), (), (), "the map has no user_id"),
        ((*VIEWS, "colour=red"), (), (), "the map names colour: no field; there are "),
        (VIEWS, (), ("order=buy",), "the map names buy: no event type; there are "),
        ((*VIEWS, "price=a", "total=b"), (), (), "the map has a price, which is of one piece, and a total"),
        ((*VIEWS, "title="), (), (), "--map 'title=' is no pair such as user_id=customer"),
        ((*VIEWS, "title=name"), (), (), "has no column name: its first line has who, at, sku, did"),
        (("nowhere.toml",), (), (), "cannot read nowhere.toml"),
    ],
)
def test_a_map_that_does_not_fit_is_one_line(
    tmp_path: Path, words: tuple[str, ...], constants: tuple[str, ...], types: tuple[str, ...], line: str
):
    with pytest.raises(UsageError) as refused:
        run(tmp_path, table(*good(1)), words, constants=constants, types=types)
    assert line in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[columns", "is no TOML"),
        ("[column]\nuser_id = 'who'", "unknown field `column`"),
        ("[time]\nformat = 'DD.MM'", "time format 'DD.MM' is none of auto, iso, s, ms"),
        ("[time]\ntimezone = 'Berlin'", "timezone 'Berlin' is no place"),
        ("[file]\nencoding = 'utf-9'", "encoding 'utf-9' is none that Python knows"),
        ("[file]\ndelimiter = '::'", "delimiter '::' is more than one character"),
        ("[file]\ndecimal = ';'", "Invalid enum value ';'"),
    ],
)
def test_a_map_file_that_is_wrong_is_one_line(tmp_path: Path, toml: str, message: str):
    map_ = tmp_path / "map.toml"
    map_.write_text(toml)
    with pytest.raises(UsageError) as refused:
        run(tmp_path, table(*good(1)), (str(map_), *VIEWS))
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    rows = [*good(8), "ann,soon,mug,view"]
    with pytest.raises(UsageError, match=r"1 of 9 lines are dropped, the first as unreadable_time: .*line 10"):
        run(tmp_path, table(*rows))
    assert not (tmp_path / "out.jsonl").exists()


def test_a_number_that_is_none_is_counted(tmp_path: Path):
    text = "who,at,sku,did,n\n" + "".join(f"ann,{1_700_000_000 + i},mug,purchase,1\n" for i in range(20))
    done, _, _ = run(tmp_path, text + "ann,1700000000,mug,purchase,two\n", (*VIEWS, "quantity=n"))
    assert done.dropped == {"unreadable_number": 1}
    assert "quantity 'two' is no number" in done.examples["unreadable_number"]


def test_the_example_is_imported_as_its_map_says_and_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def headrace(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["headrace", *words])
        try:
            main()
        except SystemExit as left:
            return int(left.code or 0)
        return 0

    folder = tmp_path / "mine"
    assert headrace("init", str(folder)) == 0
    command = capsys.readouterr().out.split()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.keys() == {"shop.csv", "shop.toml"}
    # What it prints is the command to type.
    assert command[0] == "headrace" and headrace(*command[1:], "--json") == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (done["lines"], done["events"], done["dropped"], done["items"]) == (8, 7, {"skipped": 1}, 4)
    assert headrace("init", str(folder)) == 2
    (folder / "shop.csv").unlink()
    assert headrace("init", str(folder)) == 2
    assert capsys.readouterr().err.count("is there already and stays") == 2
    assert (folder / "shop.toml").read_bytes() == before["shop.toml"] and not (folder / "shop.csv").exists()


def test_a_whole_shop_comes_through_as_it_was(tmp_path: Path):
    """The simulated shop, written as an export and imported again: the same events, and it validates."""
    recording, export, out = tmp_path / "shop.jsonl", tmp_path / "all.csv", tmp_path / "again.jsonl"
    simulate(Plan(users=60, items=40, days=4, seed=3), recording)
    columns = ("event_id", "type", "user_id", "timestamp", "item_id", "items", "request_id", "session_id", "channel")
    columns += ("quantity", "price", "query", "user_ids", "rating", "text")
    named = (*columns, "title", "categories")
    titles = values(recording, "items")
    wanted = values(recording, "events")
    with export.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(named)
        for value in wanted.values():
            item = titles.get(value.get("item_id", ""), {})
            cells = {**value, "title": item.get("title", ""), "categories": item.get("categories", [])}
            texts = [cells.get(name, "") for name in named]
            rows.writerow(["|".join(text) if isinstance(text, list) else text for text in texts])
    done = import_csv([Export(export, read_map([f"{name}={name}" for name in named]))], out, Settings())
    assert (done.dropped, done.events) == ({}, len(wanted))
    found, items = values(out, "events"), values(out, "items")
    for event_id, value in wanted.items():
        assert {name: found[event_id].get(name) for name in columns} == {name: value.get(name) for name in columns}
        if (item_id := value.get("item_id")) is not None:
            for name in ("title", "categories"):
                assert items[item_id][name] == titles[item_id][name]
    checked = validate_recording(out, now_ms=NOW, settings=Settings())
    assert checked.ok, msgspec.json.encode(checked)


def values(recording: Path, topic: str) -> dict[str, dict]:
    """The values of a topic by their ids."""
    found = [json.loads(record.value or b"") for record in read_recording(recording) if record.topic == topic]
    return {value["event_id" if topic == "events" else "item_id"]: value for value in found}
