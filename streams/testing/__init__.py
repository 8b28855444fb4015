"""Recorded streams in your own integration tests, against real servers.

The pytest plugin comes with the package; a test asks for its fixtures by name:

    def test_view_is_answered(headrace_worker, replay, expect):
        headrace_worker()
        replay([item("i1", title="Tin of biscuits"), event("view", "ann", item_id="i1")])
        [answer] = expect("recommendations", count=1, where=lambda m: m.value["user_id"] == "ann", within=30)
        assert answer.value["items"]

Fixtures: `headrace_stack`, `headrace_group`, `headrace_client`, `headrace_worker`, `replay`, `expect`.
"""

from headrace.recording.reading import Record
from streams.testing.client import Client, Message
from streams.testing.records import event, item, raw
from streams.testing.stack import Stack
from streams.testing.worker import Worker

__all__ = ["Client", "Message", "Record", "Stack", "Worker", "event", "item", "raw"]
