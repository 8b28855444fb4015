"""How many answers appeared on the output topics."""

from msgspec import Struct

from headrace.settings import Settings
from headrace.topics import Topic, topics_of
from streams.kafka.admin.broker import Broker


class Replayed(Struct, frozen=True):
    """The result of a replay: what was sent, in how long, and what was appended to the output topics meanwhile."""

    records: int
    seconds: float
    answered: dict[str, int]
    dead_letters: int


class AnswerCounter:
    """Counts what is appended to the output topics from its making on."""

    def __init__(self, broker: Broker, settings: Settings) -> None:
        self._broker = broker
        self._topics = (*topics_of(settings).answers, Topic.DEAD_LETTERS.value)
        self._before = self._totals()

    def _totals(self) -> dict[str, int]:
        totals = dict.fromkeys(self._topics, 0)
        for partition, end in self._broker.ends(totals).items():
            totals[partition.topic] += end
        return totals

    def result(self, records: int, seconds: float) -> Replayed:
        """The counts by now."""
        now = self._totals()
        grown = {topic: now[topic] - self._before[topic] for topic in now}
        dead = grown.pop(Topic.DEAD_LETTERS.value)
        return Replayed(records, round(seconds, 3), grown, dead)
