"""The threshold of alerts holds the configured rate, and is not raised by the anomalies it is there to find."""

import numpy as np
import pytest

from streams.scenarios.demand.alerts.calibration import BINS, bin_of, edge, note, strict_threshold, threshold


def counted(scores, empty=0):
    counts: list[int] = []
    note(counts, list(scores), empty)
    return counts


def well_calibrated(n, seed=0):
    return -np.log10(np.random.default_rng(seed).uniform(size=n))


def test_before_anything_is_counted_the_forecast_s_own_distribution_decides():
    for rate in (1e-3, 1e-6):
        assert threshold([], rate) == pytest.approx(-np.log10(rate), rel=0.1)


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.8])
def test_a_rate_that_the_counted_windows_speak_of_is_held_whatever_the_forecasts_say(slope):
    scores = slope * well_calibrated(100_000)
    alert_threshold = threshold(counted(scores), 1e-3)
    fresh = slope * well_calibrated(100_000, seed=1)
    assert (fresh > alert_threshold).mean() == pytest.approx(0.8e-3, rel=0.4)


def test_windows_nobody_looked_at_count_as_unsurprising():
    scores = well_calibrated(10_000)
    assert threshold(counted(scores, empty=90_000), 1e-3) < threshold(counted(scores), 1e-3) - 0.8


def test_a_few_true_anomalies_hardly_raise_a_rare_rate_s_threshold():
    quiet = well_calibrated(50_000)
    alarmed = np.concatenate([quiet, np.full(9, 14.0)])
    assert threshold(counted(alarmed), 1e-6) <= 1.1 * 6
    assert threshold(counted(alarmed), 1e-6) < 14


def test_a_tail_far_heavier_than_forecast_raises_it_as_far_as_it_takes():
    heavy = 4 * well_calibrated(50_000)
    alert_threshold = threshold(counted(heavy), 1e-6)
    assert alert_threshold > 8
    assert (4 * well_calibrated(50_000, seed=1) > alert_threshold).sum() <= 25
    assert threshold(counted(np.full(50_000, 40.0)), 1e-6) >= 40
    assert strict_threshold(1e-6) == 12


def test_a_rarer_rate_never_has_a_lower_threshold():
    counts = counted(well_calibrated(30_000))
    bars = [threshold(counts, rate) for rate in (1e-1, 1e-2, 1e-3, 2e-4, 1e-5, 1e-7)]
    assert bars == sorted(bars)


def test_every_surprise_has_a_bin():
    assert [bin_of(s) for s in (0.0, 0.05, 0.06, 300.0, 1e9)] == [0, 0, 1, BINS - 1, BINS - 1]
    assert all(bin_of(edge(b + 0.5)) == b for b in range(BINS))


def test_what_was_long_ago_is_forgotten():
    counts = counted(np.full(100, 50.0))
    for seed in range(30):
        note(counts, list(well_calibrated(50_000, seed)), 0)
    assert sum(counts) < 250_000
    assert threshold(counts, 1e-6) < 8
