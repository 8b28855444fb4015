"""Catalogue contexts by the names of their blocks: what was sent lately is kept, what is unknown is asked for.

Stands alone beside `model.py`. A context is withdrawn items, items that are new to the version with their vectors, and
live popularity, in blocks that are each named by a hash of their content. One process keeps its own.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

import torch
from torch import Tensor

from .items import Context, Items, Lookup, Tensors

WITHDRAWN, EXTRA, BOOST, CATEGORY = 1, 2, 3, 4
"""Kinds of blocks."""
MOST_BYTES: Final = 128 * 2**20
"""Of blocks that no request of the moment names: half a million new items of 64 numbers each."""
_CONTEXTS: Final = 8
"""Worked out and kept: one for each worker that asks, and those of a moment ago."""
_LOOKUPS: Final = 2
"""New items change seldom, popularity every few seconds."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Block(NamedTuple):
    """Items of one kind; of new ones vectors [R, D], of others additions to scores or categories [R], or nothing."""

    kind: int
    item: Tensor
    value: Tensor | None

    @property
    def bytes(self) -> int:
        """What it holds."""
        return sum(t.numel() * t.element_size() for t in (self.item, self.value) if t is not None)


class UnknownBlocks(Exception):
    """A request names blocks that are not held."""

    def __init__(self, names: list[int]) -> None:
        super().__init__(f"{len(names)} blocks are unknown")
        self.names = names


class Contexts:
    """What one instance of a version holds.

    Args:
        items: the version's.
        encoder: what makes its vectors of texts; new items with vectors by another are left out.
    """

    def __init__(self, items: Items, encoder: int, most_bytes: int = MOST_BYTES) -> None:
        self._items, self._encoder, self._most_bytes = items, encoder, most_bytes
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self.bytes = 0
        """Of all blocks held."""
        self._contexts: OrderedDict[tuple[bool, tuple[int, ...]], Context] = OrderedDict()
        self._lookups: OrderedDict[tuple[int, ...], Lookup] = OrderedDict()

    def of(self, tensors: Tensors) -> Context | None:
        """The context that a request names; None where it brings a whole one along, by names unknown.

        Raises:
            UnknownBlocks: some are not held; what came along is.
        """
        names = tensors["context_block"].tolist() if "context_block" in tensors else [0]
        if names == [0]:
            return None
        for name, block in _sent(tensors):
            self._store(name, block)
        ours = "extra_encoder" not in tensors or int(tensors["extra_encoder"][0]) in {0, self._encoder}
        key = ours, tuple(names)
        context = self._contexts.get(key)
        if context is None:
            context = self._compute(names, ours)
        _keep(self._contexts, key, context, _CONTEXTS)
        self._evict(frozenset(names))
        return context

    def _compute(self, names: list[int], ours: bool) -> Context:
        if unknown := [name for name in names if name not in self._blocks]:
            raise UnknownBlocks(unknown)
        for name in names:
            self._blocks.move_to_end(name)
        blocks = {name: self._blocks[name] for name in names}
        extra = tuple(name for name, block in blocks.items() if block.kind == EXTRA and ours)
        tensors = self._concatenate(blocks, extra)
        lookup = self._lookups.get(extra)
        if lookup is None:
            lookup = self._items.lookup(tensors["extra_item"], tensors["extra_vector"])
        _keep(self._lookups, extra, lookup, _LOOKUPS)
        return Context(lookup, self._items.bias(tensors, lookup), self._items.kinds(tensors, lookup))

    def _concatenate(self, blocks: Mapping[int, Block], extra: tuple[int, ...]) -> dict[str, Tensor]:
        """The tensors of a context that comes whole."""
        table = self._items.table
        popular = [block for block in blocks.values() if block.kind == BOOST]
        placed = [block for block in blocks.values() if block.kind == CATEGORY]
        new = [] if extra in self._lookups else [blocks[name] for name in extra]
        return {
            "withdrawn": _cat((b.item for b in blocks.values() if b.kind == WITHDRAWN), self._items.hashes[:0]),
            "extra_item": _cat((b.item for b in new), self._items.hashes[:0]),
            "extra_vector": _cat((b.value for b in new if b.value is not None), table[:0]),
            "boost_item": _cat((b.item for b in popular), self._items.hashes[:0]),
            "boost": _cat((b.value for b in popular if b.value is not None), table[:0, 0]),
            "category_item": _cat((b.item for b in placed), self._items.hashes[:0]),
            "category": _cat((b.value for b in placed if b.value is not None), self._items.hashes[:0]),
        }

    def _store(self, name: int, block: Block) -> None:
        before = self._blocks.pop(name, None)
        self.bytes += block.bytes - (before.bytes if before else 0)
        self._blocks[name] = block

    def _evict(self, named: frozenset[int]) -> None:
        """Of what this request does not name, the oldest: whoever names it again is asked for it."""
        if self.bytes <= self._most_bytes:
            return
        for name in [name for name in self._blocks if name not in named]:
            if self.bytes <= self._most_bytes:
                return
            self.bytes -= self._blocks.pop(name).bytes


def _sent(tensors: Tensors) -> Iterable[tuple[int, Block]]:
    """The blocks that come along, copied: a request's memory is Triton's."""
    items = {WITHDRAWN: tensors["withdrawn"], EXTRA: tensors["extra_item"], BOOST: tensors["boost_item"]}
    values = {EXTRA: tensors["extra_vector"], BOOST: tensors["boost"]}
    if "category" in tensors:
        items[CATEGORY], values[CATEGORY] = tensors["category_item"], tensors["category"]
    at = dict.fromkeys(items, 0)
    for name, kind, rows in tensors["block_sent"].tolist() if "block_sent" in tensors else ():
        if kind not in items:  # zeros: none
            continue
        place = slice(at[kind], at[kind] + rows)
        at[kind] += rows
        if at[kind] > len(items[kind]):
            raise ValueError(f"block {name} has fewer rows than the {rows} it says")
        yield name, Block(kind, items[kind][place].clone(), values[kind][place].clone() if kind in values else None)


def _cat(parts: Iterable[Tensor], none: Tensor) -> Tensor:
    found = list(parts)
    return torch.cat(found) if found else none


def _keep(kept: "OrderedDict[K, V]", key: K, value: V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
