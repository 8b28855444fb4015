"""What a replay left behind, and how two of them differ."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from math import isclose
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from feature_repo.store.reading import every_line
from feature_repo.store.row_store import RowStore
from headrace.settings.model import Settings
from headrace.topics import ANSWERS, Topic
from streams.serving.shopper_scorer.fallback import MODEL_UNAVAILABLE
from streams.testing.client import Client, Message

_TOLERANCE: Final = 1e-4
"""The size of a batch changes the last bits of a matrix product."""


class Traces(NamedTuple):
    """What one replay left behind.

    Attributes:
        features: every row of the online store, a line each, in order.
        outputs: by id, the first of each.
        repeats: outputs that came again under an id.
        differing_repeats: ids under which something else came again.
        dead_letters: the ids of the dead letters, each the place of its record.
    """

    features: list[bytes]
    outputs: Mapping[str, Any]
    repeats: int
    differing_repeats: list[str]
    dead_letters: frozenset[str]


class Verdict(Struct, frozen=True):
    """How a disturbed run differs from the undisturbed one. All but `repeats` are to be 0.

    Attributes:
        lost: outputs of the undisturbed run, triggers' answers apart, and dead letters that never came.
        unanswered: triggers and impressions without an answer.
        differing_features: lines of the feature dumps that are not in both.
        differing_duplicates: ids under which two different outputs came, in one run or in the two.
        unexpected: outputs and dead letters that the undisturbed run does not have.
        repeats: outputs that came again, equal.
    """

    lost: int
    unanswered: int
    differing_features: int
    differing_duplicates: int
    unexpected: int
    repeats: int

    @property
    def holds(self) -> bool:
        """Whether nothing was lost and nothing differs."""
        return not (
            self.lost or self.unanswered or self.differing_features or self.differing_duplicates or self.unexpected
        )


def collect(client: Client) -> Traces:
    """Everything that came to a client, and the features of its group."""
    outputs: dict[str, Any] = {}
    differing: list[str] = []
    repeats = 0
    for message in _in_turn(client, ANSWERS):
        first = outputs.setdefault(message.value["id"], message.value)
        if first is not message.value:
            repeats += 1
            if not alike(first, message.value) and not _is_fallback(first, message.value):
                differing.append(message.value["id"])
    dead = frozenset(message.headers["headrace.id"] for message in client.received(Topic.DEAD_LETTERS))
    return Traces(_features(client.settings), outputs, repeats, differing, dead)


def compare(plain: Traces, disturbed: Traces, *, without_model: bool = False) -> Verdict:
    """Hold a disturbed run against the undisturbed one of the same recording.

    Args:
        without_model: Triton was away for a while. What stood in for its answers is equal by id alone, and of alerts,
            which follow from forecasts, nothing can be said.
    """
    if without_model:
        plain, disturbed = _without_alerts(plain), _without_alerts(disturbed)
    missing = plain.outputs.keys() - disturbed.outputs.keys()
    unanswered = {one for one in missing if one.startswith(("recommend/", "ctr/"))}
    differing = [one for one in plain.outputs.keys() & disturbed.outputs.keys() if not _same(plain, disturbed, one)]
    return Verdict(
        lost=len(missing - unanswered) + len(plain.dead_letters - disturbed.dead_letters),
        unanswered=len(unanswered),
        differing_features=len(set(plain.features) ^ set(disturbed.features)),
        differing_duplicates=len({*disturbed.differing_repeats, *differing}),
        unexpected=len(disturbed.outputs.keys() - plain.outputs.keys())
        + len(disturbed.dead_letters - plain.dead_letters),
        repeats=disturbed.repeats,
    )


def alike(one: Any, other: Any) -> bool:
    """Equal, numbers to 1e-4."""
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=0, abs_tol=_TOLERANCE)
    if isinstance(one, dict) and isinstance(other, dict):
        mine: Mapping[str, Any] = one
        return mine.keys() == other.keys() and all(alike(value, other[name]) for name, value in mine.items())
    if isinstance(one, list) and isinstance(other, list):
        items: Sequence[Any] = one
        return len(items) == len(other) and all(map(alike, items, other))
    return bool(one == other)


def _features(settings: Settings) -> list[bytes]:
    with asyncio.Runner() as runner:
        store = runner.run(RowStore.open(settings))
        try:
            return [msgspec.json.encode(line, order="deterministic") for line in every_line(store, runner)]
        finally:
            runner.run(store.close())


def _same(plain: Traces, disturbed: Traces, output_id: str) -> bool:
    one, other = plain.outputs[output_id], disturbed.outputs[output_id]
    return alike(one, other) or _is_fallback(one, other)


def _is_fallback(*outputs: Mapping[str, Any]) -> bool:
    return any(output.get("fallback") == MODEL_UNAVAILABLE for output in outputs)


def _without_alerts(traces: Traces) -> Traces:
    kept = {one: output for one, output in traces.outputs.items() if not one.startswith(f"{Topic.DEMAND_ALERTS}/")}
    return traces._replace(outputs=kept)


def _in_turn(client: Client, topics: Iterable[str]) -> Iterable[Message]:
    return (message for topic in topics for message in client.received(topic))
