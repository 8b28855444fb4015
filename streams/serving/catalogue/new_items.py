"""Items that the served version does not know: they ride along as extra candidates, with their text vectors."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple, TypeVar

import numpy as np

from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.items import catalogue as rows
from feature_repo.store.row_store import Kind, RowStore
from headrace.arrays import EXTRA_BLOCK, MODEL, DescribeAnswer, DescribeTensors, Ints
from streams.serving.catalogue.catalogue import Catalogue, Entry
from streams.serving.catalogue.context_blocks import Block, Blocks
from streams.serving.models.verify import check_described
from streams.serving.triton.client import Triton

_TEXTS_AT_ONCE: Final = 64
_REFRESH_TRIES: Final = 6
"""At one refresh. Where two versions answer at one address, half of what is asked for is of the other one."""
_VERSIONS: Final = 2
"""Looked up and kept: that which answers and the one before, or the two that answer in turns."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


def describe(probe: Sequence[int], texts: Sequence[str]) -> DescribeTensors:
    """A "describe" request: which hashes the version knows, and the vectors of texts."""
    encoded = [text.encode("utf-8", "replace") or b" " for text in texts] or [b" "]
    return DescribeTensors(
        probe_item=np.array(probe or [NO_ITEM], np.int64),
        text_bytes=np.frombuffer(b"".join(encoded), np.uint8),
        text_length=np.array([len(text) for text in encoded], np.int32),
    )


class Vector(NamedTuple):
    """A text's vector as float32 bytes, and what it was made by and of (`feature_repo.items.catalogue.stamp`)."""

    vector: bytes
    stamp: str


class _Served:
    """What is known of one served version."""

    def __init__(self, version: str, encoder: int) -> None:
        self.version, self.encoder = version, encoder
        self.popular: Ints = np.zeros(0, np.int64)
        self.seen_changes = -1
        self.probed: set[int] = set()
        self.stamps: dict[int, str] = {}
        """Of the items that it does not know: what their vectors were made by and of; "" before they are."""
        self.extra = Blocks(EXTRA_BLOCK)
        self.repeats: Ints | None = np.zeros(0, np.int64)
        """Ascending."""

    def update(self, probed: Sequence[int], answer: DescribeAnswer) -> None:
        """Take in what the version says of items that it was probed for."""
        self.popular = answer.popular
        self.probed.update(probed)
        self.stamps |= {key: "" for key, known in zip(probed, answer.known, strict=False) if not known}
        if not answer.repeats.size:
            if self.repeats is not None:
                logger.warning(
                    "model version %s has no repeat purchases: bought items stay in its lists",
                    self.version,
                )
            self.repeats = None
        elif probed and self.repeats is not None:
            self.repeats = np.union1d(self.repeats, np.array(probed, np.int64)[answer.repeats[: len(probed)] > 0])


