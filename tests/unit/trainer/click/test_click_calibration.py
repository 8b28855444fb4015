"""A calibration map undoes what is wrong with log odds, and no more than the rows can tell."""

import numpy as np
import pytest

from trainer.click.calibration import expected_rate, fit_calibration


def clicks(logit: np.ndarray, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(len(logit)) < 1 / (1 + np.exp(-logit))).astype(np.float32)


def test_log_odds_that_are_too_sure_and_too_high_are_put_right():
    true = np.random.default_rng(1).normal(-2, 1, 50_000)
    scores = (2 * true + 1).astype(np.float32)[:, None]
    fitted = fit_calibration(scores, clicks(true))
    assert fitted.apply(scores) == pytest.approx(true, abs=0.15)


def test_the_model_that_knows_gets_the_weight():
    true = np.random.default_rng(2).normal(-1, 1, 20_000)
    noise = np.random.default_rng(3).normal(-1, 1, 20_000)
    fitted = fit_calibration(np.stack([true, noise], axis=1).astype(np.float32), clicks(true))
    assert fitted.weight == pytest.approx([1, 0], abs=0.1)


def test_a_handful_of_rows_changes_little():
    fitted = fit_calibration(np.array([[1.0], [0.5]], np.float32), np.zeros(2, np.float32))
    assert fitted.weight[0] == pytest.approx(1, abs=0.1)
    assert np.isfinite(fitted.bias)


def test_a_rate_that_does_not_wander_is_that_of_all_rows():
    clicked = (np.random.default_rng(6).random(20_000) < 0.1).astype(np.float32)
    lucky = clicked[18_000:].copy()
    lucky[:20] = 1
    assert expected_rate(clicked[:18_000], lucky) == pytest.approx(clicked.mean(), abs=0.003)
    assert lucky.mean() > clicked.mean() + 0.005


def test_a_rate_that_wanders_is_that_of_the_newest_rows():
    odds = np.repeat(np.linspace(0.05, 0.5, 10), 2_000)
    clicked = (np.random.default_rng(7).random(20_000) < odds).astype(np.float32)
    assert expected_rate(clicked[:18_000], clicked[18_000:]) == pytest.approx(clicked[18_000:].mean(), abs=0.01)


def test_a_map_can_be_fitted_to_a_rate_that_is_not_the_rows_own():
    true = np.random.default_rng(8).normal(-2, 1, 30_000)
    scores = true.astype(np.float32)[:, None]
    fitted = fit_calibration(scores, clicks(true), rate=0.1)
    assert (1 / (1 + np.exp(-fitted.apply(scores)))).mean() < 0.16
    assert fitted.bias < -0.3  # -0.52
