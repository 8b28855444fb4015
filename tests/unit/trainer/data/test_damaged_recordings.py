"""Whatever became of a file that a user brings to learn from: it is read, or refused in one line that names it."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from headrace.errors import TooLittleData
from tests.damaged_files import read_damaged
from trainer.behaviour.config import read_settings
from trainer.data.click_table import read_click_tables
from trainer.data.shop import read_shop
from trainer.demand.series import read_series
from trainer.multitask.label_tables import table_tasks
from trainer.pretrain.pretrained import read_pretrained
from trainer.sequences.reading import read_attributes, read_sequences
from trainer.text.labelled import read_clinc, read_labelled
from trainer.text.matching.shop import read_shops

LABELLED = b"text,label\n" + b"".join(b'"where, is my card %d",%d\n' % (n, n % 3) for n in range(30))
PLAIN = b"".join(b"%d a film that I saw %d times\n" % (n % 2, n) for n in range(30))
CLINC = json.dumps(
    {part: [[f"text {n}", str(n % 2)] for n in range(9)] for part in ("train", "val", "test", "oos_val", "oos_test")}
).encode()
CLICKS = b"user,item,place,label\n" + b"".join(b'u%d,i%d,"a, b",%d\n' % (n, n % 4, n % 2) for n in range(40))
SEQUENCES = b"".join(b"user-%d item-%d item-%d item-3\n" % (n, n % 5, n % 7) for n in range(30))
ATTRIBUTES = b'{"a": [1, 2], "b": ["red"], "c": []}'
ITEMS = b"id|name|description\n" + b"".join(b'%d|a 5" pipe %d|long\n' % (n, n) for n in range(30))
PAIRS = b"idA|idB\n" + b"".join(b"%d|%d\n" % (n, n) for n in range(30))
STREAM = b"".join(
    json.dumps(
        {
            "topic": "events",
            "key": f"u{n % 4}",
            "timestamp": 1_700_000_000_000 + n * 3_600_000,
            "value": {
                "event_id": f"e{n}",
                "type": "purchase",
                "user_id": f"u{n % 4}",
                "timestamp": 1_700_000_000_000 + n * 3_600_000,
                "item_id": f"i{n % 3}",
            },
        }
    ).encode()
    + b"\n"
    for n in range(40)
)


def _tasks(path: Path) -> None:
    table_tasks(path, path, 0)


def _clicks(path: Path) -> None:
    read_click_tables([path], "label", "user", "item")


def _attributes(path: Path) -> None:
    read_attributes(path, ["a", "b"])


def _shop(path: Path) -> None:
    read_shop(path, lambda _: None)


def _series(path: Path) -> None:
    with suppress(TooLittleData):
        read_series(path, 3_600_000)


@pytest.mark.parametrize(
    ("read", "good", "name", "least"),
    [
        (read_labelled, LABELLED, "labelled.csv", 60),
        (read_labelled, PLAIN, "labelled.txt", 20),
        (_tasks, LABELLED, "tasks.csv", 60),
        (read_clinc, CLINC, "clinc.json", 60),
        (_clicks, CLICKS, "clicks.csv", 60),
        (read_sequences, SEQUENCES, "sequences.txt", 10),
        (_attributes, ATTRIBUTES, "attributes.json", 60),
        (read_settings, b'{"width": 64, "heads": 2, "dropout": 0.25}', "settings.json", 60),
        (read_pretrained, b"headrace checkpoint 1 sha256 " + b"0" * 64 + b"\n" + bytes(300), "pretrained", 60),
        (_shop, STREAM, "stream.jsonl", 30),
        (_series, STREAM, "stream.jsonl", 30),
    ],
)
def test_a_file_is_read_or_refused(
    read: Callable[[Path], object], good: bytes, name: str, least: int, tmp_path: Path
) -> None:
    assert (
        read_damaged(read, good, tmp_path, name, ("", ".gz") if name.endswith((".jsonl", "clicks.csv")) else ("",))
        > least
    )


@pytest.mark.parametrize("place", [0, 1, 2])
def test_items_and_pairs_of_two_shops_are_read_or_refused(place: int, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("first.csv", "second.csv", "pairs.csv")]
    for path, content in zip(paths, (ITEMS, ITEMS, PAIRS), strict=True):
        path.write_bytes(content)
    good = (ITEMS, ITEMS, PAIRS)[place]
    assert read_damaged(lambda _: read_shops(*paths), good, tmp_path, paths[place].name, ("",)) > 40
