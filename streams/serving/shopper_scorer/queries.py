"""What scenarios ask of the shopper model for one input, what they get back, and the scorer as they declare it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from feature_repo.basics.actions import ACTIONS
from feature_repo.shoppers.recent import Recent
from headrace.arrays import MODEL, REASONS
from headrace.messages.events import Event
from headrace.messages.outputs import ModelRef
from headrace.messages.requests import ScoreRequest
from headrace.scenarios import BatchScorer, LoggedFeatures, Serving
from headrace.settings.lists import ListRule

if TYPE_CHECKING:
    from streams.serving.serving import WorkerServing

Input = Event | ScoreRequest


class ShopperQuery(NamedTuple):
    """One row of a batch's model request.

    Attributes:
        input: the event or request to answer.
        recent: the shopper's history as of the input, oldest first.
        exclude: item hashes never recommended to this shopper now, 8 bytes each.
        recommend: whether recommendations are wanted.
        candidates: items whose click probability is wanted, in the order shown.
        channel: the platform of the input; context for the click head, as `input.context` is.
        rule: what the list is to be.
        bought: item hashes that are not recommended either unless items of their kind are bought again, 8 bytes each.
    """

    input: Input
    recent: Recent
    exclude: bytes
    recommend: bool
    candidates: Sequence[str]
    channel: str
    bought: bytes = b""
    rule: ListRule = ListRule()


class RankedItems(NamedTuple):
    """A recommended list, as plain numbers: messages are made of them.

    Attributes:
        items: item hashes, best first, NO_ITEM where fewer remain. [K]
        scores, ctrs: of these items; a NaN ctr means that the version has no click head. [K]
        reason_events: positions in the model's history of L events, -1 for none. [R, K]: a list for the first reasons
            and one for the second, since a small list an item costs more to make and to forget than what it holds.
        reason_weights: what that event added to the score. [R, K]
        parts: which of `PARTS` of the item itself added most. [K]
        part_weights: and how much. [K]
    """

    items: Sequence[int]
    scores: Sequence[float]
    ctrs: Sequence[float]
    reason_events: Sequence[Sequence[int]]
    reason_weights: Sequence[Sequence[float]]
    parts: Sequence[int]
    part_weights: Sequence[float]


NO_ITEMS_RANKED: Final = RankedItems((), (), (), ((),) * REASONS, ((),) * REASONS, (), ())


class ShopperResult(NamedTuple):
    """What the model, or the fallback in its place, answers to one query.

    Attributes:
        ranked: what is recommended; nothing where nothing is wanted.
        candidate_ctrs: click probability of each candidate asked for. [m]
    """

    ranked: RankedItems
    candidate_ctrs: Sequence[float]
    model: ModelRef
    fallback: str | None


def logged_features(input_: Input, query: ShopperQuery) -> LoggedFeatures:
    """What `feature.log` holds of a query. Pure."""
    return LoggedFeatures(
        {
            "recent_items": query.recent.items,
            "recent_actions": list(map(ACTIONS.__getitem__, query.recent.actions)),
            "recent_times": query.recent.times,
            "channel": query.channel,
            "context": input_.context or {},
        },
        list(query.candidates) or None,
    )


class _ShopperScorer:
    """The scorer of the model `headrace`: recommendations and click probabilities in one call."""

    name = MODEL

    def open(self, serving: Serving) -> BatchScorer[ShopperQuery]:
        """Connect it; loaded then, since whoever only lists scenarios needs no Triton client."""
        from streams.serving.shopper_scorer.scorer import ShopperBatchScorer

        return ShopperBatchScorer(cast("WorkerServing", cast(Any, serving)))


SHOPPER_SCORER: Final = _ShopperScorer()
