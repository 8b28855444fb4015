"""Calibration error as worked out by hand, and the diagram that shows it."""

from pathlib import Path

import numpy as np
import pytest

from headrace.errors import UsageError
from trainer.evaluation.calibration import equal_mass, equal_width
from trainer.evaluation.reliability import draw_reliability


def test_the_error_is_the_weighted_mean_gap_of_the_bins():
    probability = np.array([0.1, 0.1, 0.9, 0.9, 0.9, 0.9])
    clicked = np.array([0, 1, 1, 1, 1, 0])
    bins = equal_width(probability, clicked, bins=2)
    assert bins.size.tolist() == [2, 4]
    assert bins.error == pytest.approx((2 * 0.4 + 4 * 0.15) / 6)


def test_bins_of_equal_count_see_what_bins_of_equal_width_average_away():
    probability = np.repeat([0.01, 0.03], 500)
    clicked = np.concatenate([np.arange(500) % 100 < 3, np.arange(500) % 100 < 1])
    mixed = np.random.default_rng(1).permutation(1000)
    assert equal_width(probability[mixed], clicked[mixed]).error == pytest.approx(0, abs=1e-9)
    assert equal_mass(probability[mixed], clicked[mixed], bins=2).error == pytest.approx(0.02)


def test_probabilities_of_0_and_1_have_a_bin():
    assert equal_width(np.array([0.0, 1.0]), np.array([0, 1])).error == 0


def test_the_diagram_is_the_same_bytes_each_time(tmp_path: Path):
    rng = np.random.default_rng(0)
    probability = rng.random(500)
    clicked = (rng.random(500) < probability).astype(float)
    for name in ("one.svg", "two.svg"):
        draw_reliability(tmp_path / name, probability, clicked)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "</svg>" in (tmp_path / "one.svg").read_text()


def test_a_diagram_that_cannot_be_written_is_wrong_usage(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot write"):
        draw_reliability(tmp_path / "none" / "plot.svg", np.array([0.5]), np.array([1.0]))
