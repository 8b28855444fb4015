"""The same product in two shops: item texts, true pairs, and a split of the pairs by seed."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from headrace.arrays import Ints
from headrace.errors import UsageError
from headrace.files.input import read_table


class Shops(NamedTuple):
    """Item texts of two shops, and which are the same product: row of the first, row of the second. [n, 2]"""

    first: list[str]
    second: list[str]
    pair_n2: Ints


def read_shops(first: Path, second: Path, pairs: Path) -> Shops:
    """Read two `id|name|description|…` files and the true pairs of their ids.

    Raises:
        UsageError: a file is missing, empty or not UTF-8, a column is missing, or a pair names an id that is not there.
    """
    rows_1, texts_1 = _read_items(first)
    rows_2, texts_2 = _read_items(second)
    found: list[tuple[int, int]] = []
    for line, fields in _read_table(pairs, 2)[1]:
        for path, rows, field in ((first, rows_1, fields[0]), (second, rows_2, fields[1])):
            if field not in rows:
                raise UsageError(f"{pairs}, line {line}: id {field!r} is not in {path}")
        found.append((rows_1[fields[0]], rows_2[fields[1]]))
    if len(found) < 4:
        raise UsageError(f"{pairs}: {len(found)} pairs; four are needed, to train on half of them and test on the rest")
    return Shops(texts_1, texts_2, np.array(found, np.int64))


def split_pairs(pair_n2: Ints, share: float, seed: int) -> tuple[Ints, Ints]:
    """Pairs to train on and the others."""
    order = np.random.default_rng(seed).permutation(len(pair_n2))
    cut = round(share * len(pair_n2))
    return pair_n2[order[:cut]], pair_n2[order[cut:]]


def _read_items(path: Path) -> tuple[dict[str, int], list[str]]:
    header, lines = _read_table(path, 2)
    if "id" not in header or "name" not in header:
        raise UsageError(f"{path}, line 1: columns {', '.join(header)}; needed are id and name")
    wanted = [header.index(name) for name in ("name", "description") if name in header]
    number, rows, texts = header.index("id"), dict[str, int](), list[str]()
    for line, fields in lines:
        if fields[number] in rows:
            raise UsageError(f"{path}, line {line}: id {fields[number]!r} has occurred before")
        rows[fields[number]] = len(texts)
        texts.append(" ".join(fields[i] for i in wanted if fields[i]))
    if not rows:
        raise UsageError(f"{path}: it holds no items")
    return rows, texts


def _read_table(path: Path, least: int) -> tuple[list[str], list[tuple[int, list[str]]]]:
    # No quoting: an inch mark is a plain character here.
    header, rows = read_table(path, delimiter="|", quotes=False)
    if len(header) < least:
        raise UsageError(f"{path}, line 1: {len(header)} columns; {least} or more are needed, with | between them")
    return header, [(line, [field.strip() for field in fields]) for line, fields in rows]
