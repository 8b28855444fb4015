"""What a test says to Kafka: replay this, expect that."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from headrace.recording.reading import Record
from headrace.settings.model import Settings
from headrace.topics import Topic, topics_of
from streams.recordings.traffic.counting import Replayed
from streams.recordings.traffic.listening import KafkaRecord, Listener
from streams.recordings.traffic.replay import replay_file, replay_records

_SHOWN = 5


class Message(NamedTuple):
    """A record that came out.

    Attributes:
        topic: where.
        key: as text.
        value: decoded JSON; None for a null value and for one that is no JSON.
        raw: the value's bytes.
        headers: name and text.
        timestamp: ms since 1970 UTC.
        partition, offset: its place.
    """

    topic: str
    key: str | None
    value: Any
    raw: bytes | None
    headers: dict[str, str]
    timestamp: int
    partition: int
    offset: int


Where = Callable[[Message], bool]


class Client:
    """One test's view of the cluster: whatever came out since the client was made. A context manager.

    Args:
        settings: the cluster and the group.
        topics: whose messages to collect; by default all that workers write.
    """

    def __init__(self, settings: Settings, topics: Iterable[str] | None = None) -> None:
        self.settings = settings
        public = topics_of(settings)
        default = (*public.answers, Topic.DEAD_LETTERS, Topic.FEATURE_LOG)
        names = [str(topic) for topic in (default if topics is None else topics)]
        self._listener = Listener(settings.kafka_connection, names, from_beginning=False)
        self._messages: list[Message] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.__exit__(*error)

    def replay(
        self, stream: Path | str | Iterable[Record], *, wait: bool = False, speed: float | None = None
    ) -> Replayed:
        """Replay a recorded stream, a file or records; with `wait`, until the group's worker has answered all of it.

        Raises:
            UsageError, StackError, CheckFailed: as `headrace replay` does.
        """
        if isinstance(stream, Path | str):
            return replay_file(Path(stream), self.settings, speed=speed, wait=wait)
        records = list(stream)
        return replay_records(lambda: records, self.settings, speed=speed, wait=wait)

    def received(self, topic: str, where: Where | None = None) -> list[Message]:
        """The messages of a topic that match, of all that came since the client was made; waits for none."""
        self._messages += map(to_message, self._listener.until_now())
        return self._matching(topic, where)

    def expect(self, topic: str, *, count: int = 1, where: Where | None = None, within: float = 30.0) -> list[Message]:
        """Wait until `count` messages that match have come to a topic; those, in order of arrival.

        Messages that came before the call count, so the order of expectations does not matter.

        Raises:
            AssertionError: fewer came within `within` seconds; says what came instead.
        """
        deadline = time.monotonic() + within
        while len(found := self._matching(topic, where)) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(self._explain(topic, count, len(found), within))
            self._messages += map(to_message, self._listener.poll(timeout_ms=min(200, int(left * 1000) + 1)))
        return found[:count]

    def _matching(self, topic: str, where: Where | None) -> list[Message]:
        return [m for m in self._messages if m.topic == topic and (where is None or where(m))]

    def _explain(self, topic: str, count: int, matched: int, within: float) -> str:
        came = self._matching(topic, None)
        lines = [f"expected {count} on {topic} within {within:g} s: {len(came)} came, {matched} of them match"]
        lines += [f"  {_brief(m)}" for m in came[-_SHOWN:]]
        dead = self._matching(Topic.DEAD_LETTERS, None) if topic != Topic.DEAD_LETTERS else []
        if dead:
            lines.append(f"{len(dead)} dead letters came:")
            lines += [f"  {_brief(m)}" for m in dead[-_SHOWN:]]
        return "\n".join(lines)


def to_message(record: KafkaRecord) -> Message:
    """A consumed record as a test sees it."""
    return Message(
        topic=record.topic,
        key=None if record.key is None else record.key.decode("utf-8", "replace"),
        value=_json(record.value),
        raw=record.value,
        headers={name: value.decode("utf-8", "replace") for name, value in record.headers},
        timestamp=record.timestamp,
        partition=record.partition,
        offset=record.offset,
    )


def _json(value: bytes | None) -> Any:
    try:
        return None if value is None else msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _brief(message: Message) -> str:
    value = (message.raw or b"null")[:200].decode("utf-8", "replace")
    headers = "".join(f" {name}={text}" for name, text in message.headers.items())
    return f"key={message.key} value={value}{headers}"
