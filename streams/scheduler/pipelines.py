"""The pipelines of a worker, and the topics that each reads."""

from enum import StrEnum
from typing import Final

from headrace.settings.model import Settings
from headrace.topics import Topic, item_updates, rekeyed, topics_of
from streams.scheduler.throttle import PipelineTopics

_ITEM_PAUSE_S: Final = 5.0
"""At most: nobody waits for an item's counters, and a batch of many shoppers' item updates writes each item's row once.
With 5 s where it had been 2 s a worker answered a tenth more events of a backlog."""
_ITEM_GATHER_S: Final = 0.1
"""Each event causes item updates: with an event now and then, they were two thirds of all batches."""
_MAX_PAUSE_OF_WINDOW: Final = 1 / 60
"""The pause is at most this share of a window."""
_SHOPPER_POLL_SHARE: Final = 0.5
"""Two batches evenly spaced for each that is in flight: of the paces tried the one with the shortest waits."""


class PipelineName(StrEnum):
    """What the agent of a pipeline is called."""

    SHOPPERS = "shoppers"
    ITEMS = "items"


def pipelines_of(settings: Settings) -> dict[PipelineName, PipelineTopics]:
    """Topics, as the cluster calls them, by the name of their pipeline."""
    own = frozenset({Topic.EVENTS, Topic.ITEMS})
    requests = frozenset[str]() if settings.catching_up else frozenset(topics_of(settings).inputs) - own
    shoppers, items = requests | {Topic.EVENTS, rekeyed(settings.group)}, {Topic.ITEMS, item_updates(settings.group)}
    name_of = settings.kafka_connection.name_of
    pause_s = min(_ITEM_PAUSE_S, settings.window / 1000 * _MAX_PAUSE_OF_WINDOW)
    return {
        PipelineName.SHOPPERS: PipelineTopics(frozenset(map(name_of, shoppers)), share=_SHOPPER_POLL_SHARE),
        PipelineName.ITEMS: PipelineTopics(
            frozenset(map(name_of, items)), pause_s=pause_s, gather_s=min(_ITEM_GATHER_S, pause_s)
        ),
    }
