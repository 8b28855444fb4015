"""What a worker has to serve models with, and scorers of scenarios to be opened with."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from headrace.settings import Settings
from streams.serving.catalogue.follower import CatalogueFollower
from streams.serving.catalogue.new_items import NewItems
from streams.serving.catalogue.trending import Trending
from streams.serving.triton.client import Triton


class WorkerServing(NamedTuple):
    """The Triton client and the catalogue of one worker.

    Attributes:
        follower: keeps the catalogue up to date.
        new_items: vectors of items that the served version does not know.
        trending: live popularity.
    """

    settings: Settings
    triton: Triton
    follower: CatalogueFollower
    new_items: NewItems
    trending: Trending

    async def infer(self, model: str, inputs: Mapping[str, NDArray[Any]], rows: int) -> tuple[dict[str, Any], str]:
        """Ask a model on Triton; see `headrace.scenarios.Serving`.

        Raises:
            ModelUnavailable: there is no answer, or none that may be used.
        """
        return await self.triton.infer_named(model, inputs, rows)
