"""The roads that a worker's process takes, and the topics that each reads."""

from typing import Final

from streams.settings import RoadChoice, Settings
from streams.topics import Topic, item_deltas, rekeyed
from streams.transport.pace import RoadTopics

_ITEMS_PAUSE_S: Final = 5.0
"""At most: nobody waits for an item's counters, and a load of many shoppers' deltas writes each item's row once. With
5 s where it had been 2 s a worker answered a tenth more events of a backlog."""
_OF_A_WINDOW: Final = 1 / 60
"""The pause is at most this share of a window."""
_SHOPPERS_PACE: Final = 0.5
"""Two loads evenly spaced for each that is under way: of the paces tried the one with the shortest waits."""


def roads_of(settings: Settings) -> dict[RoadChoice, RoadTopics]:
    """Topics, as the cluster calls them, by the name of their road. A group needs processes for both."""
    asked = frozenset[str]() if settings.catching_up else frozenset({Topic.SCORE_REQUESTS})
    shoppers, items = asked | {Topic.EVENTS, rekeyed(settings.group)}, {Topic.ITEMS, item_deltas(settings.group)}
    name_of = settings.kafka_connection.name_of
    pause_s = min(_ITEMS_PAUSE_S, settings.window / 1000 * _OF_A_WINDOW)
    roads = {
        RoadChoice.SHOPPERS: RoadTopics(frozenset(map(name_of, shoppers)), share=_SHOPPERS_PACE),
        RoadChoice.ITEMS: RoadTopics(frozenset(map(name_of, items)), pause_s=pause_s),
    }
    return {name: topics for name, topics in roads.items() if settings.road in (RoadChoice.BOTH, name)}
