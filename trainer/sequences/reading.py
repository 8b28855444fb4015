"""Read a file of sequences, one `user item item …` a line in time order, and what is known of the items."""

from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from streams.errors import UsageError
from streams.messages.wire import Ints
from trainer.behaviour.items import Attributes


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
    for number, line in enumerate(_lines(path), 1):
        fields = line.split()
        if not fields:
            continue
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
        known = msgspec.json.decode("\n".join(_lines(path)), type=dict[str, list[int | str]])
    except msgspec.DecodeError as error:
        raise UsageError(f'{path}: {error}; it must be JSON like {{"item": [1, 2]}}') from error
    lists = [known.get(item, []) for item in item_ids]
    names = sorted({str(a) for row in lists for a in row})
    index = {name: i for i, name in enumerate(names)}
    return Attributes.of([[index[str(a)] for a in row] for row in lists])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode("utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give a file of `user item item …` lines") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
