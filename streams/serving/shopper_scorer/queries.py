"""A scenario's query to the model for one input, and its result."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from feature_repo.shoppers.recent import Recent
from feature_repo.shoppers.shopper import ShopperState
from headrace.arrays import REASONS
from headrace.messages.events import Event
from headrace.messages.outputs import ModelRef, OutputBase
from headrace.messages.requests import ScoreRequest
from headrace.settings.lists import ListRule
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.serving.catalogue.catalogue import Catalogue

Input = Event | ScoreRequest


class Query(NamedTuple):
    """One row of a batch's model request.

    Attributes:
        input: the event or request to answer.
        output_id: a function of the input alone.
        recent: the shopper's history as of the input, oldest first.
        exclude: item hashes never recommended to this shopper now, 8 bytes each.
        recommend: whether recommendations are wanted.
        candidates: items whose click probability is wanted, in the order shown.
        channel: the platform of the input; context for the click head, as `input.context` is.
        rule: what the list is to be.
        bought: item hashes that are not recommended either unless items of their kind are bought again, 8 bytes each.
    """

    scenario: "Scenario"
    input: Input
    output_id: str
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


class Result(NamedTuple):
    """The result of one query, from the model or its fallback.

    Attributes:
        ranked: what is recommended; nothing where nothing is wanted.
        candidate_ctrs: click probability of each candidate asked for. [m]
    """

    ranked: RankedItems
    candidate_ctrs: Sequence[float]
    model: ModelRef
    fallback: str | None


class Scenario(NamedTuple):
    """A use of the stream: data and three pure functions.

    Attributes:
        name: as in `feature.log`.
        topic: where its answers go.
        before_fold: whether the input is scored before it is folded (rule 8).
        accepts: which inputs it answers.
        make_query: input and features to a query.
        make_output: query and result to the message that goes out.
    """

    name: str
    topic: Topic
    before_fold: bool
    accepts: Callable[[Input, Settings], bool]
    make_query: Callable[["Scenario", Input, str, ShopperState, Settings], Query]
    make_output: Callable[[Query, Result, Catalogue, Settings], OutputBase]