class NewItems:
    """Extra candidates for the served version, brought up to date when the catalogue or the version changes."""

    def __init__(self, catalogue: Catalogue, store: RowStore, triton: Triton) -> None:
        self._catalogue = catalogue
        self._store = store
        self._triton = triton
        self._lock = asyncio.Lock()
        self._served: dict[tuple[str, int], _Served] = {}
        self._current = _Served("", 0)
        self._is_stale = True

    @property
    def version(self) -> str:
        """That the extra candidates are for."""
        return self._current.version

    @property
    def encoder(self) -> int:
        """What made their vectors, by its content."""
        return self._current.encoder

    @property
    def popular(self) -> Ints:
        """The version's most popular items: the fallback when the model does not answer."""
        return self._current.popular

    @property
    def repeats(self) -> Ints | None:
        """Hashes of the items that are bought again, ascending; None for a version without them."""
        return self._current.repeats

    @property
    def supports_rules(self) -> bool:
        """Whether the version takes requests for lists of another length, with pins, or held to categories."""
        return self._current.repeats is not None

    def blocks(self) -> list[Block]:
        """The extra candidates, as blocks of the catalogue context."""
        return self._current.extra.blocks()

    async def refresh(self, version: str = "", encoder: int = 0) -> None:
        """Look up what is new in the catalogue, for the version that has answered where one is named.

        Raises:
            ModelUnavailable: Triton cannot say; what was known stays.
        """
        async with self._lock:
            if version and (version, encoder) != (self.version, self.encoder):
                self._switch_to(version, encoder)
            for _ in range(_REFRESH_TRIES):
                if await self._refresh_once():
                    return

    def mark_stale(self) -> None:
        """Look again at the next refresh: another version may answer now."""
        self._is_stale = True

    async def vectors_of_unknown(self, texts: Mapping[str, str]) -> dict[str, Vector]:
        """Vectors of those items, by id, that the served version does not know.

        Raises:
            ModelUnavailable: Triton cannot say.
        """
        ids = list(texts)
        if not ids:
            return {}
        answer, _ = await self._describe([item_hash(item_id) for item_id in ids], [])
        unknown = [item_id for item_id, known in zip(ids, answer.known, strict=True) if not known]
        vectors: dict[str, Vector] = {}
        for part in _parts(unknown):
            answer, _ = await self._describe([], [texts[item_id] for item_id in part])
            encoder = int(answer.encoder[0])
            for item_id, vector in zip(part, answer.text_vector, strict=True):
                vectors[item_id] = Vector(vector.tobytes(), rows.stamp(encoder, texts[item_id]))
        return vectors

    def _switch_to(self, version: str, encoder: int) -> _Served:
        """Go on with another version, with what is known of it already."""
        served = self._served.pop((version, encoder), None) or _Served(version, encoder)
        self._served[version, encoder] = self._current = served
        for oldest in list(self._served)[:-_VERSIONS]:
            del self._served[oldest]
        return served

    async def _refresh_once(self) -> bool:
        """Look once; False where another version has answered than the one looked up, or a vector is missing."""
        served, changes = self._current, self._catalogue.changes
        if served.seen_changes == changes and not self._is_stale:
            return True
        changed = list(self._catalogue.changed_since(served.seen_changes))
        unprobed = [key for key in changed if key not in served.probed]
        if unprobed or self._is_stale:
            answer, version = await self._describe(unprobed, [])
            self._is_stale = False
            served = self._switch_to(version, int(answer.encoder[0]))  # whichever has answered: what it says holds
            served.update(unprobed, answer)
            changed = list(self._catalogue.changed_since(served.seen_changes))
            if any(key not in served.probed for key in changed):
                return False
        if not await self._encode(served, changed):
            return False
        served.seen_changes = changes
        return True

    async def _encode(self, served: _Served, changed: Sequence[int]) -> bool:
        """Find or make the vectors of new items, of changed texts too; whether none is missing."""
        wanted = [
            (key, entry, stamp)
            for key in changed
            if key in served.stamps and (entry := self._catalogue.get(key))
            if served.stamps[key] != (stamp := rows.stamp(served.encoder, entry.text))
        ]
        complete = True
        for part in _parts(wanted):
            stored = await self._stored([entry.item_id for _, entry, _ in part])
            found = {key: s.vector for (key, _, stamp), s in zip(part, stored, strict=True) if s.stamp == stamp}
            missing = [(key, entry) for key, entry, _ in part if key not in found]
            found |= await self._computed(served, missing)
            for key, _, stamp in part:
                if key in found:
                    served.extra.put(key, found[key])
                    served.stamps[key] = stamp
                else:
                    complete = False
        return complete

    async def _stored(self, item_ids: list[str]) -> list[Vector]:
        found = [rows.unpack(row.states[0]) for row in await self._store.read(Kind.ITEM, item_ids)]
        return [Vector(item.text_vector, item.encoder_version) for item in found]

    async def _computed(self, served: _Served, missing: Sequence[tuple[int, Entry]]) -> dict[int, bytes]:
        if not missing:
            return {}
        answer, _ = await self._describe([], [entry.text for _, entry in missing])
        if int(answer.encoder[0]) != served.encoder:  # swapped meanwhile, or another replica's
            return {}
        return {key: answer.text_vector[i].tobytes() for i, (key, _) in enumerate(missing)}

    async def _describe(self, probe: Sequence[int], texts: Sequence[str]) -> tuple[DescribeAnswer, str]:
        tensors = describe(probe, texts)
        rows_like_shoppers = len(probe) // 100 + len(texts)
        answer, version = await self._triton.infer(MODEL, tensors, rows_like_shoppers, DescribeAnswer)
        return check_described(answer, tensors), version


def _parts(whole: Sequence[T]) -> Iterator[list[T]]:
    rest = iter(whole)
    while part := list(islice(rest, _TEXTS_AT_ONCE)):
        yield part
