"""Fit the demand network to series."""

from collections.abc import Callable
from itertools import count
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from feature_repo.basics.season import season
from headrace.arrays import DEMAND_QUANTILES
from headrace.errors import TooLittleData
from trainer.demand.describing import TextVectors, describe
from trainer.demand.interval import coverage80
from trainer.demand.network import DemandNetwork
from trainer.demand.series import DemandSeries, Samples, sample

_TRAINED_ON: Final = 120_000
_CHECKED_ON: Final = 20_000
_BATCH: Final = 1_024
_EPOCHS: Final = 10
_PATIENCE: Final = 3
_RATE: Final = 3e-3
_WEIGHT_DECAY: Final = 1e-2
_CLIP: Final = 1.0
_HELD_BACK: Final = 0.15
_LEVEL_POWER: Final = -0.25
"""Losses are weighed by the level to this power: 0 would serve the busiest items alone, -1 all alike."""


class FittedDemand(NamedTuple):
    """A fitted network and what it did on the held-back last part of the series."""

    network: DemandNetwork
    metrics: dict[str, float]
    checking: Samples


def fit_demand(
    series: DemandSeries,
    horizon: int,
    *,
    vectors: TextVectors,
    device: str = "cpu",
    seed: int = 0,
    on_progress: Callable[[str], None],
) -> FittedDemand:
    """Fit one quantile network to all items.

    Early stopping looks at the last part of the series; the network with the least loss there is kept.

    Args:
        horizon: windows forecast at once.
        vectors: of item texts.
        on_progress: called with a note once an epoch.

    Returns:
        metrics: the held-back quantile loss of the network and of a constant forecast, coverage of the 80 % interval.

    Raises:
        TooLittleData: the series are too short.
    """
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    targets = series.targets(horizon)
    train, checked = _parts(targets, horizon)
    if len(train) < horizon:
        raise TooLittleData(
            "The stream is too short to learn demand from: it needs purchases over "
            f"{least_windows(horizon)} windows of {series.window_ms // 1000} s (HEADRACE_WINDOW, HEADRACE_HORIZON)."
        )
    split = checked.start
    fitting = sample(series, train, horizon, _TRAINED_ON, random)
    checking = sample(series, checked, horizon, _CHECKED_ON, random)
    network = DemandNetwork(season(series.window_ms), horizon, describe(series, split, vectors)).to(device)
    _fit(network, fitting, checking, random, on_progress)
    network.eval()
    return FittedDemand(network, _measure(network, fitting, checking), checking)


def least_windows(horizon: int) -> int:
    """The shortest series, in windows, that a forecaster of so many windows can be fitted to."""
    return next(n for n in count(3 * horizon - 1) if len(_parts(range(n - horizon + 1), horizon)[0]) >= horizon)


def _parts(targets: range, horizon: int) -> tuple[range, range]:
    """First forecast windows to learn from, and those held back; no forecast of the one reaches into the other."""
    split = targets.stop - max(int(len(targets) * _HELD_BACK), 1)
    return range(targets.start, split - horizon + 1), range(split, targets.stop)


def quantile_loss(quantiles_GZQ: Tensor, target_GZ: Tensor, weight_G: Tensor) -> Tensor:
    """Pinball loss over all levels, each series by its weight."""
    levels_Q = torch.tensor(DEMAND_QUANTILES, device=quantiles_GZQ.device)
    error_GZQ = target_GZ[:, :, None] - quantiles_GZQ
    loss_GZQ = torch.maximum(levels_Q * error_GZQ, (levels_Q - 1) * error_GZQ)
    return (loss_GZQ.mean((1, 2)) * weight_G).mean()


def _fit(
    network: DemandNetwork,
    fitting: Samples,
    checking: Samples,
    random: np.random.Generator,
    on_progress: Callable[[str], None],
) -> None:
    batches = -(-len(fitting.target) // _BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=_EPOCHS * batches)
    best, waited = float("inf"), 0
    kept = network.state_dict()
    for epoch in range(_EPOCHS):
        network.train()
        for picks in np.array_split(random.permutation(len(fitting.target)), batches):
            loss = _loss(network, fitting.pick(picks))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
            optimiser.step()
            schedule.step()
        network.eval()
        with torch.inference_mode():
            held_back = float(_loss(network, checking))
        on_progress(f"demand: epoch {epoch + 1} of {_EPOCHS}, held-back quantile loss {held_back:.4f}")
        waited += 1
        if held_back < best:
            best, waited = held_back, 0
            kept = {name: value.clone() for name, value in network.state_dict().items()}
        if waited >= _PATIENCE:
            break
    network.load_state_dict(kept)


def _forecast(network: DemandNetwork, samples: Samples) -> Tensor:
    device = network.steps.device
    return network(*(torch.from_numpy(part).to(device) for part in samples.tensors))


def _loss(network: DemandNetwork, samples: Samples) -> Tensor:
    quantiles = _forecast(network, samples)
    target = torch.from_numpy(samples.target).to(quantiles.device)
    level = torch.from_numpy(samples.tensors.units.mean(1)).to(quantiles.device)
    return quantile_loss(quantiles, target, (0.1 + level) ** _LEVEL_POWER)


@torch.inference_mode()
def _measure(network: DemandNetwork, fitting: Samples, checking: Samples) -> dict[str, float]:
    quantiles = _forecast(network, checking).cpu()
    target = torch.from_numpy(checking.target)
    constant = torch.quantile(torch.from_numpy(fitting.target[:50_000, 0]), torch.tensor(DEMAND_QUANTILES))
    even = torch.ones(len(target))
    return {
        "quantile_loss": float(quantile_loss(quantiles, target, even)),
        "quantile_loss_constant": float(quantile_loss(constant.expand_as(quantiles), target, even)),
        "coverage80": coverage80(quantiles.numpy(), checking.target),
        "samples": float(len(fitting.target)),
    }
