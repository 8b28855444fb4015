"""The pure parts of replay and tail: pace, lag, which event times count, lines."""

import json
import time

from kafka.consumer.fetcher import ConsumerRecord
from kafka.structs import TopicPartition

from headrace.recording.reading import Record, read_recording
from headrace.settings.model import Settings
from streams.recordings.traffic.capture import capture
from streams.recordings.traffic.dead_letters import refusal
from streams.recordings.traffic.replaying import Pace, event_time
from streams.recordings.traffic.tailing import to_line
from streams.recordings.traffic.waiting import lag


def tailed(value: bytes | None, key: bytes | None = b"k") -> dict:
    fields = dict.fromkeys(ConsumerRecord._fields)
    fields |= {"partition": 1, "offset": 7, "timestamp": 5, "key": key, "value": value, "headers": [("h", b"x")]}
    line = to_line(ConsumerRecord(**fields))
    assert b"\n" not in line
    return json.loads(line)


def test_a_tailed_record_has_its_value_as_json_where_it_is_json():
    place = {"key": "k", "timestamp": 5, "partition": 1, "offset": 7, "headers": {"h": "x"}}
    assert tailed(b'{"a":\n[1, 2]}') == {**place, "value": {"a": [1, 2]}}
    assert tailed(None) == {**place, "value": None}
    assert tailed(b"null") == {**place, "value": None}
    assert tailed(b"no\xff") == {**place, "value_base64": "bm//"}
    assert tailed(b"") == {**place, "value_base64": ""}
    assert tailed(b"NaN", key=None) == {**place, "key": None, "value_base64": "TmFO"}


def test_lag_counts_what_the_group_has_yet_to_commit():
    a, b, c = (TopicPartition("events", n) for n in range(3))
    ends, beginnings = {a: 10, b: 10, c: 5}, {a: 0, b: 8, c: 5}
    assert lag(ends, beginnings, {}) == 10 + 2
    assert lag(ends, beginnings, {a: 4, b: 10}) == 6
    assert lag(ends, beginnings, {a: 12, b: 10}) == 0


def test_only_events_that_keep_the_contract_move_the_end_of_a_replay():
    good = b'{"event_id":"e","type":"view","user_id":"u","timestamp":1767571200000,"item_id":"i"}'
    now = 1_767_571_200_000
    assert event_time(good, now, Settings()) == now
    assert event_time(good.replace(b"1767571200000", b"10413792000000"), now, Settings()) == -1
    assert event_time(good.replace(b"1767571200000", b"1767571200"), now, Settings()) == -1
    assert event_time(None, 100, Settings()) == -1


def test_a_replay_is_held_back_to_its_speed(monkeypatch):
    now, slept = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", slept.append)
    pace = Pace(speed=10.0)
    pace.wait_for(5_000)
    pace.wait_for(25_000)
    now[0] = 103.0
    pace.wait_for(26_000)
    assert slept == [2.0]


def test_a_letter_from_a_groups_own_topic_is_not_sent_back_there():
    view = b'{"event_id": "e", "type": "view", "user_id": "u", "timestamp": 1767225600000, "item_id": "a"}'
    forged = Record("headrace.shop.rekeyed", "u", 0, view)
    assert refusal(forged._replace(topic="events"), Settings(), 1_767_225_600_000) is None
    why = refusal(forged, Settings(), 1_767_225_600_000)
    assert why is not None
    assert "headrace.shop.rekeyed" in why.detail


def test_of_one_moment_what_lies_in_the_higher_partition_is_recorded_as_the_later(tmp_path):
    consumed = [consumed_item(partition, offset) for partition, offset in ((2, 5), (0, 8), (1, 1), (0, 7))]
    capture(consumed, tmp_path / "items.jsonl")
    assert [r.key for r in read_recording(tmp_path / "items.jsonl")] == ["0/7", "0/8", "1/1", "2/5"]


def consumed_item(partition, offset):
    key = f"{partition}/{offset}".encode()
    return ConsumerRecord("items", partition, 0, offset, 1_000, 1, key, None, [], None, 3, -1, -1)
