"""The public pytest plugin, used as a user's own test would use it."""

import pytest

from headrace.errors import StackError
from streams.testing import event, item, raw


def test_a_worker_answers_what_is_replayed(headrace_worker, replay, expect):
    worker = headrace_worker()
    done = replay(
        [item("i1", title="Tin of biscuits"), event("view", "ann", item_id="i1"), raw("events", "bob", b"no json")],
        wait=True,
    )
    assert done.records == 3
    [answer] = expect("recommendations", where=lambda m: m.value["user_id"] == "ann")
    assert answer.key == "ann"
    [dead] = expect("dead.letters", where=lambda m: m.raw == b"no json")
    assert dead.headers["headrace.reason"] == "invalid_json"
    assert worker.stop() == 0


def test_what_came_instead_is_shown(headrace_client):
    headrace_client.replay([raw("recommendations", "ann", b'{"user_id":"ann"}'), raw("dead.letters", "eve", b"?")])
    with pytest.raises(AssertionError) as caught:
        headrace_client.expect("recommendations", count=2, where=lambda m: m.key == "bob", within=1)
    text = str(caught.value)
    assert "expected 2 on recommendations within 1 s: 1 came, 0 of them match" in text
    assert 'key=ann value={"user_id":"ann"}' in text
    assert "1 dead letters came:\n  key=eve value=?" in text


def test_messages_of_earlier_tests_are_not_seen(headrace_client):
    assert headrace_client.received("recommendations") == []


def test_a_worker_that_cannot_start_shows_its_log(headrace_worker):
    with pytest.raises(StackError, match=r"status 2 before it was ready\n.*HEADRACE_CHUNK='0' is not allowed"):
        headrace_worker(HEADRACE_CHUNK="0")
