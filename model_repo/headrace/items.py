"""A version's items and those that a request brings along: hashes to rows, rows to vectors.

Stands alone beside `scorer.py`. Shape letters: N items, E extra items, D width.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

NO_ITEM = 0

Tensors = Mapping[str, Tensor]


_LEAST_INFORMATIVE = 0.1
"""Of what an item's text says on average: a new item whose text says less is as one that is unknown."""


class Lookup(NamedTuple):
    """The version's items, then the request's extra ones, then one row for everything unknown."""

    every_item: Tensor  # [N + E + 1]  NO_ITEM for the unknown
    extra_item: Tensor  # [E] sorted
    tail_vector: Tensor  # [E + 1, D]
    tail_bias: Tensor  # [E + 1]  -inf for the unknown
    tail_informative: Tensor  # [E + 1]  whether a vector says more than that of the unknown
    unknown: int  # N + E, the row of everything unknown


class Kinds(NamedTuple):
    """Which rows are of which categories: pairs in order of category."""

    category: Tensor  # [S] hashes, ascending
    row: Tensor  # [S]


class Context(NamedTuple):
    """What a request says of the shop, the same for all its shoppers, worked out."""

    lookup: Lookup
    bias: Tensor  # [N + E + 1]
    kinds: Kinds | None = None  # where it says something of categories


class Items:
    """The items of a version, by the arrays that `scorer.ServedScorer` takes."""

    def __init__(self, arrays: Tensors) -> None:
        self._arrays = arrays
        self.hashes = arrays["item_hash"]
        self.table = arrays["item_vector"]
        self.mean_bias = arrays["item_bias"].mean()
        self.mean_vector = self.table.mean(dim=0)
        self.mean_text = arrays["item_text"].mean(dim=0)
        self._least_informative = _LEAST_INFORMATIVE * arrays["item_text"].norm(dim=1).mean()
        self.nothing_new = self._extended(self.hashes[:0], self.table[:0])
        """The items of the version, and no others."""

    def __len__(self) -> int:
        return len(self.hashes)

    def known(self, probe: Tensor) -> Tensor:
        """Which hashes this version knows. [P] uint8"""
        return (_find(self.hashes, probe) < len(self)).to(torch.uint8)

    def repeats(self, probe: Tensor) -> Tensor:
        """Which hashes are of items that are bought again in this shop. [P] uint8"""
        row = _find(self.hashes, probe)
        repeats = self._arrays["repeats"][row.clamp(max=len(self) - 1)]
        return torch.where(row < len(self), repeats, 0).to(torch.uint8)

    def lookup(self, items: Tensor, vectors: Tensor) -> Lookup:
        """These and the items that a request brings along, less those that the version knows."""
        return self._extended(items, vectors) if items.any() else self.nothing_new

    def rows(self, lookup: Lookup, items: Tensor) -> Tensor:
        """Rows of items in version, extras, unknown; any shape."""
        n, e = len(self), len(lookup.extra_item)
        row = _find(self.hashes, items)
        if e == 0:
            return row
        extra = _find(lookup.extra_item, items)
        return torch.where(row < n, row, torch.where(extra < e, n + extra, n + e))

    def informative(self, lookup: Lookup, rows: Tensor) -> Tensor:
        """Whether of an item more is known than that it is one. [...]"""
        tail_row = (rows - len(self)).clamp(min=0)
        return (rows < len(self)) | lookup.tail_informative[tail_row]

    def vectors(self, lookup: Lookup, rows: Tensor) -> Tensor:
        """What the behaviour encoder and the scores know items by. [..., D]"""
        return self._with_tail(self.table, lookup, rows)

    def text_parts(self, lookup: Lookup, rows: Tensor) -> Tensor:
        """The part of the vectors that the items' texts make; a new item is nothing but its text. [..., D]"""
        return self._with_tail(self._arrays["item_text"], lookup, rows)

    def context(self, tensors: Tensors) -> Context:
        """The context that a request brings along whole."""
        lookup = self.lookup(tensors["extra_item"], tensors["extra_vector"])
        return Context(lookup, self.bias(tensors, lookup), self.kinds(tensors, lookup))

    def kinds(self, tensors: Tensors, lookup: Lookup) -> Kinds | None:
        """The categories of items, where a context says any."""
        if "category" not in tensors or not len(tensors["category"]):
            return None
        category, order = tensors["category"].sort(stable=True)
        return Kinds(category, self.rows(lookup, tensors["category_item"])[order])

    def bias(self, tensors: Tensors, lookup: Lookup) -> Tensor:
        """What each item scores before any history counts; -inf for what is withdrawn. [N + E + 1]"""
        bias = torch.cat([self._arrays["item_bias"], lookup.tail_bias])
        bias.index_add_(0, self.rows(lookup, tensors["boost_item"]), tensors["boost"])
        return bias.index_fill_(0, self.rows(lookup, tensors["withdrawn"]), -torch.inf)

    def prior(self, rows: Tensor) -> Tensor:
        """Logits of the items' average click rates; the shop's, for those that the version does not know. [...]"""
        prior = self._arrays["item_prior"][rows.clamp(max=len(self) - 1)]
        return torch.where(rows < len(self), prior, self._arrays["new_prior"])

    def _extended(self, items: Tensor, vectors: Tensor) -> Lookup:
        new = (self.known(items) == 0) & (items != NO_ITEM)
        items, order = items[new].sort(stable=True)
        first = torch.ones_like(items, dtype=torch.bool)
        first[1:] = items[1:] != items[:-1]
        tail = torch.cat([vectors[new][order][first], self._arrays["unknown_vector"].unsqueeze(0)])
        bias = self._arrays["new_bias"].expand(len(tail)).clone()
        bias[-1] = -torch.inf
        every = torch.cat([self.hashes, items[first], items.new_full((1,), NO_ITEM)])
        informative = (tail - self._arrays["unknown_vector"]).norm(dim=1) > self._least_informative
        return Lookup(every, items[first], tail, bias, informative, len(every) - 1)

    def _with_tail(self, table_ND: Tensor, lookup: Lookup, rows: Tensor) -> Tensor:
        """A table's rows, and the tail's vectors for rows beyond it: few or none, so these are put in one by one."""
        n = len(table_ND)
        found = torch.nn.functional.embedding(rows.clamp(max=n - 1), table_ND)  # copies rows; indexing, numbers
        tail_row = rows >= n
        found[tail_row] = lookup.tail_vector[rows[tail_row] - n]
        return found


def _find(known: Tensor, items: Tensor) -> Tensor:
    """Place of each item among sorted hashes, their number where it is not among them."""
    if len(known) == 0:
        return torch.zeros_like(items)
    at = torch.searchsorted(known, items.contiguous()).clamp(max=len(known) - 1)
    return torch.where(known[at] == items, at, len(known))
