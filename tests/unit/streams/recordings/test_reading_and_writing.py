"""What is written is read again byte for byte, and what is no record is named with file and line."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import UsageError
from headrace.recording.reading import Record, read_recording
from headrace.recording.writing import RecordingWriter

RECORDS = [
    Record("items", "i1", 5, b'{"item_id": "i1", "price": 1.50}'),
    Record("items", "i1", 6, None),
    Record("events", None, 7, b'{"a":1}', (("name", "text"),)),
    Record("events", "k", 7, b"not json", (("name", "one"), ("name", "two"))),
    Record("events", "k", 8, b'{"pretty":\n1}'),
    Record("events", "k", 8, b"null"),
    Record("events", "k", 8, b""),
    Record("events", "\udcff", 9, b"\xff\xfe"),
]


def write(path, records):
    with RecordingWriter(path) as writer:
        for record in records:
            writer.write(record)


@pytest.mark.parametrize("name", ["s.jsonl", "s.jsonl.gz", "s.jsonl.zst"])
def test_records_survive_the_file(tmp_path, name):
    write(tmp_path / name, RECORDS)
    assert list(read_recording(tmp_path / name)) == RECORDS


@pytest.mark.parametrize("name", ["s.jsonl.gz", "s.jsonl.zst"])
def test_equal_records_give_equal_files(tmp_path, name):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / name, RECORDS)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@given(st.binary(), st.binary() | st.none())
def test_any_value_and_key_survive(tmp_path_factory, value, key):
    path = tmp_path_factory.mktemp("any") / "s.jsonl"
    record = Record("events", None if key is None else key.decode("utf-8", "surrogateescape"), 1, value)
    write(path, [record])
    [found] = read_recording(path)
    assert found == record
    assert found.key is None or found.key.encode("utf-8", "surrogateescape") == key


def test_a_line_without_topic_is_the_value_of_an_event(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text('{"user_id": "ann", "timestamp": 5, "key": 1, "value": []}\n\n{"no": "id"}\n')
    assert list(read_recording(path)) == [
        Record("events", "ann", 5, b'{"user_id": "ann", "timestamp": 5, "key": 1, "value": []}'),
        Record("events", None, 5, b'{"no": "id"}'),
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"topic": "events", "key": "k", "timestamp": 1767225600000.0, "value": {}}',
        '{"topic": "events", "key": "k", "timestamp": 1.7672256e12, "value": {}}',
        '{"user_id": "k", "timestamp": 1767225600000.0}',
    ],
)
def test_a_time_without_a_fraction_is_an_integer_however_it_is_written(tmp_path, line):
    path = tmp_path / "s.jsonl"
    path.write_text(line)
    [record] = read_recording(path)
    assert (record.key, record.timestamp) == ("k", 1_767_225_600_000)
    assert type(record.timestamp) is int


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        '{"topic": "events", "key": "k", "timestamp": 1.5, "value": {}}',
        '{"topic": "events", "key": "k", "timestamp": 1e300, "value": {}}',
        "[1]",
        '{"topic": "events", "key": 5, "timestamp": 1, "value": {}}',
        '{"topic": "events", "key": "k", "timestamp": -1, "value": {}}',
        '{"topic": "events", "key": "k", "timestamp": 1}',
        '{"topic": "events", "key": "k", "timestamp": 1, "value_base64": "?"}',
        "[" * 10_000,
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    path = tmp_path / "s.jsonl"
    path.write_text('{"user_id": "ann", "timestamp": 5}\n' + line + "\n")
    with pytest.raises(UsageError, match=r"s\.jsonl, line 2"):
        list(read_recording(path))


def test_a_missing_and_a_cut_off_file_are_named(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        list(read_recording(tmp_path / "none.jsonl"))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"user_id": "ann"}\n' * 1_000)[:-20])
    with pytest.raises(UsageError, match=r"cut\.jsonl\.gz to its end"):
        list(read_recording(path))


def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"user_id": "ann", "timestamp": 5}\r\n')
    assert [record.key for record in read_recording(path)] == ["ann"]
