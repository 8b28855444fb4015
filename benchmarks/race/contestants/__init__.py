"""Who runs on the pipeline, and how each is started."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from headrace.topics import Topic, item_updates, rekeyed
from streams.operations.supervisor import worker_command
from streams.testing.worker import READY


class Contestant(NamedTuple):
    """A program that answers events.

    Attributes:
        name: as in the results.
        title: for people.
        command: how it is started; it finds everything in HEADRACE_* and says `ready` in its output.
        ready: what it says when it may be sent events.
        topics: of which it has to commit everything before it is done, by group.
        events: most events it is given: the slow ones would take an hour for all.
        processes: how many say `ready`.
        crc32: whether its events are produced with librdkafka's default partitioner instead of murmur2, so that the
            worker has to forward those whose shopper belongs to another partition.
        folder: where it is started; None for this process's own.
        pipelines: the setting that chooses its pipelines, if it has any.
    """

    name: str
    title: str
    command: tuple[str, ...]
    ready: str
    topics: Callable[[str], list[str]]
    events: int
    processes: int = 1
    crc32: bool = False
    folder: Path | None = None
    pipelines: str = "HEADRACE_PIPELINE"


def _events(_: str) -> list[str]:
    return [Topic.EVENTS]


def and_internal(group: str) -> list[str]:
    """Topics that a worker of Headrace reads."""
    return [Topic.EVENTS, rekeyed(group), item_updates(group)]


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"benchmarks.race.contestants.{name}")


ALL = 10**9

ONE_WORKER = worker_command(1)

#: Headrace, in its ways.
OWN = ("headrace", "two")

CONTESTANTS = {
    c.name: c
    for c in (
        Contestant(
            "headrace",
            "Headrace, one worker",
            ONE_WORKER,
            READY,
            and_internal,
            ALL,
        ),
        Contestant(
            "crc32",
            "Headrace, one worker, CRC32 producer",
            ONE_WORKER,
            READY,
            and_internal,
            ALL,
            crc32=True,
        ),
        Contestant(
            "two",
            "Headrace, two workers",
            worker_command(2),
            READY,
            and_internal,
            ALL,
            processes=2,
        ),
        Contestant("handwritten", "hand-written loop", _module("handwritten"), "ready", _events, ALL),
        Contestant("faust", "Faust used plainly", _module("plain_faust"), "ready", _events, 3_000),
        Contestant("quix", "Quix Streams", _module("quix"), "ready", _events, 6_000),
    )
}
