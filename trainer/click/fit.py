"""Fit the click head on impressions, on top of the shopper vectors of the fitted encoder, and calibrate it.

The encoder stays as next items made it. Fitting it to clicks as well was measured on a simulated shop: log loss 0.3255
instead of 0.3270 (average rates 0.3696, the true probabilities 0.2909), for half as much training time again.

In order of time impressions are learnt from, decide when to stop, and calibrate. The encoder has seen the clicks of the
first two parts as events, so the head trusts it too much there; what calibrates is for the most part new to both.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from headrace.arrays import Floats, Ints
from trainer.behaviour.model import ShopperModel
from trainer.click.calibration import Calibration, expected_rate, fit_calibration
from trainer.click.losses import log_loss
from trainer.click.rates import Rates, click_rates, out_of_fold
from trainer.click.shown import ShownRows, shown_rows
from trainer.data.impressions import Impressions
from trainer.evaluation.calibration import equal_mass, equal_width
from trainer.training_loop.fit import OnProgress, Plan, fit
from trainer.training_loop.precision import mixed
from trainer.training_loop.processes import mine
from trainer.training_loop.run import Run

_STOP_SHARE, _CALIBRATION_SHARE = 0.1, 0.2
_LEAST_BATCH, _MOST_BATCH, _STEPS = 512, 4_096, 80
_EPOCHS: Final = 40
_PATIENCE: Final = 4
_LEARNING_RATE: Final = 2e-3
_WEIGHT_DECAY: Final = 0.01
_AVERAGE: Final = 0.98
_SCORED: Final = 16_384
_LEAST_CLICKS: Final = 50
"""On items that chance chose to show, for a map of lists' rates to be learnt from them."""
_STEPS_TO_RATE: Final = 50
_LIKELIEST: Final = 0.8
"""Of items that chance showed: those above this quantile of their log odds are rated like the first of a list."""
AS_SHOWN: Final = Calibration(np.ones(1), 0.0)
"""The map of lists' rates where nothing tells that what was shown is unlike what was not."""


class ClickFit(NamedTuple):
    """The click rates that the head corrects, and how it does on the last impressions, held back.

    `listed` maps its log odds to those of items that no policy of the shop's chose for the shopper, as in own lists.

    Each half of them is measured as the other half calibrates it.
    """

    rates: Rates
    listed: Calibration
    log_loss: float
    baseline_log_loss: float
    uncalibrated_log_loss: float
    ece: float  # 15 bins of equal width
    ece_equal_mass: float
    rows: int
    held_back: int


def fit_clicks(
    model: ShopperModel,
    item_hash: Ints,
    shown: Impressions,
    split: int,
    seed: int,
    on_progress: OnProgress,
    *,
    run: Run | None = None,
) -> ClickFit | None:
    """Fit `model.click`; the rest of the model stays as it is. None where nothing was shown or nothing clicked.

    Args:
        split: impressions from this time on (ms), and some before them, are not learnt from.
        run: where checkpoints and curves go.
    """
    count = len(shown.now)
    calibrating = min(int(np.searchsorted(shown.now, split)), round(count * (1 - _CALIBRATION_SHARE)))
    stopping = max(0, calibrating - round(count * _STOP_SHARE))
    parts = [shown.between(*cut) for cut in ((0, stopping), (stopping, calibrating), (calibrating, count))]
    early, late = parts[0], parts[2]
    if any(len(part.clicked) == 0 for part in parts) or early.clicked.sum() == 0 or early.clicked.all():
        return None
    items = len(item_hash)
    row = np.searchsorted(item_hash, early.shown_item)
    rates = click_rates(row, early.clicked, items)
    prior = out_of_fold(row, early.shown_in, early.clicked, items)
    stop, held_back = (
        shown_rows(model, item_hash, part, rates.item[np.searchsorted(item_hash, part.shown_item)])
        for part in parts[1:]
    )
    train = shown_rows(model, item_hash, early, prior)
    _fit(model, train, stop, seed, on_progress, run)
    logit_M = _score(model, held_back)
    rate = expected_rate(np.concatenate([part.clicked for part in parts[:2]]), late.clicked)
    final = fit_calibration(logit_M[:, None], late.clicked, rate)
    every_M = np.concatenate([_score(model, train), _score(model, stop), logit_M])
    listed = _fit_listed(final.apply(every_M[:, None]), shown)
    everything = click_rates(np.searchsorted(item_hash, shown.shown_item), shown.clicked, items)
    found = _measure(everything, listed, held_back, logit_M, rate, len(shown.clicked))
    model.click.calibrate(float(final.weight[0]), final.bias)
    return found


