"""What Kafka says: which topics there are, who works on them, how far, and what was refused."""

from collections import Counter, defaultdict
from typing import Any, Final

from msgspec.structs import replace

from headrace.settings.model import Settings
from headrace.topics import Topic, item_updates, rekeyed, topics_of
from headrace_cli.status.status_report import KafkaPart, Letters, WorkerSeen
from infra.topics.admin import describe
from infra.topics.check import mismatches, sentence
from streams.kafka.admin.broker import Broker, Member
from streams.recordings.traffic.letters import marks, waiting_letters
from streams.recordings.traffic.waiting import lag

_PATIENCE_MS: Final = 5_000
_READ: Final = 50_000
"""Dead letters at most that are read to be counted."""


def check_kafka(settings: Settings, part: KafkaPart) -> KafkaPart:
    """Ask the cluster.

    Raises:
        HeadraceError: it does not answer, or keeps something from this client.
    """
    topics = topics_of(settings)
    own = [rekeyed(settings.group), item_updates(settings.group)]
    found = describe(settings.kafka_connection, [*topics.names, *own], _PATIENCE_MS)
    missing = [str(topic) for topic in topics.names if topic not in found]
    wrong = [each for topic in found.values() for each in mismatches(topic, settings) if not each.bearable]
    trouble = sentence(wrong, settings.kafka_address) if wrong else ""
    if missing:
        names = ", ".join(map(settings.kafka_connection.name_of, missing))
        trouble = f"there is no topic {names}: `headrace topics create` makes those of the contract"
    part = replace(
        part,
        answers=True,
        trouble=f"Kafka at {part.address}: {trouble}" if trouble else "",
        topics=len(topics.names) - len(missing),
        missing=missing,
        group=settings.group,
    )
    with Broker(settings.kafka_connection) as broker:
        reads = [topic for topic in (*topics.inputs, *own) if topic in found]
        return replace(part, **_work(broker, settings, reads, letters=Topic.DEAD_LETTERS in found))


def _work(broker: Broker, settings: Settings, reads: list[str], *, letters: bool) -> dict[str, Any]:
    ends, beginnings, done = broker.ends(reads), broker.beginnings(reads), broker.committed(settings.group)
    behind = {
        topic: lag({at: end for at, end in ends.items() if at.topic == topic}, beginnings, done) for topic in reads
    }
    _, members = broker.group(settings.group)
    return {
        "lag": behind,
        "workers": sorted((_seen(member) for member in members), key=lambda worker: worker.client),
        "dead_letters": _letters(broker, settings) if letters else None,
    }


def _seen(member: Member) -> WorkerSeen:
    of: defaultdict[str, list[int]] = defaultdict(list)
    for topic, partition in sorted(member.partitions):
        of[topic].append(partition)
    return WorkerSeen(member.client, member.host, dict(of))


def _letters(broker: Broker, settings: Settings) -> Letters:
    topics = [Topic.DEAD_LETTERS]
    there = sum(broker.ends(topics).values()) - sum(broker.beginnings(topics).values())
    if there > _READ:
        return Letters(max(there - len(marks(settings)), 0), exact=False)
    by_reason = Counter(letter.reason for letter in waiting_letters(settings)) if there else Counter[str]()
    return Letters(by_reason.total(), dict(by_reason.most_common()))
