"""A calibration map undoes what is wrong with log odds, and no more than the rows can tell."""

import numpy as np
import pytest

from trainer.click.calibration import fit_calibration


def clicks(logit: np.ndarray, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(len(logit)) < 1 / (1 + np.exp(-logit))).astype(np.float32)


def test_log_odds_that_are_too_sure_and_too_high_are_put_right():
    true = np.random.default_rng(1).normal(-2, 1, 50_000)
    told = (2 * true + 1).astype(np.float32)[:, None]
    fitted = fit_calibration(told, clicks(true))
    assert fitted.apply(told) == pytest.approx(true, abs=0.15)


def test_the_model_that_knows_gets_the_weight():
    true = np.random.default_rng(2).normal(-1, 1, 20_000)
    noise = np.random.default_rng(3).normal(-1, 1, 20_000)
    fitted = fit_calibration(np.stack([true, noise], axis=1).astype(np.float32), clicks(true))
    assert fitted.weight == pytest.approx([1, 0], abs=0.1)


def test_a_handful_of_rows_changes_little():
    fitted = fit_calibration(np.array([[1.0], [0.5]], np.float32), np.zeros(2, np.float32))
    assert fitted.weight[0] == pytest.approx(1, abs=0.1)
    assert np.isfinite(fitted.bias)
