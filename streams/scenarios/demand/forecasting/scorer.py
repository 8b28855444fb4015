"""What the demand model is asked when windows close, and by which version it was answered."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from feature_repo.items.item import ItemActivity
from feature_repo.items.scopes import CategoriesOf
from feature_repo.items.window_index import ClosedWindow
from headrace.arrays import DEMAND_MODEL, DemandAnswer, DemandTensors
from headrace.errors import ModelUnavailable, RequestFailed, WrongAnswer
from headrace.messages.outputs import DemandAlert, DemandForecast, ModelRef
from headrace.settings.model import Settings
from streams.scenarios.demand.evaluate import evaluate_windows
from streams.scenarios.demand.forecasting.fallback import fallback_quantiles
from streams.scenarios.demand.forecasting.queries import DemandQueries, queries
from streams.scenarios.demand.rules import DemandRules
from streams.serving.models.faults import FAILED, ModelFaults
from streams.serving.models.verify import check_forecast
from streams.serving.serving import WorkerServing
from streams.serving.shopper_scorer.fallback import MODEL_UNAVAILABLE

_MAX_ROWS: Final = 8_192
"""A window that closes for a hundred thousand items would make one request of hundreds of megabytes."""
_CONCURRENT_REQUESTS: Final = 2
"""Requests: one at the model, and the questions of the next being put. More would wait for each other's answers."""
_TRIES: Final = 4
"""Where two versions answer at one address. The last one takes nothing from what was answered before."""
_ROWS_LIKE_A_SHOPPER: Final = 100
"""So many series take as long as one shopper's list, by which deadlines grow."""


class CachingRow(Protocol):
    """The row of an item or a scope, beside which forecasts are kept in memory."""

    def merged(self) -> ItemActivity: ...
    def cached_forecasts(self, version: str) -> bytes: ...
    def cache_forecasts(self, forecasts: bytes, version: str) -> None: ...


class Models(Protocol):
    """What the served model is asked through (`streams.serving.triton.client.Triton`)."""

    async def infer(
        self, model: str, tensors: DemandTensors, rows: int, kind: type[DemandAnswer]
    ) -> tuple[DemandAnswer, str]: ...


class Forecast(NamedTuple):
    """What closed windows need, and what came of it.

    Attributes:
        result: None when there was no query.
        cached: by item, forecasts that this version made at earlier closed windows, which the queries leave out.
        fallback: why the model did not answer, if it did not.
    """

    queries: DemandQueries
    result: DemandAnswer | None
    cached: dict[str, bytes]
    model: ModelRef
    fallback: str | None


class DemandModel:
    """The served demand model, whichever version that is."""

    def __init__(self, settings: Settings, models: Models, categories_of: CategoriesOf) -> None:
        self._settings = settings
        self._models = models
        self._categories_of = categories_of
        self._faults = ModelFaults()
        self._slots = asyncio.Semaphore(_CONCURRENT_REQUESTS)
        self._version = ""
        """That answered last."""

    async def forecast(self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, CachingRow]) -> Forecast:
        """Ask what closed windows need; what the same version answered at earlier ones is taken from their rows."""
        async with self._slots:
            return await self._forecast(closed_windows, rows)

    async def _forecast(self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, CachingRow]) -> Forecast:
        for tries_left in range(_TRIES - 1, -1, -1):
            version = self._version
            cached = {
                key: forecasts
                for key, row in rows.items()
                if tries_left and (forecasts := row.cached_forecasts(version))
            }
            demand_queries = self._queries(closed_windows, rows, cached)
            if demand_queries.tensors is None:
                return Forecast(demand_queries, None, cached, ModelRef(DEMAND_MODEL, ""), None)
            try:
                result, versions = await self._infer_in_parts(demand_queries.tensors)
            except (RequestFailed, WrongAnswer) as error:
                fault = error.fault if isinstance(error, WrongAnswer) else FAILED
                self._faults.note(DEMAND_MODEL, "", fault, str(error))
                break
            except ModelUnavailable:
                break
            self._version = versions[-1]
            if len({*versions, version} if cached else {*versions}) == 1:
                return Forecast(demand_queries, result, cached, ModelRef(DEMAND_MODEL, self._version), None)
            # The version was swapped meanwhile, and what is evaluated together is to be of one.
        return self._fallback(closed_windows, rows)

    def _queries(
        self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, CachingRow], cached: Mapping[str, bytes]
    ) -> DemandQueries:
        activities = {key: row.merged() for key, row in rows.items()}
        return queries(closed_windows, activities, self._categories_of, self._settings.window, cached)

    def _fallback(self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, CachingRow]) -> Forecast:
        """The fallback's answer to everything: no message is of two minds."""
        demand_queries = self._queries(closed_windows, rows, {})
        assert demand_queries.tensors is not None
        result = fallback_quantiles(demand_queries.tensors, self._settings.horizon)
        return Forecast(demand_queries, result, {}, ModelRef(DEMAND_MODEL, ""), MODEL_UNAVAILABLE)

    async def _infer_in_parts(self, tensors: DemandTensors) -> tuple[DemandAnswer, list[str]]:
        """The answer and the versions that made its parts.

        Raises:
            ModelUnavailable: to any part.
        """
        parts: list[DemandAnswer] = []
        versions: list[str] = []
        for at in range(0, len(tensors.window_start), _MAX_ROWS):
            request = tensors.pick(slice(at, at + _MAX_ROWS))
            result, version = await self._models.infer(
                DEMAND_MODEL, request, len(request.window_start) // _ROWS_LIKE_A_SHOPPER, DemandAnswer
            )
            parts.append(check_forecast(result, request))
            versions.append(version)
        return DemandAnswer(np.concatenate([part.quantiles for part in parts])), versions


class DemandWindows:
    """Evaluates the windows in which items, categories and the shop sold something."""

    def __init__(self, serving: WorkerServing, settings: Settings, categories_of: CategoriesOf) -> None:
        self._model = DemandModel(settings, serving.triton, categories_of)
        self._rules = DemandRules.of(settings)
        self._categories_of = categories_of

    async def score(self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, CachingRow]) -> Forecast:
        """Forecast what the closed windows need."""
        return await self._model.forecast(closed_windows, rows)

    def evaluate(
        self,
        closed_windows: Sequence[ClosedWindow],
        rows: Mapping[str, CachingRow],
        scored: Forecast,
        notes: list[int],
    ) -> list[DemandForecast | DemandAlert]:
        """Forecasts and alerts; the rows' episodes go forward.

        Args:
            notes: judged windows of the past by their anomaly score.
        """
        outputs = evaluate_windows(
            closed_windows,
            {key: row.merged() for key, row in rows.items()},
            scored.queries,
            scored.result,
            scored.cached,
            notes,
            self._categories_of,
            model=scored.model,
            fallback=scored.fallback,
            rules=self._rules,
        )
        if scored.result is not None:
            for key, forecasts in scored.cached.items():
                rows[key].cache_forecasts(forecasts, scored.model.version)
        return outputs
