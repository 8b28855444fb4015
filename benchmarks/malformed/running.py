"""`headrace bench malformed`: all of them to a worker, good events between them, and what came out."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

import msgspec
from msgspec import Struct

from benchmarks.machine import Machine, machine
from benchmarks.malformed.making import good_event, malformed
from benchmarks.malformed.record import Malformed
from benchmarks.malformed.timing import slowest_refusal
from benchmarks.race.contestants import CONTESTANTS
from benchmarks.race.environment import ground
from headrace.recording.reading import Record
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.recordings.traffic.listening import KafkaRecord, Listener
from streams.recordings.traffic.replay import replay_records

_GOOD_EVERY: Final = 20
_OBSERVED: Final = (Topic.DEAD_LETTERS, Topic.RECOMMENDATIONS)

OnProgress = Callable[[str], None]


class _Output(Struct):
    event_id: str


_decoder: Final = msgspec.json.Decoder(_Output)


class Refusals(Struct, frozen=True):
    """What became of malformed records.

    Attributes:
        sent: malformed records.
        dead_letters: records that a dead letter speaks of, each counted once.
        by_reason: the same by the reason given.
        wrong_reason: dead letters whose reason is none of those that their defect allows.
        changed: dead letters whose bytes are not those that were sent.
        good: events between them that keep the contract.
        answered: those of them that got their recommendations.
        slowest_ms: CPU time that a worker's first step takes to refuse the slowest of the records that are as large as
            may be, each measured on its own before all are sent.
        slowest: which that is.
    """

    sent: int
    dead_letters: int
    by_reason: dict[str, int]
    wrong_reason: int
    changed: int
    good: int
    answered: int
    slowest_ms: float
    slowest: str

    @property
    def holds(self) -> bool:
        """Whether each was refused for its own reason, and nothing else was."""
        refused = self.dead_letters == self.sent and not self.wrong_reason and not self.changed
        return refused and self.answered == self.good


class Measured(Struct, frozen=True):
    """A run, and where it was made."""

    command: str
    machine: Machine
    refusals: Refusals
    seconds: float
    most_bytes: int


def run(records: int, seed: int, command: str, on_progress: OnProgress) -> Measured:
    """Send them to one worker on a stack of its own."""
    with ground(lambda *_: None) as here, here.running(CONTESTANTS["headrace"]) as running:
        on_progress(f"{records:,} malformed records")
        began = time.monotonic()
        refusals = refuse(records, seed, running.settings)
        seconds = round(time.monotonic() - began, 1)
        return Measured(command, machine(), refusals, seconds, running.settings.max_event_bytes)


def refuse(records: int, seed: int, settings: Settings) -> Refusals:
    """Send malformed records and good events to the group's worker, and look at what it makes of them."""
    now_ms = time.time_ns() // 1_000_000
    broken = list(malformed(records, seed, now_ms, settings.max_event_bytes))
    stream = list(_with_good_ones(broken, seed, now_ms))
    slowest = slowest_refusal(settings)
    with Listener(settings.kafka_connection, _OBSERVED, from_beginning=False) as listener:
        replay_records(lambda: stream, settings, wait=True)
        return _judge(listener.until_now(), broken, len(stream) - len(broken), slowest)


def _with_good_ones(broken: Sequence[Malformed], seed: int, now_ms: int) -> Iterator[Record]:
    random = Random(f"{seed} good")
    for number, one in enumerate(broken):
        yield Record(Topic.EVENTS, f"u{random.randrange(1_000)}", now_ms, one.value)
        if number % _GOOD_EVERY == 0:
            event = good_event(random, number, now_ms)
            yield Record(Topic.EVENTS, event["user_id"], now_ms, json.dumps(event).encode())


def _judge(
    observed: Sequence[KafkaRecord], broken: Sequence[Malformed], good: int, slowest: tuple[str, float]
) -> Refusals:
    sent = Counter(one.value for one in broken)
    allowed: defaultdict[bytes | None, set[str]] = defaultdict(set)
    for one in broken:
        allowed[one.value] |= one.reasons
    letters = {_header(r, "headrace.id"): r for r in observed if r.topic == Topic.DEAD_LETTERS}
    reasons = {place: _header(letter, "headrace.reason") for place, letter in letters.items()}
    came = Counter(letter.value for letter in letters.values())
    name, took_ms = slowest
    return Refusals(
        sent=len(broken),
        dead_letters=len(letters),
        by_reason=dict(sorted(Counter(reasons.values()).items())),
        wrong_reason=sum(reason not in allowed[letters[place].value] for place, reason in reasons.items()),
        changed=(came - sent).total(),
        good=good,
        answered=len({_decoder.decode(r.value or b"").event_id for r in observed if r.topic == Topic.RECOMMENDATIONS}),
        slowest_ms=took_ms,
        slowest=name,
    )


def _header(record: KafkaRecord, name: str) -> str:
    return dict(record.headers)[name].decode()