def _fit(
    model: ShopperModel, train: ShownRows, stop: ShownRows, seed: int, on_progress: OnProgress, run: Run | None
) -> None:
    rng = np.random.default_rng(seed)
    model.click.init_statistics(train.place, train.context, train.prior, train.clicked)
    model.click.calibrate(1.0, 0.0)
    batch = int(np.clip(len(train.item) // _STEPS, _LEAST_BATCH, _MOST_BATCH))
    batches = -(-len(train.item) // batch)

    def losses() -> Iterator[Tensor]:
        for rows in mine(np.array_split(rng.permutation(len(train.item)), batches)):
            yield _loss(model, train, torch.from_numpy(rows).to(train.item.device))

    def validate() -> float:
        return log_loss(_score(model, stop), stop.clicked.cpu().numpy())

    plan = Plan("click head", _LEARNING_RATE, _EPOCHS, _PATIENCE, batches, _WEIGHT_DECAY, average=_AVERAGE)
    fit(model.click, losses, validate, plan, on_progress, run=run, rng=rng)


def _fit_listed(logit_M: NDArray[np.float64], shown: Impressions) -> Calibration:
    """The map from calibrated log odds to those of items that chance chose; the identity where too few of them are.

    What a shop shows it chose, by more than the model knows: such items are clicked more than others that look the same
    to the model. A list of the model's own is of those others, and of the likeliest of them: the map is a shift, so
    that the likeliest fifth of what chance showed is rated as it was clicked. A slope would be that of all the others.
    """
    drawn = shown.explored
    if not drawn.any():
        return AS_SHOWN
    likeliest = drawn & (logit_M >= np.quantile(logit_M[drawn], _LIKELIEST))
    clicked = shown.clicked[likeliest]
    if not _LEAST_CLICKS <= clicked.sum() < len(clicked):
        return AS_SHOWN
    return Calibration(np.ones(1), _shift(logit_M[likeliest], float(clicked.mean())))


def _shift(logit_M: NDArray[np.float64], rate: float) -> float:
    """What is to be added to log odds for a mean probability, by Newton's method."""
    shift = 0.0
    for _ in range(_STEPS_TO_RATE):
        p = 1 / (1 + np.exp(-logit_M - shift))
        step = float((p.mean() - rate) / (p * (1 - p)).mean())
        shift -= step
        if abs(step) < 1e-9:
            break
    return shift


def _loss(model: ShopperModel, rows: ShownRows, pick: Tensor) -> Tensor:
    with mixed(pick.device):
        logit_M = model.click(*rows.inputs(pick))
    return F.binary_cross_entropy_with_logits(logit_M.float(), rows.clicked[pick])


def _score(model: ShopperModel, rows: ShownRows) -> Floats:
    """Log odds in full precision. [M]"""
    with torch.no_grad():
        return torch.cat([model.click(*rows.inputs(pick)) for pick in rows.every(_SCORED)]).cpu().numpy()


def _measure(
    rates: Rates, listed: Calibration, held_back: ShownRows, logit_M: Floats, rate: float, rows: int
) -> ClickFit:
    clicked = held_back.clicked.cpu().numpy()
    calibrated = _crossed(logit_M, clicked, rate)
    probability = 1 / (1 + np.exp(-calibrated))
    return ClickFit(
        rates,
        listed,
        log_loss(calibrated, clicked),
        log_loss(held_back.prior.cpu().numpy(), clicked),
        log_loss(logit_M, clicked),
        equal_width(probability, clicked).error,
        equal_mass(probability, clicked).error,
        rows,
        len(clicked),
    )


def _crossed(logit_M: Floats, clicked_M: Floats, rate: float) -> NDArray[np.float64]:
    """Log odds of each half by the map that the other half gives. [M]"""
    half = len(clicked_M) // 2
    first, second = slice(0, half), slice(half, None)
    maps: list[Calibration] = [fit_calibration(logit_M[of, None], clicked_M[of], rate) for of in (second, first)]
    return np.concatenate([map_.apply(logit_M[on, None]) for map_, on in zip(maps, (first, second), strict=True)])
