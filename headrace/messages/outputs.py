"""What goes out: one struct for each output topic. `id` is a function of the cause alone."""

from typing import Any, Literal

from msgspec import Struct


class ModelRef(Struct, frozen=True):
    """The model version that made an output."""

    name: str
    version: str


class OutputBase(Struct, frozen=True, kw_only=True):
    """What every output carries."""

    id: str
    timestamp: int
    model: ModelRef
    fallback: str | None = None


class RecommendationReason(Struct, frozen=True, omit_defaults=True, gc=False):
    """Why an item is in the list, and how much of its lead over the catalogue's mean item is gone without that.

    `kind` is the action of the shopper's event with `item_id`, or another of `headrace.reason_texts`.
    """

    kind: str
    text: str
    weight: float
    item_id: str | None = None


class RecommendedItem(Struct, frozen=True, gc=False):
    """One entry of a recommendation.

    `ctr` is the probability of a click at this place of the list, in the context of the event that it answers; null
    when the version has no click head, or when the list is the fallback's (`model_unavailable`).
    """

    item_id: str
    score: float
    ctr: float | None
    reasons: list[RecommendationReason]


class Recommendation(OutputBase, frozen=True, kw_only=True):
    """The answer to a trigger event, best item first; `ctr` is null without a click head or without the model."""

    event_id: str
    user_id: str
    items: list[RecommendedItem]


class ScoredItem(Struct, frozen=True, gc=False):
    """An item and the probability that the shopper clicks on it."""

    item_id: str
    ctr: float


class CtrScores(OutputBase, frozen=True, kw_only=True, omit_defaults=False):
    """The answer to an impression (`event_id`) or a score request (`request_id`); `ctr` is always a probability."""

    user_id: str
    items: list[ScoredItem]
    event_id: str | None = None
    request_id: str | None = None


class ForecastWindow(Struct, frozen=True, omit_defaults=True):
    """Demand expected in one window; quantile levels as text map to units, to a tenth below ten and whole above.

    `chance` is the probability of one unit or more, where even the highest quantile is less than one unit.
    """

    start: int
    end: int
    quantiles: dict[str, float]
    chance: float | None = None


class StockAdvice(Struct, frozen=True):
    """What a planner would order by: units of one item, for stock that arrives a lead time after it is ordered.

    Attributes:
        lead_time: ms.
        service_level: chance that stock at the reorder point lasts through the lead time.
        expected: demand expected over the lead time.
        safety_stock: kept on top of it, for the service level.
        reorder_point: order when stock on hand and on order falls to this.
        order_quantity: demand expected over the forecast's windows: what to order to cover them once more.
    """

    lead_time: int
    service_level: float
    expected: float
    safety_stock: int
    reorder_point: int
    order_quantity: int


class DemandForecast(OutputBase, frozen=True, kw_only=True):
    """Forecasts of an item's next windows, to a tenth below ten units; `chance` of any where all quantiles are below 1.

    Made when a window closed.
    """

    item_id: str
    windows: list[ForecastWindow]
    stock: StockAdvice | None = None


class DemandAlert(OutputBase, frozen=True, kw_only=True):
    """Observed demand parted from what was expected.

    `pattern` tells a passing pulse from a level that has shifted; `history` holds the units of the windows before the
    evidence, newest last.
    """

    scope: Literal["item", "category", "shop"]
    episode: str
    state: Literal["open", "update", "closed"]
    window_start: int
    window_end: int
    observed: float
    expected: float
    lower: float
    upper: float
    score: float
    direction: Literal["spike", "drop"]
    pattern: Literal["pulse", "level_shift"]
    history: list[int]
    item_id: str | None = None
    category: str | None = None


class FeatureLog(Struct, frozen=True, kw_only=True):
    """The features one output was made from, for training on what was really served."""

    output_id: str
    scenario: str
    user_id: str
    timestamp: int
    features: dict[str, Any]
    model: ModelRef
    event_id: str | None = None
    request_id: str | None = None
    items: list[str] | None = None
