"""The facts of a catalogue's items: text components, the level of similar items, the usual price."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from feature_repo.basics.identity import NO_ITEM, item_hash
from headrace.arrays import DEMAND_HISTORY, Floats
from trainer.demand.item_facts import FACTS, TEXT_PARTS, FactTables
from trainer.demand.series import DemandSeries, Described
from trainer.text.encoder import embed, load_text_model

TextVectors = Callable[[Sequence[str]], Floats]
"""Unit vectors of texts, a row each."""

_SIMILAR: Final = 10
_MOST_COMPARED: Final = 20_000
"""Best sellers among which similar items are looked for."""
_SLICE: Final = 1_024
_LEAST: Final = 0.05  # units a window; keeps the level of what hardly sells away from zero


def installed_vectors(texts: Sequence[str]) -> Floats:
    """Vectors by the text encoder that is installed with Headrace."""
    cpu = torch.device("cpu")
    return embed(load_text_model(None, cpu), list(texts), cpu, lambda _: None).numpy()


def made_already(known: Mapping[str, Floats], rest: TextVectors) -> TextVectors:
    """Vectors that are there, and `rest` for texts that are not: a withdrawn item's, say, that only demand knows of."""

    def vectors(texts: Sequence[str]) -> Floats:
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        found = {**known, **(dict(zip(missing, rest(missing), strict=True)) if missing else {})}
        return np.stack([found[text] for text in texts])

    return vectors


def describe(series: DemandSeries, until: int, vectors: TextVectors) -> FactTables:
    """Tables of all items that the catalogue describes.

    An item's similar ones are the ten with the nearest texts among those that sold; itself is not one of them, so the
    fact says nothing of the item's own sales.

    Args:
        until: column of the series; what was sold from then on is not looked at.
        vectors: of item texts.
    """
    items = sorted(series.catalogue.items(), key=lambda named: item_hash(named[0]))
    if not items:
        return _nothing()
    text_NT = vectors([described.text for _, described in items])
    facts = np.concatenate(
        [
            _components(text_NT),
            _similar_level(text_NT, _levels([name for name, _ in items], series, until))[:, None],
            _usual_prices(items, series, until)[:, None],
        ],
        1,
    ).astype(np.float32)
    hashes = np.array([item_hash(name) for name, _ in items], np.int64)
    categories, row = np.unique([_category(described) for _, described in items], return_inverse=True)
    sums = np.zeros((len(categories), FACTS), np.float32)
    np.add.at(sums, row, facts)
    means = sums / np.bincount(row)[:, None].astype(np.float32)
    return FactTables(*(torch.from_numpy(table) for table in (hashes, facts, categories, means)))


def _nothing() -> FactTables:
    """Tables for a stream without a catalogue: one row that nothing finds."""
    none, facts = torch.tensor([NO_ITEM]), torch.zeros(1, FACTS)
    return FactTables(none, facts, none, facts)


def _category(described: Described) -> int:
    return item_hash(described.category) if described.category else NO_ITEM


def _components(text_NT: Floats) -> Floats:
    """Principal components, the first with variance 1. [N, P]"""
    centred = text_NT - text_NT.mean(0)
    _, _, directions = np.linalg.svd(centred[:_MOST_COMPARED], full_matrices=False)
    parts = centred @ directions[:TEXT_PARTS].T
    found = np.zeros((len(text_NT), TEXT_PARTS), np.float32)
    found[:, : parts.shape[1]] = parts / max(float(parts[:, 0].std()), 1e-6)
    return found


def _levels(names: list[str], series: DemandSeries, until: int) -> Floats:
    """Log of the units a window that each item sold since its first sale; NaN for none. [N]"""
    units = series.units[:, DEMAND_HISTORY:until]
    age = np.maximum((units.cumsum(1) > 0).sum(1), 1)
    level = np.where(units.any(1), np.log(units.sum(1) / age + _LEAST), np.nan)
    by_name = dict(zip(series.item_ids, level.tolist(), strict=True))
    return np.array([by_name.get(name, np.nan) for name in names], np.float32)


def _similar_level(text_NT: Floats, level_N: Floats) -> Floats:
    """Mean log level of the nearest items that sold. [N]"""
    sold = np.flatnonzero(~np.isnan(level_N))
    if not len(sold):
        return np.full(len(level_N), np.log(_LEAST), np.float32)
    compared = sold[np.argsort(-level_N[sold], kind="stable")[:_MOST_COMPARED]]
    found = np.empty(len(level_N), np.float32)
    for at in range(0, len(level_N), _SLICE):
        nearness = text_NT[at : at + _SLICE] @ text_NT[compared].T
        itself = compared == np.arange(at, at + len(nearness))[:, None]
        nearness[itself] = -np.inf
        similar = min(_SIMILAR, max(len(compared) - 1, 1))
        nearest = np.argpartition(-nearness, similar - 1, axis=1)[:, :similar]
        found[at : at + _SLICE] = level_N[compared][nearest].mean(1)
    return found


def _usual_prices(items: list[tuple[str, Described]], series: DemandSeries, until: int) -> Floats:
    """Log of the median price paid, else of the catalogue's; the mean of all where neither is known. [N]"""
    paid = dict(zip(series.item_ids, _medians(series.paid[:, :until]).tolist(), strict=True))
    price = np.array([paid.get(name, 0.0) or described.price for name, described in items])
    known = price > 0
    logs = np.log(np.maximum(price, 1e-2))
    return np.where(known, logs, logs[known].mean() if known.any() else 0.0).astype(np.float32)


def _medians(paid: Floats) -> NDArray[np.float64]:
    """Median of each row over the windows with a price; 0 for none."""
    return np.array([np.median(row[row > 0]) if row.any() else 0.0 for row in paid])
