"""What the demand model is asked when windows close, and by which version it was answered."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from feature_repo.demand_index import Closing
from feature_repo.item import ItemActivity
from feature_repo.scopes import CategoriesOf
from streams.engine.checking import check_forecast
from streams.engine.demand_rows import DemandRow
from streams.engine.fallback import MODEL_UNAVAILABLE
from streams.engine.model_faults import FAILED, ModelFaults
from streams.engine.triton import Triton
from streams.errors import ModelUnavailable, RequestFailed, WrongAnswer
from streams.messages.outputs import DemandAlert, DemandForecast, ModelRef
from streams.messages.wire import DEMAND_MODEL, DemandAnswer, DemandTensors
from streams.settings import Settings

_ROWS_A_REQUEST: Final = 8_192
"""A window that closes for a hundred thousand items would make one request of hundreds of megabytes."""
_AT_ONCE: Final = 2
"""Requests: one at the model, and the questions of the next being put. More would wait for each other's answers."""
_TRIES: Final = 4
"""Where two versions answer at one address. The last one takes nothing from what was answered before."""
_ROWS_LIKE_A_SHOPPER: Final = 100
"""So many series take as long as one shopper's list, by which deadlines grow."""


class DemandQuestions(Protocol):
    """What a chunk's closings ask; beyond the tensors it is the scenario's own business."""

    @property
    def tensors(self) -> DemandTensors | None:
        """None when nothing is asked."""
        ...


class DemandScenario(NamedTuple):
    """The pure functions of the demand scenario, handed in so that the engine knows no scenario."""

    queries: Callable[
        [Sequence[Closing], Mapping[str, ItemActivity], CategoriesOf, int, Mapping[str, bytes]], DemandQuestions
    ]
    stand_in: Callable[[DemandTensors, int], DemandAnswer]
    rules: Callable[[Settings], object]
    conclude: Callable[..., list[DemandForecast | DemandAlert]]


class Answered(NamedTuple):
    """What closings asked, and what came of it.

    Attributes:
        answer: None when nothing was asked.
        kept: by item, what the questions left out because this version answered it earlier.
        fallback: why the model did not answer, if it did not.
    """

    questions: DemandQuestions
    answer: DemandAnswer | None
    kept: dict[str, bytes]
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
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._version = ""
        """That answered last."""

    async def ask(self, closings: Sequence[Closing], rows: Mapping[str, DemandRow]) -> Answered:
        """Ask what closings need; what the same version answered at earlier ones is taken from their rows."""
        async with self._turn:
            return await self._ask(closings, rows)

    async def _ask(self, closings: Sequence[Closing], rows: Mapping[str, DemandRow]) -> Answered:
        for left in range(_TRIES - 1, -1, -1):
            version = self._version
            kept = {key: forecasts for key, row in rows.items() if left and (forecasts := row.kept(version))}
            questions = self._questions(closings, rows, kept)
            if questions.tensors is None:
                return Answered(questions, None, kept, ModelRef(DEMAND_MODEL, ""), None)
            try:
                answer, versions = await self._ask_in_parts(questions.tensors)
            except (RequestFailed, WrongAnswer) as error:
                fault = error.fault if isinstance(error, WrongAnswer) else FAILED
                self._faults.note(DEMAND_MODEL, "", fault, str(error))
                break
            except ModelUnavailable:
                break
            self._version = versions[-1]
            if len({*versions, version} if kept else {*versions}) == 1:
                return Answered(questions, answer, kept, ModelRef(DEMAND_MODEL, self._version), None)
            # The version was swapped meanwhile, and what is concluded together is to be of one.
        return self._stand_in(closings, rows)

    def _questions(
        self, closings: Sequence[Closing], rows: Mapping[str, DemandRow], kept: Mapping[str, bytes]
    ) -> DemandQuestions:
        activities = {key: row.whole() for key, row in rows.items()}
        return self._scenario.queries(closings, activities, self._categories_of, self._settings.window, kept)

    def _stand_in(self, closings: Sequence[Closing], rows: Mapping[str, DemandRow]) -> Answered:
        """The fallback's answer to everything: no message is of two minds."""
        questions = self._questions(closings, rows, {})
        assert questions.tensors is not None
        answer = self._scenario.stand_in(questions.tensors, self._settings.horizon)
        return Answered(questions, answer, {}, ModelRef(DEMAND_MODEL, ""), MODEL_UNAVAILABLE)

    async def _ask_in_parts(self, tensors: DemandTensors) -> tuple[DemandAnswer, list[str]]:
        """The answer and the versions that made its parts.

        Raises:
            ModelUnavailable: to any part.
        """
        parts: list[DemandAnswer] = []
        versions: list[str] = []
        for at in range(0, len(tensors.window_start), _ROWS_A_REQUEST):
            asked = tensors.pick(slice(at, at + _ROWS_A_REQUEST))
            answer, version = await self._triton.ask(
                DEMAND_MODEL, asked, len(asked.window_start) // _ROWS_LIKE_A_SHOPPER, DemandAnswer
            )
            parts.append(check_forecast(answer, asked))
            versions.append(version)
        return DemandAnswer(np.concatenate([part.quantiles for part in parts])), versions
