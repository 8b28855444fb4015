"""Step 4: the queries of a batch, each answered by the scorer of its scenario, all scorers asked side by side."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from headrace.messages.outputs import ModelRef
from headrace.scenarios import BatchScorer, Result, Scenario, Scorer, Serving

_NONE: Final = ""
"""In place of a scorer's name, of scenarios that need no model."""


class Pending(Protocol):
    """A query, and the scenario whose scorer answers it."""

    @property
    def scenario(self) -> Scenario: ...
    @property
    def query(self) -> Any: ...


class Scorers:
    """The scorers of all scenarios, connected."""

    def __init__(self, scenarios: Sequence[Scenario], serving: Serving) -> None:
        declared: dict[str, Scorer[Any]] = {}
        for scenario in scenarios:
            if scenario.scorer is not None:
                declared.setdefault(scenario.scorer.name, scenario.scorer)
        self._scorers: Mapping[str, BatchScorer[Any]] = {
            name: scorer.open(serving) for name, scorer in declared.items()
        }

    async def score(self, queries: Sequence[Pending]) -> Iterable[Any]:
        """One result a query, in their order, to be gone through once; never raises for what a model does."""
        by_scorer: dict[str, list[Any]] = {}
        for one in queries:
            by_scorer.setdefault(_scorer_of(one), []).append(one.query)
        if len(by_scorer) == 1 and _NONE not in by_scorer:
            [(name, of_one)] = by_scorer.items()
            return await self._scorers[name].score(of_one)
        names = [name for name in by_scorer if name != _NONE]
        results = await asyncio.gather(*(self._scorers[name].score(by_scorer[name]) for name in names))
        return _in_order(queries, dict(zip(names, map(iter, results), strict=True)))


def _scorer_of(one: Pending) -> str:
    scorer = one.scenario.scorer
    return _NONE if scorer is None else scorer.name


def _in_order(queries: Sequence[Pending], results: Mapping[str, Iterator[Any]]) -> Iterator[Any]:
    for one in queries:
        name = _scorer_of(one)
        yield Result(None, ModelRef(one.scenario.name, ""), None) if name == _NONE else next(results[name])
