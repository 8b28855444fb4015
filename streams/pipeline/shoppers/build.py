"""Step 5: results become messages, each on its scenario's topic, with the features that it was made from."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from headrace.errors import ScenarioFailed
from headrace.messages.internal import Entry
from headrace.messages.outputs import OutputBase
from headrace.scenarios import OutputTopic, QueryResult, Scenario
from headrace.settings import Settings
from headrace.topics import Topic
from streams.kafka.transport import PartitionBatch
from streams.pipeline import batch_log
from streams.pipeline.emit import Outbox
from streams.pipeline.poison import PoisonRecord
from streams.pipeline.shoppers.decode import Accepted, DecodedBatch
from streams.pipeline.shoppers.feature_log import feature_log, is_logged
from streams.pipeline.shoppers.fold import PendingQuery
from streams.pipeline.shoppers.item_updates import item_update_batches
from streams.pipeline.shoppers.tracing import Traced, Tracer
from streams.serving.catalogue.catalogue import Catalogue


class Answered(NamedTuple):
    """A query whose answer goes to a topic; `fallback` is why no model gave it."""

    pending: PendingQuery
    topic: str
    fallback: str | None


class Built(NamedTuple):
    """What a batch emits.

    Attributes:
        traced: answers to events that belong to a trace.
        answered: of each query that is answered, where its answer goes.
    """

    outbox: Outbox
    traced: list[Traced]
    answered: list[Answered]


class OutputBuilder:
    """Builds the messages of all scenarios; pure but for the spans of a tracer."""

    def __init__(
        self, scenarios: Sequence[Scenario], settings: Settings, partitions: int, catalogue: Catalogue, tracer: Tracer
    ) -> None:
        self._settings = settings
        self._partitions = partitions
        self._catalogue = catalogue
        self._tracer = tracer
        self._topic_of: dict[tuple[str, type[OutputBase]], OutputTopic] = {
            (scenario.name, topic.message): topic for scenario in scenarios for topic in scenario.outputs
        }

    def build(self, queries: Sequence[PendingQuery], results: Iterable[Any]) -> Built:
        """The messages of all queries.

        Raises:
            PoisonRecord: the output of a scenario raised, for the record that asked.
        """
        built = Built(Outbox(self._settings, self._partitions), [], [])
        for pending, result in zip(queries, results, strict=True):
            try:
                topic = self._add(built, pending, result)
                built.answered.append(Answered(pending, topic, result.fallback))
            except Exception as error:
                failure = ScenarioFailed(pending.scenario.name, "output", error)
                if not isinstance(pending.accepted, Accepted) or pending.input is not pending.accepted.input:
                    batch_log.timer_failed(failure)  # no record asked for it
                    continue
                raise PoisonRecord(pending.accepted, failure) from error
        return built

    def add_side_outputs(
        self, outbox: Outbox, batch: PartitionBatch, decoded: DecodedBatch, updates: Sequence[Entry]
    ) -> None:
        """Add what a partition batch leads to beside answers: dead letters, forwarded events, updates of items."""
        for rejected in decoded.rejected:
            outbox.dead_letter(*rejected)
        for misrouted in decoded.misrouted:
            outbox.forward(misrouted)
        for partition, of_items in item_update_batches(batch, updates, self._partitions):
            outbox.add_item_updates(partition, of_items)

    def _add(self, built: Built, pending: PendingQuery, result: Any) -> str:
        scenario, input_ = pending.scenario, pending.input
        accepted = pending.accepted
        trace = None
        if isinstance(accepted, Accepted) and input_ is accepted.input:
            trace = self._tracer.begin(accepted, pending.output_id)
        answer = QueryResult(input_, pending.output_id, pending.query, result, self._catalogue, self._settings)
        output = scenario.output(answer)
        topic = self._topic_of[scenario.name, type(output)]
        built.outbox.add(topic.name, topic.record_key(output), output, trace.headers if trace else ())
        if scenario.features is not None and is_logged(pending.output_id, self._settings.feature_log):
            built.outbox.add(Topic.FEATURE_LOG, input_.user_id, feature_log(pending, result.model))
        if trace is not None:
            built.traced.append(trace)
        return topic.name
