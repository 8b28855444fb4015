"""A letter that was sent back is over; one that is newer than that is another."""

from kafka.consumer.fetcher import ConsumerRecord

from headrace.topics import is_sent_back, item_updates, sent_back
from streams.recordings.traffic.dead_letters import dead_letters


def letter(offset: int, appended: int) -> ConsumerRecord:
    headers = [("headrace.id", f"events/0/{offset}".encode()), ("headrace.reason", b"x"), ("headrace.topic", b"events")]
    fields = dict.fromkeys(ConsumerRecord._fields)
    fields |= {"topic": "dead.letters", "partition": 0, "offset": 0, "timestamp": appended, "headers": headers}
    return ConsumerRecord(**fields | {"key": b"k", "value": b"{}"})


def listed(records: list[ConsumerRecord], sent: dict[str, int]) -> list[str]:
    return [found.id for found in dead_letters(records, None, sent)]


def test_what_was_sent_back_is_left_out_however_often_it_came():
    records = [letter(1, 100), letter(1, 150), letter(2, 100)]
    assert listed(records, {}) == ["events/0/1", "events/0/2"]
    assert listed(records, {"events/0/1": 200}) == ["events/0/2"]


def test_a_letter_that_came_after_it_is_of_a_topic_that_was_made_anew():
    records = [letter(1, 100), letter(1, 300)]
    assert listed(records, {"events/0/1": 200}) == ["events/0/1"]


def test_marks_of_every_group_count():
    assert is_sent_back(sent_back("shop")) and is_sent_back(sent_back("shop-2"))
    assert not is_sent_back(item_updates("shop"))
    assert not is_sent_back("my.sent-back")
