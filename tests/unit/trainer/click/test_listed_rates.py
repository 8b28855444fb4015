"""The map of lists' rates: what chance chose to show is clicked less than what the shop chose by more than is known."""

import numpy as np
import pytest

from trainer.click.fit import AS_SHOWN, _fit_listed  # pyright: ignore[reportPrivateUsage]
from trainer.data.impressions import Impressions

ROWS = 60_000
NOBODY = np.zeros((0, 1), np.int64)


def shown(clicked: np.ndarray, explored: np.ndarray) -> Impressions:
    row = np.arange(len(clicked))
    history = (NOBODY, NOBODY.astype(np.int32), NOBODY, np.zeros(0, np.int64), NOBODY)
    return Impressions(*history, row, row, row, clicked, explored)


def rows(hidden: float, seed: int = 0) -> tuple[np.ndarray, Impressions, np.ndarray]:
    """Log odds that all know, and a liking that the shop alone knows: it shows half of the items by that."""
    rng = np.random.default_rng(seed)
    known, liking = rng.normal(-2, 1, 4 * ROWS), rng.normal(0, hidden, 4 * ROWS)
    explored = rng.random(4 * ROWS) < 0.5
    there = explored | (liking > 0.5 * hidden)
    known, liking, explored = known[there][:ROWS], liking[there][:ROWS], explored[there][:ROWS]
    clicked = (rng.random(ROWS) < 1 / (1 + np.exp(-known - liking))).astype(np.float32)
    return known.astype(np.float32), shown(clicked, explored), explored


def test_the_likeliest_items_are_rated_as_those_that_chance_chose_are_clicked():
    logit, impressions, explored = rows(hidden=1.5)
    scores = calibrated(logit, impressions)
    listed = 1 / (1 + np.exp(-_fit_listed(scores, impressions).apply(scores[:, None])))
    first = explored & (scores > np.quantile(scores[explored], 0.8))
    by_chance = impressions.clicked[first].mean()
    assert listed[first].mean() == pytest.approx(by_chance, abs=1e-4)
    assert by_chance < (1 / (1 + np.exp(-scores[first]))).mean() - 0.02


def test_a_shop_that_knows_no_more_than_the_model_changes_nothing():
    logit, impressions, _ = rows(hidden=0.0)
    fitted = _fit_listed(calibrated(logit, impressions), impressions)
    assert fitted.weight[0] == 1
    assert fitted.bias == pytest.approx(0, abs=0.1)


def test_without_items_that_chance_chose_there_is_no_map():
    logit, impressions, explored = rows(hidden=1.5)
    assert _fit_listed(logit, impressions._replace(explored=np.zeros_like(explored))) is AS_SHOWN


def calibrated(logit: np.ndarray, impressions: Impressions) -> np.ndarray:
    from trainer.click.calibration import fit_calibration

    return fit_calibration(logit[:, None], impressions.clicked).apply(logit[:, None])
