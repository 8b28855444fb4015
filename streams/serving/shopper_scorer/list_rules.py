"""What a request says of how lists are to be made, and the same rules for lists that popularity makes."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.shoppers.history import cells
from headrace.arrays import TOP_K, Ints
from headrace.messages.events import Event
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.shopper_scorer.queries import ShopperQuery


def rule_tensors(queries: Sequence[ShopperQuery], catalogue: Catalogue) -> dict[str, NDArray[Any]]:
    """The tensors of `ScoreTensors` that lists of another kind than a version makes by itself need; none for those."""
    wanted = [query for query in queries if query.recommend]
    tensors: dict[str, NDArray[Any]] = {}
    longest = max((query.rule.length for query in wanted), default=TOP_K)
    if longest != TOP_K:
        tensors["list_length"] = np.array([longest], np.int32)
    if any(query.rule.diversity is not None for query in wanted):
        tensors["diversity"] = np.array([_diversity(query) for query in queries], np.float32)
    pins = [pinned(query, catalogue) for query in queries] if catalogue.has_pins else ()  # mostly nothing is
    if any(pins):
        tensors["pinned"] = _padded(pins)
    held = any(query.rule.categories for query in wanted)
    required = [kept_categories(query, catalogue) for query in queries] if held else ()
    if any(required):
        tensors["kept_category"] = _padded([[item_hash(name) for name in names] for names in required])
    return tensors


def pinned(query: ShopperQuery, catalogue: Catalogue) -> Sequence[int]:
    """Hashes of what comes first in a list: what is pinned for one of the categories that it is for."""
    if not query.recommend or not catalogue.has_pins:
        return ()
    return catalogue.pinned(target_categories(query, catalogue))


def target_categories(query: ShopperQuery, catalogue: Catalogue) -> Collection[str]:
    """The categories that a list is for: those of the event's item, else those that it is held to."""
    own = _item_categories(query, catalogue)
    return own or (() if query.rule.same else query.rule.categories)


def kept_categories(query: ShopperQuery, catalogue: Catalogue) -> Sequence[str]:
    """The categories that a list is held to; none for any. `same` is the narrowest of the event's item."""
    if not query.recommend:
        return ()
    return _item_categories(query, catalogue)[-1:] if query.rule.same else query.rule.categories


def by_popularity(
    query: ShopperQuery, ranking: Iterable[int], excluded: Collection[int], catalogue: Catalogue
) -> list[int]:
    """The list that popularity makes: what is pinned, then the best ranked, under the same rules."""
    required = frozenset(kept_categories(query, catalogue))
    found: dict[int, None] = {}
    for key in (*pinned(query, catalogue), *ranking):
        if len(found) == query.rule.length:
            break
        if key == NO_ITEM or key in excluded:
            continue
        entry = catalogue.get(key)
        if not required or (entry and not required.isdisjoint(entry.categories)):
            found[key] = None
    return list(found)


def boosted_first(ranking: Sequence[int], catalogue: Catalogue) -> list[int]:
    """A ranking in which each point of a boost doubles an item's weight; a place has the weight 1 / place."""
    points = catalogue.boosted
    if not points:
        return list(ranking)
    weight = [2 ** points.get(key, 0.0) / (1 + place) for place, key in enumerate(ranking)]
    return [ranking[place] for place in sorted(range(len(ranking)), key=lambda place: -weight[place])]


def _item_categories(query: ShopperQuery, catalogue: Catalogue) -> tuple[str, ...]:
    input_ = query.input
    return catalogue.categories(input_.item_id) if isinstance(input_, Event) and input_.item_id else ()


def _diversity(query: ShopperQuery) -> float:
    return np.nan if query.rule.diversity is None else query.rule.diversity


def _padded(rows: Sequence[Sequence[int]]) -> Ints:
    lengths = [len(row) for row in rows]
    padded = np.full((len(rows), max(lengths)), NO_ITEM, np.int64)
    padded[cells(lengths)] = np.array([key for row in rows for key in row], np.int64)
    return padded
