"""`headrace replay --wait`: until a group has answered what a replay sent, and what that caused."""

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from feature_repo.basics.windows import end_of_stream, windows_of
from headrace.errors import CheckFailed
from headrace.messages.internal import ItemUpdateBatch, Watermark
from headrace.settings.model import Settings
from headrace.topics import Topic, item_updates, rekeyed, topics_of
from streams.kafka.admin.broker import Broker, Offsets
from streams.recordings import OnProgress, no_progress
from streams.recordings.traffic.replaying import Replayer, Sent

PATIENCE_S: Final = 120.0
_POLL_S: Final = 0.25


def await_answers(
    broker: Broker,
    replayer: Replayer,
    sent: Sent,
    settings: Settings,
    *,
    on_progress: OnProgress = no_progress,
    patience_s: float = PATIENCE_S,
) -> None:
    """Wait until the group has committed past everything sent, and past what that caused on its own topics.

    The replay's events end here: every window that they opened is told so, and closes.

    Raises:
        CheckFailed: the group committed nothing for `patience_s` seconds.
    """
    wait = _Wait(broker, settings.group, on_progress, patience_s)
    wait.until_committed(sorted(sent.topics & set(topics_of(settings).inputs)))
    if Topic.EVENTS not in sent.topics:
        return
    wait.until_committed([rekeyed(settings.group)])
    if sent.last_event_time is not None:
        windows = windows_of(settings.window, settings.timezone)
        end = end_of_stream(sent.last_event_time, windows, settings.lateness)
        for partition in broker.partitions([rekeyed(settings.group)]):
            replayer.send_tick(partition.topic, partition.partition, end)
        replayer.flush()
        wait.until_committed([rekeyed(settings.group)])
        _send_end_markers(broker, replayer, settings.group, end)
    wait.until_committed([item_updates(settings.group)])


class _Wait:
    """Watches one group's commits."""

    def __init__(self, broker: Broker, group: str, on_progress: OnProgress, patience_s: float) -> None:
        self._broker, self._group = broker, group
        self._on_progress, self._patience_s = on_progress, patience_s

    def until_committed(self, topics: Sequence[str]) -> None:
        """Wait until the group has committed past where the topics end now."""
        ends, beginnings = self._broker.ends(topics), self._broker.beginnings(topics)
        total = sum(ends.values()) - sum(beginnings.values())
        before, moved = -1, time.monotonic()
        while (left := lag(ends, beginnings, self._broker.committed(self._group))) > 0:
            if left != before:
                before, moved = left, time.monotonic()
            if time.monotonic() - moved > self._patience_s:
                raise CheckFailed(
                    f"group {self._group} has committed nothing for {self._patience_s:.0f} s with {left} records left "
                    f"on {', '.join(topics)}: is a `headrace worker` running with HEADRACE_GROUP={self._group}?"
                )
            self._on_progress(total - left, total)
            time.sleep(_POLL_S)
        self._on_progress(total, total)


def lag(ends: Offsets, beginnings: Offsets, committed: Offsets) -> int:
    """Records before `ends` that a group has yet to commit; what was deleted before it came counts as read."""
    return sum(max(0, end - max(committed.get(partition, 0), beginnings[partition])) for partition, end in ends.items())


def _send_end_markers(broker: Broker, replayer: Replayer, group: str, time_ms: int) -> None:
    """Publish to every partition of the item pipeline that each source has sent all that lies before `time_ms`."""
    sources = len(broker.partitions([Topic.EVENTS]))
    for partition in broker.partitions([item_updates(group)]):
        for source in range(sources):
            marker = ItemUpdateBatch(f"replay/{source}", source, [Watermark(offset=-1, time=time_ms, idle=True)])
            replayer.send_to(partition.topic, partition.partition, msgspec.msgpack.encode(marker))
    replayer.flush()
