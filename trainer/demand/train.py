"""Train the demand forecaster on a recorded stream and export it for serving."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from feature_repo.season import season
from streams.messages.wire import DEMAND_HISTORY, DEMAND_HORIZON, DEMAND_MODEL, DEMAND_QUANTILES
from trainer.demand.network import DemandNetwork
from trainer.demand.series import DemandSeries, Samples, read_series, sample
from trainer.publishing.version_folder import add_serving_code, whole_folder

_TRAINED_ON: Final = 120_000
_CHECKED_ON: Final = 20_000
_BATCH: Final = 1_024
_EPOCHS: Final = 10
_PATIENCE: Final = 3
_RATE: Final = 3e-3
_HELD_BACK: Final = 0.15


def train_demand(
    stream: Path,
    out: Path,
    *,
    window_ms: int,
    device: str = "cpu",
    seed: int = 0,
    tell: Callable[[str], None],
) -> dict[str, float]:
    """Fit one quantile network to all items and export it under `out/headrace_demand`.

    Early stopping looks at the last part of the stream; the network with the least loss there is kept.

    Args:
        window_ms: length of a demand window.
        tell: told the progress, one line an epoch.

    Returns:
        metrics: the held-back quantile loss of the network and of a constant forecast, coverage of the 80 % interval.

    Raises:
        TooLittleData: the stream is too short.
        ModelError: the disk refuses.
    """
    series = read_series(stream, window_ms)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    targets = series.targets
    split = targets.stop - max(int(len(targets) * _HELD_BACK), 1)
    fitting = sample(series, range(targets.start, split - DEMAND_HORIZON + 1), _TRAINED_ON, random)
    checking = sample(series, range(split, targets.stop), _CHECKED_ON, random)
    network = DemandNetwork(season(window_ms)).to(device)
    _fit(network, fitting, checking, window_ms, random, tell)
    metrics = _measure(network, fitting, checking, window_ms)
    with whole_folder(out / DEMAND_MODEL) as folder:
        _export(network.cpu(), series, folder, checking, metrics)
        add_serving_code(DEMAND_MODEL, folder)
    return metrics


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
    window_ms: int,
    random: np.random.Generator,
    tell: Callable[[str], None],
) -> None:
    batches = -(-len(fitting.units) // _BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=_EPOCHS * batches)
    best, waited = float("inf"), 0
    kept = network.state_dict()
    for epoch in range(_EPOCHS):
        for picks in np.array_split(random.permutation(len(fitting.units)), batches):
            loss = _loss(network, fitting.pick(picks), window_ms)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        with torch.inference_mode():
            held_back = float(_loss(network, checking, window_ms))
        tell(f"demand: epoch {epoch + 1} of {_EPOCHS}, held-back quantile loss {held_back:.4f}")
        waited += 1
        if held_back < best:
            best, waited = held_back, 0
            kept = {name: value.clone() for name, value in network.state_dict().items()}
        if waited >= _PATIENCE:
            break
    network.load_state_dict(kept)


def _forecast(network: DemandNetwork, samples: Samples, window_ms: int) -> Tensor:
    device = network.steps.device
    units, start = torch.from_numpy(samples.units), torch.from_numpy(samples.window_start)
    return network(units.to(device), start.to(device), torch.tensor([window_ms], device=device))


def _loss(network: DemandNetwork, samples: Samples, window_ms: int) -> Tensor:
    quantiles = _forecast(network, samples, window_ms)
    target = torch.from_numpy(samples.target).to(quantiles.device)
    # Errors grow with the square root of the level: so weighed, busy and slow items count alike.
    level = torch.from_numpy(samples.units.mean(1)).to(quantiles.device)
    return quantile_loss(quantiles, target, (0.1 + level) ** -0.5)


@torch.inference_mode()
def _measure(network: DemandNetwork, fitting: Samples, checking: Samples, window_ms: int) -> dict[str, float]:
    quantiles = _forecast(network, checking, window_ms).cpu()
    target = torch.from_numpy(checking.target)
    constant = torch.quantile(torch.from_numpy(fitting.target[:50_000, 0]), torch.tensor(DEMAND_QUANTILES))
    even = torch.ones(len(target))
    inside = (target >= quantiles[:, :, 1].floor()) & (target <= quantiles[:, :, -2].ceil())
    return {
        "quantile_loss": float(quantile_loss(quantiles, target, even)),
        "quantile_loss_constant": float(quantile_loss(constant.expand_as(quantiles), target, even)),
        "coverage80": float(inside.float().mean()),
        "samples": float(len(fitting.units)),
    }


def _export(
    network: DemandNetwork, series: DemandSeries, folder: Path, checking: Samples, metrics: dict[str, float]
) -> None:
    """Write what a version folder on Triton holds beside its model.py, and a request with its right answer."""
    network.eval().requires_grad_(False)
    inputs = (
        torch.from_numpy(checking.units[:8]),
        torch.from_numpy(checking.window_start[:8]),
        torch.tensor([series.window_ms]),
    )
    any_number = torch.export.Dim("series", min=1)
    program = torch.export.export(
        network,
        inputs,
        dynamic_shapes={"units_GH": {0: any_number}, "window_start_G": {0: any_number}, "window_ms": None},
    )
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    (folder / "program.pt2").write_bytes(buffer.getvalue())
    meta = {
        "window_ms": series.window_ms,
        "history": DEMAND_HISTORY,
        "horizon": DEMAND_HORIZON,
        "quantiles": DEMAND_QUANTILES,
        "metrics": metrics,
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    with torch.inference_mode():
        expected = network(*inputs)
    units, window_start, window = (tensor.numpy() for tensor in inputs)
    np.savez(
        folder / "reference.npz",
        units=units,
        window_start=window_start,
        window_ms=window,
        out_quantiles=expected.numpy(),
    )
