"""The reliability diagram of click probabilities, as an SVG that is the same each time it is drawn."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainer.evaluation.calibration import Probabilities, equal_mass, equal_width
from trainer.evaluation.drawing import save_svg


def draw_reliability(
    out: Path, probability_M: Probabilities, clicked_M: NDArray[np.floating], title: str = "Click probability"
) -> None:
    """Draw share of clicks against forecast, in bins of equal count, and how many forecasts lie where.

    Raises:
        UsageError: the file cannot be written.
    """
    bins, widths = equal_mass(probability_M, clicked_M), equal_width(probability_M, clicked_M)
    figure = Figure(figsize=(5, 6), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(3, 1))
    top = 1.05 * max(bins.forecast.max(), bins.clicked.max(), 1e-3)
    # Two standard errors of a share: a point whose bar meets the diagonal may well be right.
    spread = 2 * np.sqrt(bins.clicked * (1 - bins.clicked) / bins.size)
    above.plot([0, top], [0, top], color="0.7", linewidth=1, label="perfectly calibrated")
    above.errorbar(bins.forecast, bins.clicked, spread, fmt="o", markersize=4, label="15 bins of equal count, ±2 s.e.")
    above.set(xlim=(0, top), ylim=(0, top), xlabel="mean forecast", ylabel="share of clicks", title=title)
    above.legend(loc="upper left", frameon=False)
    above.text(
        0.98,
        0.04,
        f"ECE {widths.error:.4f} (equal width)\nECE {bins.error:.4f} (equal count)\n{len(clicked_M):,} impressions",
        transform=above.transAxes,
        ha="right",
    )
    below.hist(probability_M, bins=50, color="0.5")
    below.set(xlim=(0, top), yscale="log", xlabel="forecast", ylabel="impressions")
    save_svg(figure, out)
