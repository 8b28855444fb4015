"""The click probability of any item for any simulated shopper: the shop is drawn again from its plan."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from headrace.errors import UsageError
from streams.recordings.simulation.plan import Plan, draw_shop
from streams.recordings.simulation.shop import Floats
from streams.recordings.simulation.shoppers import PAGES, click_probabilities, follower_draws, relevance, shopper_id


class ClickTruth:
    """What the simulator knows of clicks, for items that it never showed too."""

    def __init__(self, plan: Plan) -> None:
        _, self._shop, self._shoppers = draw_shop(plan)
        self._row = {item.item_id: row for row, item in enumerate(self._shop.items[: self._shop.browsed])}
        self._user = {shopper_id(user): user for user in range(plan.users)}

    def knows(self, user_id: str) -> bool:
        """Whether this is a shopper; those who pass by once are shown nothing."""
        return user_id in self._user

    def of(self, user_id: str, last: str | None, items: Sequence[str], page: str | None) -> Floats:
        """The probability of a click on each of the items, shown in this order; NaN where nobody browses it. [N]

        Args:
            user_id: one that `knows` does.
            last: the item looked at last.
            page: where they are shown; the mean over all pages where that is none of the shop's.
        """
        user = self._user[user_id]
        row = np.array([self._row.get(item, -1) for item in items], np.int64)
        liking = relevance(self._shop, self._shoppers, user)[row]
        draws = follower_draws(self._shop, -1 if last is None else self._row.get(last, -1), row)
        pages = [PAGES.index(page)] if page in PAGES else range(len(PAGES))
        device = int(self._shoppers.device[user])
        chances = np.mean([click_probabilities(liking, draws, at, device) for at in pages], axis=0)
        return np.where(row >= 0, chances, np.nan)


class _TruthFile(Struct):
    """What is needed of `FILE.truth.json`; one that an older simulator wrote has no plan."""

    plan: Plan | None = None


def read_click_truth(recording: Path) -> ClickTruth | None:
    """The truth of a simulated recording; None where there is no file of it beside the recording, or none with a plan.

    Raises:
        UsageError: a file of truth that is none.
    """
    path = Path(f"{recording}.truth.json")
    if not path.exists():
        return None
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=_TruthFile).plan
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path}: no file that `headrace simulate` wrote ({error}); simulate again") from error
    return None if plan is None else ClickTruth(plan)
