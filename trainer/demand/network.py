"""The demand forecaster: one small quantile network for all items.

Shape letters as in `headrace.arrays`: G series, H windows of history, Z horizon, Q quantiles; S seasons back,
F features. What is known of items beside their sales is in `item_facts`.
"""

from math import pi
from typing import Final

import torch
from torch import Tensor, nn

from headrace.arrays import DEMAND_HISTORY, DEMAND_QUANTILES
from trainer.demand.item_facts import FactTables, ItemFacts

_WIDTH: Final = 96
_DROPOUT: Final = 0.1
_SEASONS_BACK: Final = 8
_EXCEEDED: Final = (0.1, 0.3, 0.5)
"""Shares of a span's windows; the units that so many of them exceed describe lumpy demand better than a mean."""
_HOUR_MS: Final = 3_600_000
_LEAST: Final = 0.05  # units a window; keeps the scale of an item that hardly sells away from zero


class DemandNetwork(nn.Module):
    """Quantiles of the next Z windows from the units of the last H; non-negative and increasing by construction.

    Everything is seen and answered in units of the item's own level, so that busy and slow items share the weights.

    Args:
        season: windows after which demand repeats.
        horizon: Z.
        tables: what is known of the items.
    """

    lags: Tensor
    steps: Tensor
    places: Tensor
    own_step: Tensor

    def __init__(self, season: int, horizon: int, tables: FactTables) -> None:
        super().__init__()
        self.facts = ItemFacts(tables)
        self.season = season
        first = [DEMAND_HISTORY - season + z % season for z in range(horizon)]
        back = torch.arange(min(_SEASONS_BACK, DEMAND_HISTORY // season)) * season
        self.register_buffer("lags", torch.tensor(first)[:, None] - back)  # [Z, S]
        self.register_buffer("steps", torch.arange(horizon))
        # Kept rather than made in `forward`: a traced program makes things on the device that it was traced on.
        self.register_buffer("places", torch.arange(1, DEMAND_HISTORY + 1), persistent=False)
        self.register_buffer("own_step", torch.eye(horizon), persistent=False)
        self.spans = [n for n in (season, 2 * season, 4 * season, 8 * season) if n < DEMAND_HISTORY] + [DEMAND_HISTORY]
        own = len(self.spans) * (3 + len(_EXCEEDED)) + 4
        features = own + self.facts.features + len(back) + 3 + 4 + horizon
        self.body = nn.Sequential(
            nn.Linear(features, _WIDTH),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, _WIDTH),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, len(DEMAND_QUANTILES)),
        )

    def forward(
        self,
        units_GH: Tensor,
        window_start_G: Tensor,
        window_ms: Tensor,
        item_G: Tensor,
        category_G: Tensor,
        price_G: Tensor,
    ) -> Tensor:
        """Forecast.

        Args:
            units_GH: float32, newest window last.
            window_start_G: int64, start of the first window to forecast, ms.
            window_ms: int64 [1].
            item_G, category_G, price_G: as of `ItemFacts`.

        Returns:
            float32 [G, Z, Q].
        """
        age_G1 = (units_GH.cumsum(1) > 0).sum(1, keepdim=True)  # windows since the first sale
        scale_G1 = self._scale(units_GH, age_G1)
        spans = [feature for n in self.spans for feature in _span(units_GH[:, -n:], age_G1.clamp(1, n), scale_G1)]
        since_G1 = DEMAND_HISTORY - ((units_GH > 0) * self.places).amax(1, keepdim=True)
        spans += [scale_G1, since_G1.float(), units_GH[:, -1:] / scale_G1]
        facts_GF = self.facts(item_G, category_G, price_G, scale_G1)
        shared_GF = torch.cat([torch.log1p(torch.cat(spans, 1)), age_G1 / DEMAND_HISTORY, facts_GF], 1)
        horizon = len(self.steps)
        features_GZF = torch.cat(
            [
                shared_GF[:, None].expand(-1, horizon, -1),
                self._same_place(units_GH, scale_G1),
                _calendar(window_start_G[:, None] + self.steps * window_ms),
                self.own_step.expand(units_GH.shape[0], -1, -1),
            ],
            2,
        )
        steps_GZQ = nn.functional.softplus(self.body(features_GZF))
        return steps_GZQ.cumsum(2) * scale_G1[:, :, None]

    def _scale(self, units_GH: Tensor, age_G1: Tensor) -> Tensor:
        """The item's level: mean of all known windows and of the last four seasons. [G, 1]"""
        recent = 4 * self.season
        whole = units_GH.sum(1, keepdim=True) / age_G1.clamp(min=self.season)
        recent_sales = units_GH[:, -recent:].sum(1, keepdim=True) / age_G1.clamp(self.season, recent)
        return _LEAST + (whole + recent_sales) / 2

    def _same_place(self, units_GH: Tensor, scale_G1: Tensor) -> Tensor:
        """The windows at the same place of earlier seasons, and what they have in common. [G, Z, S + 3]"""
        same_GZS = units_GH[:, self.lags]
        both = [same_GZS, same_GZS.mean(2, keepdim=True), same_GZS.median(2, keepdim=True).values]
        sold = (same_GZS > 0).float().mean(2, keepdim=True)
        return torch.cat([torch.log1p(torch.cat(both, 2) / scale_G1[:, :, None]), sold], 2)


def _span(units_GN: Tensor, known_G1: Tensor, scale_G1: Tensor) -> list[Tensor]:
    """What the last N windows say, of which `known_G1` lie after the first sale. [G, 1] each"""
    largest_GN = units_GN.sort(1, descending=True).values
    exceeded = [largest_GN.gather(1, (known_G1 * share).long()) / scale_G1 for share in _EXCEEDED]
    return [
        units_GN.sum(1, keepdim=True) / known_G1 / scale_G1,
        (units_GN > 0).sum(1, keepdim=True) / known_G1,
        (units_GN.sqrt().sum(1, keepdim=True) / known_G1) ** 2 / scale_G1,
        *exceeded,
    ]


def _calendar(start_GZ: Tensor) -> Tensor:
    """Hour of the day and day of the week as points on circles. [G, Z, 4]"""
    hours = start_GZ.div(_HOUR_MS // 60, rounding_mode="floor").remainder(7 * 24 * 60).float() / 60
    day, week = hours * (2 * pi / 24), hours * (2 * pi / 168)
    return torch.stack([day.sin(), day.cos(), week.sin(), week.cos()], 2)
