"""`headrace record`: topics into a recorded stream."""

from collections.abc import Iterable
from pathlib import Path
from typing import cast

from headrace.errors import HeadraceError, StackError
from headrace.recording.reading import Record
from headrace.recording.writing import RecordingWriter
from headrace.topics import Topic
from streams.recordings import OnProgress, no_progress
from streams.recordings.traffic.listening import KafkaRecord


def capture(records: Iterable[KafkaRecord], out: Path, on_progress: OnProgress = no_progress) -> int:
    """Write what comes to `out` in order of time, items before events of the same moment; the number of records.

    Partitions come interleaved, so everything is held in memory until the source ends. Where the source fails, what
    came before is written: nobody can record it again.

    Raises:
        UsageError: the file cannot be written.
        StackError: the source failed; names what has been kept.
    """
    held: list[tuple[int, bool, int, int, Record]] = []
    failure: HeadraceError | None = None
    with RecordingWriter(out) as writer:
        try:
            for record in records:
                # Of one moment as workers take it: by partition, and within one as it is there.
                place = record.timestamp, record.topic != Topic.ITEMS, record.partition, record.offset
                held.append((*place, to_record(record)))
                if len(held) % 1_000 == 0:
                    on_progress(len(held), 0)
        except HeadraceError as error:
            if not held:
                raise
            failure = error
        held.sort(key=lambda one: one[:4])
        for *_, record in held:
            writer.write(record)
    if failure is not None:
        raise StackError(f"{failure}. The {len(held)} records that came before are in {out}") from failure
    return len(held)


def to_record(record: KafkaRecord) -> Record:
    """A consumed record as a recorded one."""
    key = cast("bytes | None", record.key)
    return Record(
        topic=record.topic,
        key=None if key is None else key.decode("utf-8", "surrogateescape"),
        timestamp=record.timestamp,
        value=cast("bytes | None", record.value),
        headers=tuple((name, (value or b"").decode("utf-8", "replace")) for name, value in record.headers),
    )
