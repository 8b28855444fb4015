"""A scorer of a model of one's own: one call a batch, and a fallback for its scenario alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headrace.errors import ModelUnavailable
from headrace.messages.outputs import ModelRef, OutputBase
from headrace.scenarios import OutputTopic, Result, Scenario, TritonScorer
from streams.serving.scorers import Scorers


class Models:
    """Doubles numbers; or has no model, or one of other outputs."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.requested: list[list[int]] = []

    async def infer(self, model: str, inputs: Mapping[str, NDArray[Any]], rows: int) -> tuple[dict[str, Any], str]:
        if self.fault == "absent":
            raise ModelUnavailable(f"{model}: no such model")
        self.requested.append(inputs["number"].tolist())
        assert rows == len(inputs["number"])
        return {"other" if self.fault == "outputs" else "doubled": inputs["number"] * 2}, "7"


def doubling(name: str = "doubling") -> TritonScorer[int, int]:
    def to_tensors(queries: Sequence[int]) -> Mapping[str, NDArray[Any]]:
        return {"number": np.array(queries, np.int64)}

    def to_values(queries: Sequence[int], outputs: Mapping[str, NDArray[Any]]) -> Sequence[int]:
        return outputs["doubled"].tolist()

    return TritonScorer(model=name, to_tensors=to_tensors, to_values=to_values, fallback=lambda _: -1)


class Pending:
    """A query of a scenario."""

    def __init__(self, scenario: Scenario, query: int) -> None:
        self.scenario, self.query = scenario, query


def scenario(name: str, scorer: TritonScorer[int, int] | None) -> Scenario:
    return Scenario(name=name, outputs=[OutputTopic(name=name, message=OutputBase)], scorer=scorer)


ONE, TWO, PLAIN = scenario("one", doubling()), scenario("two", doubling()), scenario("plain", None)


async def test_queries_of_scenarios_that_share_a_scorer_travel_together_and_come_back_in_order():
    models = Models()
    pending = [Pending(ONE, 1), Pending(PLAIN, 0), Pending(TWO, 2), Pending(ONE, 3)]
    found = list(await Scorers([ONE, TWO, PLAIN], models).score(pending))
    assert models.requested == [[1, 2, 3]]
    served = ModelRef("doubling", "7")
    assert found == [
        Result(2, served, None),
        Result(None, ModelRef("plain", ""), None),
        Result(4, served, None),
        Result(6, served, None),
    ]


@pytest.mark.parametrize("fault", ["absent", "outputs"])
async def test_a_model_that_is_not_served_or_has_other_outputs_is_unavailable_to_its_scenario(fault: str):
    [found] = await Scorers([ONE], Models(fault)).score([Pending(ONE, 1)])
    assert (found.value, found.fallback) == (-1, "model_unavailable")


async def test_a_scorer_whose_model_is_absent_costs_another_nothing():
    class Some(Models):
        async def infer(self, model: str, inputs: Mapping[str, NDArray[Any]], rows: int) -> tuple[dict[str, Any], str]:
            self.fault = "absent" if model == "absent" else ""
            return await super().infer(model, inputs, rows)

    absent = scenario("absent", doubling("absent"))
    found = list(await Scorers([ONE, absent], Some()).score([Pending(absent, 1), Pending(ONE, 2)]))
    assert [(one.value, one.fallback) for one in found] == [(-1, "model_unavailable"), (4, None)]


async def test_nothing_is_asked_where_no_scenario_asks():
    models = Models()
    assert list(await Scorers([ONE], models).score([])) == []
    assert models.requested == []
