"""The demand forecaster: one small quantile network for all items.

Shape letters as in `streams.messages.wire`: G series, H windows of history, Z horizon, Q quantiles; S seasons back,
F features of one target window.
"""

from math import pi
from typing import Final

import torch
from torch import Tensor, nn

from streams.messages.wire import DEMAND_HISTORY, DEMAND_HORIZON, DEMAND_QUANTILES

_WIDTH: Final = 64
_HOUR_MS: Final = 3_600_000
_SPANS: Final = (1, 2, 4, 8, 24, 72, DEMAND_HISTORY)
"""Windows back over which units are averaged: single windows of a count say little, and a network would learn them by
heart."""
_DAY: Final = 24
_LEAST: Final = 0.05  # units a window; keeps the scale of an item that hardly sells away from zero


class DemandNetwork(nn.Module):
    """Quantiles of the next Z windows from the units of the last H; non-negative and increasing by construction.

    Args:
        season: windows after which demand repeats.
    """

    lags: Tensor
    steps: Tensor

    def __init__(self, season: int) -> None:
        super().__init__()
        first = [DEMAND_HISTORY - season + z % season for z in range(DEMAND_HORIZON)]
        back = torch.arange(DEMAND_HISTORY // season) * season
        self.register_buffer("lags", torch.tensor(first)[:, None] - back)  # [Z, S]
        self.register_buffer("steps", torch.arange(DEMAND_HORIZON))
        features = len(back) + len(_SPANS) + 3 + 4 + DEMAND_HORIZON
        self.body = nn.Sequential(
            nn.Linear(features, _WIDTH),
            nn.GELU(),
            nn.Linear(_WIDTH, _WIDTH),
            nn.GELU(),
            nn.Linear(_WIDTH, len(DEMAND_QUANTILES)),
        )

    def forward(self, units_GH: Tensor, window_start_G: Tensor, window_ms: Tensor) -> Tensor:
        """Forecast.

        Args:
            units_GH: float32, newest window last.
            window_start_G: int64, start of the first window to forecast, ms.
            window_ms: int64 [1].

        Returns:
            float32 [G, Z, Q].
        """
        calm_GH = torch.minimum(units_GH, _cap(units_GH))
        same_GZS = calm_GH[:, self.lags]
        level_G1, age_G1 = _level(calm_GH)
        scale_GZ = _LEAST + (same_GZS.mean(2) + level_G1 + calm_GH[:, -_DAY:].mean(1, keepdim=True)) / 3
        shared = [level_G1, *(calm_GH[:, -n:].mean(1, keepdim=True) for n in _SPANS)]
        shared_GF = torch.cat([torch.log1p(torch.cat(shared, 1)), age_G1], 1)
        own_GZF = torch.cat([torch.log1p(same_GZS), torch.log(scale_GZ)[:, :, None]], 2)
        start_GZ = window_start_G[:, None] + self.steps * window_ms
        which_ZZ = torch.eye(DEMAND_HORIZON, dtype=units_GH.dtype, device=units_GH.device)
        features_GZF = torch.cat(
            [
                shared_GF[:, None].expand(-1, DEMAND_HORIZON, -1),
                own_GZF,
                _calendar(start_GZ),
                which_ZZ.expand(units_GH.shape[0], -1, -1),
            ],
            2,
        )
        steps_GZQ = nn.functional.softplus(self.body(features_GZF))
        return steps_GZQ.cumsum(2) * scale_GZ[:, :, None]


def _cap(units_GH: Tensor) -> Tensor:
    """Above it a window is an exception that should not raise the level. [G, 1]"""
    selling = (units_GH > 0).sum(1, keepdim=True).clamp(min=1)
    return 2 + 3 * (units_GH.sqrt().sum(1, keepdim=True) / selling) ** 2


def _level(calm_GH: Tensor) -> tuple[Tensor, Tensor]:
    """Mean since the first sale in the history, and the share of the history since then. [G, 1] each."""
    begun = (calm_GH.cumsum(1) > 0).sum(1, keepdim=True).clamp(min=_DAY)
    return calm_GH.sum(1, keepdim=True) / begun, begun / DEMAND_HISTORY


def _calendar(start_GZ: Tensor) -> Tensor:
    """Hour of the day and day of the week as points on circles. [G, Z, 4]"""
    hours = start_GZ.div(_HOUR_MS // 60, rounding_mode="floor").remainder(7 * 24 * 60).float() / 60
    day, week = hours * (2 * pi / 24), hours * (2 * pi / 168)
    return torch.stack([day.sin(), day.cos(), week.sin(), week.cos()], 2)
