"""Why each item of a list is in it, in the words of a table: the shopper's events and what lies in the item."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter

from feature_repo.basics.actions import ACTIONS
from feature_repo.shoppers.recent import Recent
from headrace.arrays import HISTORY, PARTS
from headrace.messages.outputs import RecommendationReason
from headrace.reason_texts import ReasonTexts
from streams.serving.catalogue.catalogue import Catalogue, Entry
from streams.serving.catalogue.context import BOOST_POINT
from streams.serving.shopper_scorer.queries import RankedItems

_BY_WEIGHT = attrgetter("weight")


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
        self._by_event: dict[int, tuple[str, str, str] | None] = {}

    def of_list(
        self, ranked: RankedItems, entries: Sequence[Entry | None], otherwise: str
    ) -> Iterator[list[RecommendationReason]]:
        """The reasons of each entry, those of more weight first.

        Args:
            otherwise: the kind of reason of items without evidence.
        """
        (events, more_events), (weights, more_weights) = ranked.reason_events, ranked.reason_weights
        columns = zip(
            entries,
            zip(events, weights, strict=True),
            zip(more_events, more_weights, strict=True),
            zip(ranked.parts, ranked.part_weights, strict=True),
            strict=True,
        )
        nothing = [RecommendationReason(otherwise, self._texts.other[otherwise], 0.0)]
        for entry, first, second, (part, part_weight) in columns:
            if entry is None:
                yield []
                continue
            reasons = list(self._of_events(entry, (first, second)))
            if part_weight > 0:
                kind = PARTS[part]
                reasons.append(RecommendationReason(kind, self._texts.other[kind], part_weight))
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

    def _of_events(self, entry: Entry, places: Iterable[tuple[int, float]]) -> Iterator[RecommendationReason]:
        before = ""
        for place, weight in places:
            reason = self._by_event[place] if place in self._by_event else self._reason_of(place)
            if reason is None:
                continue
            kind, text, item_id = reason
            if item_id == entry.item_id:
                text = self._texts.of_itself[kind]
            if text != before:  # two items may have one title
                yield RecommendationReason(kind, text, weight, item_id)
            before = text

    def _reason_of(self, place: int) -> tuple[str, str, str] | None:
        """Kind, text and item of the reason that lies in the event at a place; None where there is none."""
        reason = None
        if place >= self._begin:
            kind, item_id = ACTIONS[self._recent.actions[place - self._begin]], self._recent.items[place - self._begin]
            title = self._catalogue.title(item_id)
            if title is not None and kind in self._texts.of_action:
                reason = kind, self._texts.of_action[kind].format(title=title), item_id
        self._by_event[place] = reason
        return reason
