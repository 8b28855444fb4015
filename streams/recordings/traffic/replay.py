"""A whole replay: check the stream, send it, wait for the answers, count them."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from headrace.recording.reading import Record, read_recording
from headrace.settings.model import Settings
from streams.kafka.admin.broker import Broker
from streams.recordings import OnProgress, no_progress
from streams.recordings.traffic.counting import AnswerCounter, Replayed
from streams.recordings.traffic.replaying import Replayer
from streams.recordings.traffic.waiting import await_answers


def replay_file(
    path: Path,
    settings: Settings,
    *,
    speed: float | None = None,
    wait: bool = False,
    on_progress: OnProgress = no_progress,
) -> Replayed:
    """Replay a recorded stream; with `wait`, until the group has answered all of it.

    Args:
        path: the recorded stream; nothing is sent unless all of it can be read.
        settings: the cluster and the group.
        speed: event time over wall time; None sends as fast as it goes.
        wait: see `await_answers`.
        report: progress, first of sending, then of each topic's answering.

    Raises:
        UsageError: the file is no recorded stream, or a topic does not exist.
        StackError: the cluster cannot be reached.
        CheckFailed: the group makes no progress.
    """
    return replay_records(lambda: read_recording(path), settings, speed=speed, wait=wait, on_progress=on_progress)


def replay_records(
    stream: Callable[[], Iterable[Record]],
    settings: Settings,
    *,
    speed: float | None = None,
    wait: bool = False,
    on_progress: OnProgress = no_progress,
) -> Replayed:
    """Replay what `stream` gives, which is called twice: to check it, and to send it; otherwise as `replay_file`."""
    topics = Counter(record.topic for record in stream())
    with Broker(settings.kafka_connection) as broker, Replayer(settings, speed) as replayer:
        broker.partitions(sorted(topics))
        counter = AnswerCounter(broker, settings)
        started = time.monotonic()
        sent = replayer.send(stream(), topics.total(), on_progress)
        if wait:
            await_answers(broker, replayer, sent, settings, on_progress=on_progress)
        return counter.result(sent.records, time.monotonic() - started)
