"""Read a file of sequences, one `user item item …` a line in time order, and what is known of the items."""

import re
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from headrace.arrays import Ints
from headrace.errors import UsageError
from headrace.files.input import text_lines
from trainer.behaviour.items import Attributes

#: A column of an atomic file, as RecBole writes them.
_RECBOLE: Final = re.compile(r":(token|float|token_seq|float_seq)$")


class SequenceFile(NamedTuple):
    """Users and what they took up, in time order. Items are rows of `item_ids`, sorted by name."""

    user_ids: list[str]
    item_ids: list[str]
    taken: list[Ints]  # one array of item rows a user, never empty


def read_sequences(path: Path) -> SequenceFile:
    """Read a file of sequences.

    Raises:
        UsageError: no such file, or a line that is no sequence, named by its number.
    """
    users: dict[str, list[str]] = {}
    for number, line in enumerate(text_lines(path), 1):
        fields = line.split()
        if not fields:
            continue
        if number == 1:
            _no_header(path, fields)
        user, *items = fields
        if not items:
            raise UsageError(f"{path}, line {number}: user {user} has no items; write `user item item …`")
        if user in users:
            raise UsageError(f"{path}, line {number}: user {user} stands on an earlier line too; one line a user")
        users[user] = items
    if not users:
        raise UsageError(f"{path} holds no sequence; write one `user item item …` a line")
    item_ids = sorted({item for items in users.values() for item in items})
    row = {item: i for i, item in enumerate(item_ids)}
    return SequenceFile(list(users), item_ids, [np.array([row[i] for i in items]) for items in users.values()])


def read_attributes(path: Path, item_ids: list[str]) -> Attributes:
    """Read `{"item": [attribute, …], …}`; items that it lacks have none, items of no sequence are left out.

    Raises:
        UsageError: no such file, or not of that form.
    """
    try:
        known = msgspec.json.decode("".join(text_lines(path)), type=dict[str, list[int | str]])
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f'{path}: {error}; it must be JSON like {{"item": [1, 2]}}') from error
    lists = [known.get(item, []) for item in item_ids]
    names = sorted({str(a) for row in lists for a in row})
    index = {name: i for i, name in enumerate(names)}
    return Attributes.of([[index[str(a)] for a in row] for row in lists])


def _no_header(path: Path, fields: list[str]) -> None:
    """Refuse the first line of a table of interactions: it would be taken for a user, and each row for another."""
    names = [field.partition(":")[0].lower().replace("_", "") for field in fields]
    if all(_RECBOLE.search(field) for field in fields) or names[:2] in (["userid", "itemid"], ["user", "item"]):
        raise UsageError(
            f"{path}, line 1: {' '.join(fields)} is the header of a table of interactions; write the items of each "
            "user on one line, in time order: `user item item …`, without a header"
        )
