"""Train the demand forecaster on a recorded stream and export it for serving."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from feature_repo.basics.windows import Windows, length_of, windows_of, zone_of
from headrace.arrays import DEMAND_HISTORY, DEMAND_MODEL, DEMAND_QUANTILES
from trainer.demand.describing import TextVectors
from trainer.demand.fitting import FittedDemand, fit_demand
from trainer.demand.series import read_series
from trainer.publishing.traced import write_traced
from trainer.publishing.version_folder import add_serving_code, whole_folder


def train_demand(
    stream: Path,
    out: Path,
    *,
    window_ms: int,
    horizon: int,
    vectors: TextVectors,
    device: str = "cpu",
    seed: int = 0,
    timezone: str = "UTC",
    on_progress: Callable[[str], None],
) -> dict[str, float]:
    """Fit one quantile network to all items and export it under `out/headrace_demand`.

    Args:
        window_ms: length of a demand window.
        horizon: windows forecast at once.
        vectors: of item texts.
        timezone: where windows of whole days begin.
        on_progress: called with a note once an epoch.

    Returns:
        metrics: as of `fit_demand`.

    Raises:
        TooLittleData: the stream is too short.
        ModelError: the disk refuses.
    """
    windows = windows_of(window_ms, timezone)
    series = read_series(stream, windows)
    fitted = fit_demand(series, horizon, vectors=vectors, device=device, seed=seed, on_progress=on_progress)
    with whole_folder(out / DEMAND_MODEL) as folder:
        _export(fitted, windows, folder)
        add_serving_code(DEMAND_MODEL, folder)
    return fitted.metrics


def _export(fitted: FittedDemand, windows: Windows, folder: Path) -> None:
    """Write what a version folder on Triton holds beside its model.py, and a request with its right answer."""
    network, checking = fitted.network.cpu(), fitted.checking
    network.eval().requires_grad_(False)
    tensors = checking.tensors.pick(slice(8))
    inputs, others = (tuple(map(torch.from_numpy, some)) for some in (tensors, checking.tensors.pick(slice(-3, None))))
    write_traced(network, inputs, others, folder / "program.ts")
    meta = {
        "window_ms": length_of(windows),
        "timezone": zone_of(windows),
        "history": DEMAND_HISTORY,
        "horizon": len(network.steps),
        "quantiles": DEMAND_QUANTILES,
        "metrics": fitted.metrics,
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    with torch.inference_mode():
        expected = network(*inputs)
    np.savez(folder / "reference.npz", **tensors._asdict(), out_quantiles=expected.numpy())
