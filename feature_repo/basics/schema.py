"""Which version of its rows an online store holds, and how a program that knows less keeps its hands off them.

A version adds fields at the end, with defaults: the next program reads the rows of the one before and writes them with
what it adds. A program that meets a row with more fields than it
knows, or a store that a later version has written to, stops: it would write the row back without them.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

from headrace.errors import NewerRows

SCHEMA: Final = 4
"""Raised whenever a row of this version is more than the one before can read, in its fields or in what they mean."""

S = TypeVar("S", bound=Struct)

_REMEDY: Final = "upgrade this program, or set HEADRACE_GROUP to a group of its own"


class KeepsVersion(Protocol):
    """A store that remembers the version of its rows."""

    async def raise_schema(self, version: int) -> int:
        """Note the version unless a higher one is noted; the one that is noted now."""
        ...


async def verify(store: KeepsVersion) -> None:
    """Note that rows of this version are written from now on.

    Raises:
        NewerRows: a later version has written rows here.
    """
    if (stored := await store.raise_schema(SCHEMA)) > SCHEMA:
        raise NewerRows(f"The online store has rows of version {stored}, this program knows {SCHEMA}: {_REMEDY}.")


def reader(kind: type[S]) -> Callable[[bytes], S]:
    """A function from a row's bytes to its state; no bytes give the state of which nothing is known.

    Args:
        kind: array-like, with `forbid_unknown_fields`; every field has a default.
    """
    decode = msgspec.msgpack.Decoder(kind).decode

    def read(packed: bytes) -> S:
        try:
            return decode(packed) if packed else kind()
        except msgspec.ValidationError as error:
            raise NewerRows(f"A {kind.__name__} row is of no version that this program knows: {_REMEDY}.") from error

    return read
