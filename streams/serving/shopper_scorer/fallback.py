"""Results without the model, and the reasons for a fallback that outputs carry."""

from collections.abc import Iterable, Sequence
from math import nan

from feature_repo.basics.identity import NO_ITEM
from feature_repo.shoppers.exclusion import without_repeats
from feature_repo.shoppers.history import hashes
from headrace.arrays import REASONS, Ints
from headrace.messages.events import Event
from headrace.messages.outputs import ModelRef
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.shopper_scorer.list_rules import boosted_first, by_popularity
from streams.serving.shopper_scorer.queries import NO_ITEMS_RANKED, RankedItems, ShopperQuery, ShopperResult

MODEL_UNAVAILABLE = "model_unavailable"
UNKNOWN_USER = "unknown_user"
UNKNOWN_ITEM = "unknown_item"
NO_CLICK_HEAD = "no_click_head"

#: Click probability when nothing at all is known: the order of magnitude of published click rates of shops.
BASE_CTR = 0.05


def fallback_reason(query: ShopperQuery, catalogue: Catalogue) -> str | None:
    """Why the model's answer to a question is weaker than usual, or None. Pure."""
    if not query.recent:
        return UNKNOWN_USER
    input_, items = query.input, query.candidates
    if not items and isinstance(input_, Event) and input_.item_id is not None:
        items = (input_.item_id,)
    return None if all(map(catalogue.__contains__, items)) else UNKNOWN_ITEM


def best_sellers(trending: Iterable[int], popular: Ints, catalogue: Catalogue) -> list[int]:
    """The fallback's list: what trends, what the version knows as popular, the rest of the shop."""
    known = sorted(catalogue)
    listed = set(known)  # what the catalogue lacks cannot be named, and would leave a gap in the list
    first = (key for key in (*trending, *popular.tolist()) if key in listed)
    ranking = dict.fromkeys([*first, *known])
    return boosted_first([key for key in ranking if not catalogue.is_withdrawn(key)], catalogue)


def popularity_result(
    query: ShopperQuery,
    ranking: Sequence[int],
    catalogue: Catalogue,
    model: ModelRef,
    repeats: Ints | None = None,
) -> ShopperResult:
    """Answer from a popularity ranking, under the question's exclusions and rule. Pure; shapes as the model's answers.

    Args:
        repeats: as in `tensors.to_tensors`; None: all that was bought is left out.
    """
    ranked = NO_ITEMS_RANKED
    if query.recommend:
        bought = hashes(query.bought)
        excluded_bought = bought if repeats is None else without_repeats(bought, repeats)
        excluded = {*hashes(query.exclude).tolist(), *excluded_bought.tolist()}
        ranked = _ranked(by_popularity(query, ranking, excluded, catalogue), query.rule.length)
    return ShopperResult(ranked, [BASE_CTR] * len(query.candidates), model, MODEL_UNAVAILABLE)


def _ranked(best: list[int], length: int) -> RankedItems:
    return RankedItems(
        items=best + [NO_ITEM] * (length - len(best)),
        scores=[1 / (1 + place) for place in range(length)],
        ctrs=[nan] * length,
        reason_events=[[-1] * length] * REASONS,
        reason_weights=[[0.0] * length] * REASONS,
        parts=[0] * length,
        part_weights=[0.0] * length,
    )
