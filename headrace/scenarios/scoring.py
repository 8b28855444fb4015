"""Scorers: which served model answers the queries of scenarios, and what stands in for it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from numpy.typing import NDArray

from headrace.messages.outputs import ModelRef

Q = TypeVar("Q")
R = TypeVar("R")
Q_contra = TypeVar("Q_contra", contravariant=True)


class Scored(Protocol):
    """What every result of a scorer says."""

    @property
    def model(self) -> ModelRef:
        """Who made it."""
        ...

    @property
    def fallback(self) -> str | None:
        """None, or why no model did."""
        ...


class Result(NamedTuple):
    """What a scorer makes of one query.

    Attributes:
        value: as the scenario's `output` takes it; None for a scenario without a scorer.
        model: who made it.
        fallback: None, or why no model did.
    """

    value: Any
    model: ModelRef
    fallback: str | None


class BatchScorer(Protocol[Q_contra]):
    """A scorer that is connected: it answers the queries of a batch together, whichever scenarios they are of."""

    async def score(self, queries: Sequence[Q_contra]) -> Iterable[Scored]:
        """One result a query, in order; never raises for what a model does."""
        ...


class Serving(Protocol):
    """What a worker has to serve models with."""

    async def infer(self, model: str, inputs: Mapping[str, NDArray[Any]], rows: int) -> tuple[dict[str, Any], str]:
        """Ask a model on Triton; answers its outputs by name, and its version.

        Args:
            inputs: the tensors by name; what is of no size is not sent.
            rows: how many rows are asked for: a deadline grows with them.

        Raises:
            ModelUnavailable: there is no answer, or none that may be used.
        """
        ...


class Scorer(Protocol[Q_contra]):
    """A scorer as scenarios declare it. Queries of all scenarios that name the same one travel in one call."""

    @property
    def name(self) -> str:
        """As metrics and log lines call it."""
        ...

    def open(self, serving: Serving) -> BatchScorer[Q_contra]:
        """Connect it to a worker's serving."""
        ...


@dataclass(frozen=True, kw_only=True)
class TritonScorer(Generic[Q, R]):
    """A scorer of a model that Triton serves.

    Attributes:
        model: its name in the model repository.
        to_tensors: queries to the model's inputs by name. Pure.
        to_values: queries and the model's outputs by name to one value a query. Pure; what it raises counts as a wrong
            answer of the model.
        fallback: the value for a query that no model answers. Pure.
    """

    model: str
    to_tensors: Callable[[Sequence[Q]], Mapping[str, NDArray[Any]]]
    to_values: Callable[[Sequence[Q], Mapping[str, NDArray[Any]]], Sequence[R]]
    fallback: Callable[[Q], R]

    @property
    def name(self) -> str:
        return self.model

    def open(self, serving: Serving) -> BatchScorer[Q]:
        return _TritonBatchScorer(self, serving)


class _TritonBatchScorer(Generic[Q, R]):
    def __init__(self, scorer: TritonScorer[Q, R], serving: Serving) -> None:
        self._scorer = scorer
        self._serving = serving

    async def score(self, queries: Sequence[Q]) -> Iterable[Result]:
        from headrace.errors import ModelUnavailable

        scorer = self._scorer
        try:
            outputs, version = await self._serving.infer(scorer.model, scorer.to_tensors(queries), len(queries))
            values = self._values(queries, outputs)
        except ModelUnavailable:
            model = ModelRef(scorer.model, "")
            return [Result(scorer.fallback(query), model, "model_unavailable") for query in queries]
        return [Result(value, ModelRef(scorer.model, version), None) for value in values]

    def _values(self, queries: Sequence[Q], outputs: Mapping[str, NDArray[Any]]) -> Sequence[R]:
        from headrace.errors import WrongAnswer

        try:
            values = self._scorer.to_values(queries, outputs)
        except Exception as error:
            raise WrongAnswer("outputs", f"{self._scorer.model}: its outputs cannot be read: {error!r}") from error
        if len(values) != len(queries):
            raise WrongAnswer("outputs", f"{self._scorer.model}: {len(values)} values for {len(queries)} queries")
        return values
