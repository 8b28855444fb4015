"""Items that the served version does not know: they ride along as extra candidates, with their text vectors."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np

from feature_repo import catalogue as rows
from feature_repo.identity import NO_ITEM, item_hash
from feature_repo.row_store import Kind, RowStore
from streams.engine.catalogue import Catalogue, Entry
from streams.engine.triton import Triton
from streams.messages.wire import MODEL, DescribeAnswer, DescribeTensors, Floats, Ints

_TEXTS_AT_ONCE = 64

T = TypeVar("T")


def describe(probe: Sequence[int], texts: Sequence[str]) -> DescribeTensors:
    """A "describe" request: which hashes the version knows, and the vectors of texts."""
    encoded = [text.encode("utf-8", "replace") or b" " for text in texts] or [b" "]
    return DescribeTensors(
        probe_item=np.array(probe or [NO_ITEM], np.int64),
        text_bytes=np.frombuffer(b"".join(encoded), np.uint8),
        text_length=np.array([len(text) for text in encoded], np.int32),
    )


class NewItems:
    """Extra candidates for one model version, brought up to date when the catalogue or the version changes."""

    def __init__(self, catalogue: Catalogue, store: RowStore, triton: Triton) -> None:
        self._catalogue = catalogue
        self._store = store
        self._triton = triton
        self._turn = asyncio.Lock()
        self._seen_changes = -1
        self._vectors: dict[int, Floats] = {}
        self._probed: set[int] = set()
        self.version = ""
        self.popular: Ints = np.zeros(0, np.int64)
        """The version's most popular items: the fallback when the model does not answer."""
        self.items: Ints = np.array([NO_ITEM], np.int64)
        self.matrix: Floats = np.zeros((1, 1), np.float32)

    async def refresh(self, version: str | None = None) -> None:
        """Probe what is new in the catalogue; for another version, forget everything first.

        Raises:
            ModelUnavailable: Triton cannot say; what was known stays.
        """
        async with self._turn:
            if version is not None and version != self.version:
                self._forget()
            while not await self._is_fresh():
                pass

    async def _is_fresh(self) -> bool:
        """Look once; False when the version was swapped meanwhile, so that another look is due."""
        if self._seen_changes == self._catalogue.changes and self.version:
            return True
        changes = self._catalogue.changes
        unprobed = [key for key in self._catalogue if key not in self._probed]
        answer, now = await self._triton.ask(MODEL, describe(unprobed, []), len(unprobed) // 100, DescribeAnswer)
        if self._probed and now != self.version:  # swapped since the last look: what was known is of another version
            self._forget()
            return False
        self.version = now
        self.popular = answer.popular
        unknown = [key for key, known in zip(unprobed, answer.known, strict=False) if not known]
        await self._encode(unknown)
        self._probed.update(unprobed)
        self._seen_changes = changes
        self._rebuild(answer.text_vector.shape[1])
        return True

    def doubt(self) -> None:
        """Look again at the next refresh: a version that nobody has heard of may refuse what this one knew."""
        self._seen_changes = -1

    def _forget(self) -> None:
        self._vectors, self._probed, self._seen_changes = {}, set(), -1

    async def vectors_of_unknown(self, texts: Mapping[str, str]) -> tuple[dict[str, bytes], str]:
        """Text vectors (float32 bytes) of those items, by id, that the served version does not know; and the version.

        Raises:
            ModelUnavailable: Triton cannot say.
        """
        ids = list(texts)
        probe = describe([item_hash(item_id) for item_id in ids], [])
        answer, version = await self._triton.ask(MODEL, probe, len(ids) // 100, DescribeAnswer)
        unknown = [item_id for item_id, known in zip(ids, answer.known, strict=False) if not known]
        vectors: dict[str, bytes] = {}
        for part in _parts(unknown):
            request = describe([], [texts[item_id] for item_id in part])
            answer, now = await self._triton.ask(MODEL, request, len(part), DescribeAnswer)
            if now == version:
                vectors |= {item_id: answer.text_vector[i].tobytes() for i, item_id in enumerate(part)}
        return vectors, version

    async def _encode(self, unknown: list[int]) -> None:
        entries = [(key, entry) for key in unknown if (entry := self._catalogue.get(key))]
        for part in _parts(entries):
            stored = await self._stored([entry.item_id for _, entry in part])
            missing = [pair for pair, vector in zip(part, stored, strict=True) if vector is None]
            self._vectors |= {key: v for (key, _), v in zip(part, stored, strict=True) if v is not None}
            self._vectors |= await self._computed(missing)

    async def _stored(self, item_ids: list[str]) -> list[Floats | None]:
        found = [rows.unpack(row.states[0]) for row in await self._store.read(Kind.ITEM, item_ids)]
        return [
            np.frombuffer(item.text_vector, "<f4") if item.encoder_version == self.version else None for item in found
        ]

    async def _computed(self, missing: list[tuple[int, Entry]]) -> dict[int, Floats]:
        if not missing:
            return {}
        request = describe([], [entry.text for _, entry in missing])
        answer, now = await self._triton.ask(MODEL, request, len(missing), DescribeAnswer)
        if now != self.version:  # swapped meanwhile: the next answer's version starts this over
            return {}
        return {key: answer.text_vector[i] for i, (key, _) in enumerate(missing)}

    def _rebuild(self, width: int) -> None:
        keys = sorted(self._vectors)
        self.items = np.array(keys or [NO_ITEM], np.int64)
        self.matrix = np.zeros((len(self.items), width), np.float32)
        for row, key in enumerate(keys):
            self.matrix[row] = self._vectors[key]


def _parts(whole: Sequence[T]) -> Iterator[list[T]]:
    rest = iter(whole)
    while part := list(islice(rest, _TEXTS_AT_ONCE)):
        yield part
