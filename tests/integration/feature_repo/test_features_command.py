"""`headrace features …` on a real store."""

import asyncio
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from feature_repo.offline.fold import fold_stream
from feature_repo.store.dump import Rows
from feature_repo.store.row_store import Kind, RowStore, RowWrite
from headrace.errors import CheckFailed, UsageError
from headrace.recording.reading import read_recording
from headrace.settings.model import load_settings, settings
from headrace_cli.traffic import features

HOUR = 3_600_000
START = 1_700_000_000_000

EVENTS = [
    {"event_id": "e1", "type": "view", "user_id": "ada", "timestamp": START, "item_id": "lamp", "price": 20},
    {
        "event_id": "e2",
        "type": "purchase",
        "user_id": "bob",
        "timestamp": START + HOUR,
        "item_id": "désk",
        "channel": "app",
    },
    {
        "event_id": "e3",
        "type": "view",
        "user_id": "bob",
        "timestamp": START + HOUR,
        "item_id": "lamp",
        "channel": "web",
    },
    {"event_id": "e3", "type": "view", "user_id": "bob", "timestamp": START + HOUR, "item_id": "lamp"},
    {"event_id": "bad", "type": "view", "user_id": "bob", "timestamp": START},
]
ITEMS = [
    {"item_id": "lamp", "title": "Lamp", "categories": ["light"], "price": 20},
    {"item_id": "désk", "title": "Desk", "price": 100},
]


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    features.register(app)
    return app


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    path = tmp_path / "stream.jsonl"
    full = [{"topic": "items", "key": i["item_id"], "timestamp": START, "value": i} for i in ITEMS]
    path.write_text("\n".join(json.dumps(line) for line in [*full, *EVENTS]))
    return path


@pytest.fixture
def command(app, make_settings, monkeypatch):
    """Runs `headrace features …` for this test's group; returns the last line of its output as JSON."""
    wanted = make_settings()
    monkeypatch.setenv("HEADRACE_HOME", str(wanted.home))
    monkeypatch.setenv("HEADRACE_REDIS", wanted.redis_address)
    monkeypatch.setenv("HEADRACE_GROUP", wanted.group)
    settings.cache_clear()

    def run(*arguments: object) -> dict:
        result = CliRunner().invoke(app, ["features", *map(str, arguments), "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout.splitlines()[-1])

    yield run
    settings.cache_clear()


def write_online(rows: Rows, reverse: bool = False) -> None:
    """Put rows where a worker would put them."""

    async def write() -> None:
        store = await RowStore.open(load_settings())
        users = [RowWrite(Kind.USER, k, b"", b"f", b"", (s, None), START) for k, s in rows.shopper.items()]
        items = [
            RowWrite(Kind.ITEM, k, b"", b"f", b"", (s, rows.item_activity.get(k), None), START)
            for k, s in rows.item_catalogue.items()
        ]
        marks = RowWrite(Kind.SHARD, "events/0", b"", b"f", b"", (b"marks", None), START)
        await store.write(sorted([*users, *items, marks], reverse=reverse))
        await store.close()

    asyncio.run(write())


@pytest.fixture
def online(command, stream) -> None:
    write_online(fold_stream(read_recording(stream), load_settings(), START + HOUR))


def test_a_dump_of_the_store_is_the_recording_folded_offline(command, stream, online, tmp_path):
    dumped = command("dump", "--out", tmp_path / "online")
    folded = command("fold", "--stream", stream, "--out", tmp_path / "offline")
    assert dumped["rows"] == folded["rows"] == 6
    assert (tmp_path / "online").read_bytes() == (tmp_path / "offline").read_bytes()


def test_a_difference_in_one_feature_shows(command, stream, online, tmp_path):
    stream.write_text(stream.read_text().replace('"price": 20', '"price": 21'))
    command("dump", "--out", tmp_path / "online")
    command("fold", "--stream", stream, "--out", tmp_path / "offline")
    assert (tmp_path / "online").read_bytes() != (tmp_path / "offline").read_bytes()


def test_a_dump_is_sorted_by_view_and_key_and_names_each_row(command, online, tmp_path):
    command("dump", "--out", tmp_path / "dump")
    lines = [json.loads(line) for line in (tmp_path / "dump").read_text().splitlines()]
    assert [(line["view"], line["key"]) for line in lines] == [
        ("item_activity", "désk"),
        ("item_activity", "lamp"),
        ("item_catalogue", "désk"),
        ("item_catalogue", "lamp"),
        ("shopper", "ada"),
        ("shopper", "bob"),
    ]


def test_a_user_is_shown_with_what_the_catalogue_adds(command, online):
    shown = command("user", "ada")
    assert shown["user_id"] == "ada"
    assert [event["action"] for event in shown["features"]["recent"]] == ["view"]
    assert shown["joined"] == {"category_affinity": {"light": 1.0}, "brand_affinity": {}, "price_level": 0.5}


def test_an_item_is_shown_by_view(command, online):
    shown = command("item", "lamp")["features"]
    assert shown["item_catalogue"]["title"] == "Lamp"
    assert shown["item_activity"]["events"] == {"view": 2}


def test_people_read_the_same_without_json(app, command, online):
    result = CliRunner().invoke(app, ["features", "user", "ada"])
    assert json.loads(result.stdout)["user_id"] == "ada"


@pytest.mark.parametrize("kind", ["user", "item"])
def test_whoever_is_unknown_is_named(command, kind):
    with pytest.raises(CheckFailed, match="'nobody'"):
        command(kind, "nobody")


def test_parquet_lies_under_home(command, stream):
    assert command("parquet", "--stream", stream) == {
        "shopper": 3,
        "item_catalogue": 2,
        "item_activity": 3,
        "item_windows": 0,
        "scenario_views": 0,
    }
    assert len(list((load_settings().home / "offline").glob("*.parquet"))) == 5


def test_a_file_that_cannot_be_written_is_one_line(command, stream, tmp_path):
    with pytest.raises(UsageError, match="cannot write"):
        command("fold", "--stream", stream, "--out", tmp_path / "no such folder" / "out")
