"""The catalogue context of requests in blocks, each named by a hash of its content: see `messages.wire`.

An item's hash decides its block, so that one new item changes one block, and all workers make the same ones.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import numpy as np

from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import (
    BOOST_BLOCK,
    CATEGORY_BLOCK,
    EXTRA_BLOCK,
    NO_BLOCK,
    NO_BLOCK_SENT,
    NO_ENCODER,
    NOT_SENT,
    WITHDRAWN_BLOCK,
    Floats,
    Ints,
)

_MAX_ITEMS: Final = 128
"""Items a block, on average: of 20,000 new items, one more sends 25 kB again, and all names are 2 kB."""
_MIN_ITEMS: Final = 16
_NOTHING: Final = np.array([NO_ITEM], np.int64)


class Block(NamedTuple):
    """Items of one kind: withdrawn, new with their vectors [R, D], with what is added to their score [R], or once for
    each of their categories with its hash [R]."""

    name: int
    kind: int
    item: Ints
    value: Floats | Ints | None


class CatalogueContext(NamedTuple):
    """What a request says about the shop, the same for every shopper of a batch; fields as in `ScoreTensors`."""

    withdrawn: Ints  # [W]
    extra_item: Ints  # [E]
    extra_vector: Floats  # [E, D]
    boost_item: Ints  # [T]
    boost: Floats  # [T]
    context_block: Ints = NO_BLOCK  # [A]
    block_sent: Ints = NO_BLOCK_SENT  # [Y, 3]
    extra_encoder: Ints = NO_ENCODER  # [1]
    category_item: Ints = NOT_SENT  # [S]
    category: Ints = NOT_SENT  # [S]


def named(blocks: Sequence[Block], sent: Iterable[int] = (), encoder: int = 0) -> CatalogueContext:
    """A context by the names of its blocks, with the content of those whose names are `sent`."""
    blocks = blocks or [EMPTY]  # a context of nothing is named too: else it would read as one that comes along whole
    wanted = frozenset(sent)
    along = [block for block in blocks if block.name in wanted]
    new = [block for block in along if block.kind == EXTRA_BLOCK]
    popular = [block for block in along if block.kind == BOOST_BLOCK]
    placed = [block for block in along if block.kind == CATEGORY_BLOCK]
    rows = [(block.name, block.kind, len(block.item)) for block in along]
    return CatalogueContext(
        withdrawn=_joined([block.item for block in along if block.kind == WITHDRAWN_BLOCK]),
        extra_item=_joined([block.item for block in new]),
        extra_vector=np.concatenate(_values(new)) if new else np.zeros((1, 1), np.float32),
        boost_item=_joined([block.item for block in popular]),
        boost=np.concatenate(_values(popular)) if popular else np.zeros(1, np.float32),
        context_block=np.array([block.name for block in blocks], np.int64),
        block_sent=np.array(rows, np.int64) if rows else NO_BLOCK_SENT,
        extra_encoder=np.array([encoder], np.int64),
        category_item=_joined([block.item for block in placed]) if placed else NOT_SENT,
        category=np.concatenate(_values(placed)) if placed else NOT_SENT,
    )


def block_of(kind: int, item: Ints, value: Floats | Ints | None = None) -> Block:
    """A block, named by what it holds; never 0."""
    digest = blake2b(np.array([kind, len(item)], np.int64).tobytes(), digest_size=8)
    digest.update(item.tobytes())
    if value is not None:
        digest.update(value.tobytes())
    return Block(int.from_bytes(digest.digest(), "little", signed=True) or 1, kind, item, value)


EMPTY: Final = block_of(WITHDRAWN_BLOCK, _NOTHING)


class Blocks:
    """Items of one kind, in blocks; only those are made anew in which something has changed.

    Args:
        kind: of the blocks. Of new items they hold vectors, of boosted ones a number, as float32 bytes, of categories
            hashes of eight bytes, of withdrawn items nothing.
    """

    def __init__(self, kind: int) -> None:
        self._kind = kind
        self._parts: list[dict[int, bytes]] = [{}]
        self._made: dict[int, Block] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: int) -> bool:
        return key in self._parts[self._part_of(key)]

    def put(self, key: int, value: bytes = b"") -> None:
        """Add an item, or change its vector."""
        place = self._part_of(key)
        part = self._parts[place]
        if key not in part:
            self._count += 1
        elif part[key] == value:
            return
        part[key] = value
        self._made.pop(place, None)
        if self._count > _MAX_ITEMS * len(self._parts):
            self._repartition(2 * len(self._parts))

    def discard(self, key: int) -> None:
        """Take an item out, if it is there."""
        place = self._part_of(key)
        if self._parts[place].pop(key, None) is None:
            return
        self._count -= 1
        self._made.pop(place, None)
        if len(self._parts) > 1 and self._count < _MIN_ITEMS * len(self._parts):
            self._repartition(len(self._parts) // 2)

    def blocks(self) -> list[Block]:
        """All that hold something, in an order of their own."""
        for place, part in enumerate(self._parts):
            if part and place not in self._made:
                self._made[place] = self._make(part)
        return [self._made[place] for place in range(len(self._parts)) if place in self._made]

    def _part_of(self, key: int) -> int:
        return key & (len(self._parts) - 1)

    def _make(self, part: dict[int, bytes]) -> Block:
        keys = sorted(part)
        item, content = np.array(keys, np.int64), b"".join([part[key] for key in keys])
        value = None
        if self._kind == EXTRA_BLOCK:
            value = np.frombuffer(content, np.float32).reshape(len(keys), -1)
        elif self._kind == BOOST_BLOCK:
            value = np.frombuffer(content, np.float32)
        elif self._kind == CATEGORY_BLOCK:
            item = item.repeat([len(part[key]) // 8 for key in keys])
            value = np.frombuffer(content, "<i8").astype(np.int64)
        return block_of(self._kind, item, value)

    def _repartition(self, parts: int) -> None:
        before, self._parts, self._made = self._parts, [{} for _ in range(parts)], {}
        for part in before:
            for key, value in part.items():
                self._parts[self._part_of(key)][key] = value


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate(parts) if parts else _NOTHING


def _values(blocks: Iterable[Block]) -> list[Any]:
    return [block.value for block in blocks if block.value is not None]
