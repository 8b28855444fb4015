"""What the demand model is asked when windows close, and by which version it was answered."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from feature_repo.items.item import ItemActivity
from feature_repo.items.scopes import CategoriesOf
from feature_repo.items.window_index import ClosedWindow
from headrace.arrays import DEMAND_MODEL, DemandAnswer, DemandTensors
from headrace.errors import ModelUnavailable, RequestFailed, WrongAnswer
from headrace.messages.outputs import DemandAlert, DemandForecast, ModelRef
from headrace.settings.model import Settings
from streams.pipeline.items.series_rows import DemandRow
from streams.serving.shopper_scorer.fallback import MODEL_UNAVAILABLE
from streams.serving.triton.client import Triton
from streams.serving.triton.faults import FAILED, ModelFaults
from streams.serving.triton.verify import check_forecast

_MAX_ROWS: Final = 8_192
"""A window that closes for a hundred thousand items would make one request of hundreds of megabytes."""
_CONCURRENT_REQUESTS: Final = 2
"""Requests: one at the model, and the questions of the next being put. More would wait for each other's answers."""
_TRIES: Final = 4
"""Where two versions answer at one address. The last one takes nothing from what was answered before."""
_ROWS_LIKE_A_SHOPPER: Final = 100
"""So many series take as long as one shopper's list, by which deadlines grow."""


class WindowQueries(Protocol):
    """What a batch's closed windows ask; beyond the tensors it is the scenario's own business."""

    @property
    def tensors(self) -> DemandTensors | None:
        """None when nothing is asked."""
        ...


class DemandScenario(NamedTuple):
    """The pure functions of the demand scenario, handed in so that the engine knows no scenario."""

    queries: Callable[
        [Sequence[ClosedWindow], Mapping[str, ItemActivity], CategoriesOf, int, Mapping[str, bytes]], WindowQueries
    ]
    fallback_results: Callable[[DemandTensors, int], DemandAnswer]
    rules: Callable[[Settings], object]
    evaluate_windows: Callable[..., list[DemandForecast | DemandAlert]]


class Forecast(NamedTuple):
    """What closed windows asked, and what came of it.

    Attributes:
        result: None when there was no query.
        cached: by item, forecasts that this version made at earlier closed windows, which the queries leave out.
        fallback: why the model did not answer, if it did not.
    """

    queries: WindowQueries
    result: DemandAnswer | None
    cached: dict[str, bytes]
    model: ModelRef
    fallback: str | None


class DemandModel:
    """The served demand model, whichever version that is."""

    def __init__(
        self, scenario: DemandScenario, settings: Settings, triton: Triton, categories_of: CategoriesOf
    ) -> None:
        self._scenario = scenario
        self._settings = settings
        self._triton = triton
        self._categories_of = categories_of
        self._faults = ModelFaults()
        self._slots = asyncio.Semaphore(_CONCURRENT_REQUESTS)
        self._version = ""
        """That answered last."""

    async def forecast(self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, DemandRow]) -> Forecast:
        """Ask what closed windows need; what the same version answered at earlier ones is taken from their rows."""
        async with self._slots:
            return await self._forecast(closed_windows, rows)

    async def _forecast(self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, DemandRow]) -> Forecast:
        for tries_left in range(_TRIES - 1, -1, -1):
            version = self._version
            cached = {
                key: forecasts
                for key, row in rows.items()
                if tries_left and (forecasts := row.cached_forecasts(version))
            }
            queries = self._queries(closed_windows, rows, cached)
            if queries.tensors is None:
                return Forecast(queries, None, cached, ModelRef(DEMAND_MODEL, ""), None)
            try:
                result, versions = await self._infer_in_parts(queries.tensors)
            except (RequestFailed, WrongAnswer) as error:
                fault = error.fault if isinstance(error, WrongAnswer) else FAILED
                self._faults.note(DEMAND_MODEL, "", fault, str(error))
                break
            except ModelUnavailable:
                break
            self._version = versions[-1]
            if len({*versions, version} if cached else {*versions}) == 1:
                return Forecast(queries, result, cached, ModelRef(DEMAND_MODEL, self._version), None)
            # The version was swapped meanwhile, and what is evaluated together is to be of one.
        return self._fallback(closed_windows, rows)

    def _queries(
        self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, DemandRow], cached: Mapping[str, bytes]
    ) -> WindowQueries:
        activities = {key: row.merged() for key, row in rows.items()}
        return self._scenario.queries(closed_windows, activities, self._categories_of, self._settings.window, cached)

    def _fallback(self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, DemandRow]) -> Forecast:
        """The fallback's answer to everything: no message is of two minds."""
        queries = self._queries(closed_windows, rows, {})
        assert queries.tensors is not None
        result = self._scenario.fallback_results(queries.tensors, self._settings.horizon)
        return Forecast(queries, result, {}, ModelRef(DEMAND_MODEL, ""), MODEL_UNAVAILABLE)

    async def _infer_in_parts(self, tensors: DemandTensors) -> tuple[DemandAnswer, list[str]]:
        """The answer and the versions that made its parts.

        Raises:
            ModelUnavailable: to any part.
        """
        parts: list[DemandAnswer] = []
        versions: list[str] = []
        for at in range(0, len(tensors.window_start), _MAX_ROWS):
            request = tensors.pick(slice(at, at + _MAX_ROWS))
            result, version = await self._triton.infer(
                DEMAND_MODEL, request, len(request.window_start) // _ROWS_LIKE_A_SHOPPER, DemandAnswer
            )
            parts.append(check_forecast(result, request))
            versions.append(version)
        return DemandAnswer(np.concatenate([part.quantiles for part in parts])), versions
