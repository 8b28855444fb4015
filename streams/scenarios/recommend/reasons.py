"""Why each item of a list is in it, in the words of a table: the shopper's events and what lies in the item."""

from collections.abc import Collection, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from feature_repo.basics.actions import ACTIONS
from feature_repo.shoppers.recent import Recent
from headrace.arrays import HISTORY, PARTS
from headrace.messages.outputs import RecommendationReason
from headrace.reason_texts import ReasonTexts
from streams.serving.catalogue.catalogue import Catalogue, Entry
from streams.serving.catalogue.context import BOOST_POINT
from streams.serving.shopper_scorer.queries import RankedItems

_BY_WEIGHT = attrgetter("weight")


class _EventReason(NamedTuple):
    """What an event says for an item: `own` in place of `text` where it is the event's own item."""

    kind: str
    text: str
    own: str
    item_id: str


class ReasonBuilder:
    """Reasons of one shopper's list; the same few events are the reason of many items.

    Args:
        recent: the history that the model saw, oldest first.
        categories: that the list is for; what is pinned for one of them is so.
    """

    def __init__(
        self, recent: Recent, catalogue: Catalogue, texts: ReasonTexts, categories: Collection[str] = ()
    ) -> None:
        self._recent = recent
        self._catalogue = catalogue
        self._texts = texts
        self._categories = categories
        self._begin = HISTORY - len(recent)  # the first place of an event: the model's histories are right-aligned
        self._by_event: dict[int, _EventReason | None] = {}

    def of_list(
        self, ranked: RankedItems, entries: Sequence[Entry | None], otherwise: str
    ) -> Iterator[list[RecommendationReason]]:
        """The reasons of each entry, those of more weight first.

        Args:
            otherwise: the kind of reason of items without evidence.
        """
        (events, more_events), (weights, more_weights) = ranked.reason_events, ranked.reason_weights
        by_event, other = self._by_event, self._texts.other
        for place in {*events, *more_events} - by_event.keys():
            by_event[place] = self._of_event(place)
        nothing = [RecommendationReason(otherwise, other[otherwise], 0.0)]
        columns = entries, events, weights, more_events, more_weights, ranked.parts, ranked.part_weights
        # One loop and no calls: it runs twenty times for each event that is answered.
        for entry, place, weight, more_place, more_weight, part, part_weight in zip(*columns, strict=True):
            if entry is None:
                yield []
                continue
            reasons: list[RecommendationReason] = []
            before = ""
            if first := by_event[place]:
                kind, before, own, item_id = first
                before = own if item_id == entry.item_id else before
                reasons.append(RecommendationReason(kind, before, weight, item_id))
            if second := by_event[more_place]:
                kind, text, own, item_id = second
                text = own if item_id == entry.item_id else text
                if text != before:  # two items may have one title
                    reasons.append(RecommendationReason(kind, text, more_weight, item_id))
            if part_weight > 0:
                reasons.append(RecommendationReason(PARTS[part], other[PARTS[part]], part_weight))
                reasons.sort(key=_BY_WEIGHT, reverse=True)
            if entry.boost or entry.pinned_for:
                reasons += self._of_the_shop(entry)
                reasons.sort(key=_BY_WEIGHT, reverse=True)
            yield reasons or nothing

    def _of_the_shop(self, entry: Entry) -> Iterator[RecommendationReason]:
        """Why an item is there that the shop has set: a pin moves its place and adds nothing to its score."""
        if entry.boost:
            weight = round(BOOST_POINT * entry.boost, 6)
            yield RecommendationReason("boosted", self._texts.other["boosted"], weight)
        if any(name in self._categories for name in entry.pinned_for):
            yield RecommendationReason("pinned", self._texts.other["pinned"], 0.0)

    def _of_event(self, place: int) -> _EventReason | None:
        """The reason that lies in the event at a place; None where the event gives none."""
        at = place - self._begin
        if at < 0:
            return None
        kind, item_id = ACTIONS[self._recent.actions[at]], self._recent.items[at]
        title = self._catalogue.title(item_id)
        if title is None or kind not in self._texts.of_action:
            return None
        return _EventReason(kind, self._texts.of_action[kind].format(title=title), self._texts.of_itself[kind], item_id)
