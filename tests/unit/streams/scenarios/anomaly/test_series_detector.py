"""The detector of any series: what it finds, and what it never does."""

import math

import numpy as np
import pytest

from streams.scenarios.anomaly import novelty, sorted_window
from streams.scenarios.anomaly.novelty import NearestAtHour, NearestShape, NearestValue
from streams.scenarios.anomaly.season import find_season
from streams.scenarios.anomaly.seasonal import SeasonalResidual
from streams.scenarios.anomaly.series import SHIPPED, SeriesDetector
from streams.scenarios.anomaly.suppressor import AlertSuppressor

MINUTE = 60_000


def scores(values: object, step: int = 5 * MINUTE) -> np.ndarray:
    detector = SeriesDetector()
    return np.array([detector.score(i * step, float(v)) for i, v in enumerate(values)])  # type: ignore[arg-type]


def daily(n: int, seed: int = 0, noise: float = 0.05) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.sin(np.arange(n) * 2 * np.pi / 96) + noise * random.normal(size=n)


def test_a_spike_is_the_highest_score_of_its_series():
    series = np.random.default_rng(1).normal(size=1_000)
    series[700] = 12
    found = scores(series)
    assert found.argmax() == 700
    assert found[700] > 0.99


def test_a_usual_value_at_an_unusual_hour_is_found_once_the_season_is_known():
    series = daily(1_500)
    series[1_224] = series[1_224 - 48]  # noon's value at midnight
    found = scores(series)
    assert found[600:].argmax() + 600 == 1_224


def test_a_shift_of_level_is_reported_once():
    series = np.random.default_rng(2).normal(size=1_500)
    series[1_000:] += 15
    reported = np.flatnonzero(scores(series)[950:1_150] > 0.99) + 950
    assert reported[0] == 1_000
    assert len(reported) <= 5  # while the new level settles, not at each of its 150 readings


def test_what_follows_a_surprise_counts_only_where_it_exceeds_it_until_the_aftermath_is_over():
    suppressor = AlertSuppressor(200)
    assert [suppressor.suppress(anomaly_score) for anomaly_score in (1.0, 5.0, 3.0, 6.0, 6.0)] == [1, 5, 0, 6, 0]
    assert not any(suppressor.suppress(0.5) for _ in range(199))
    assert suppressor.suppress(2.0) == 0
    assert suppressor.suppress(3.0) == 3


def test_a_score_depends_on_the_past_alone():
    series = daily(800, seed=3)
    other = series.copy()
    other[500:] += np.random.default_rng(4).normal(size=300) * 10
    assert (scores(series)[:500] == scores(other)[:500]).all()


def test_the_scores_of_a_series_cut_short_are_those_of_the_whole_one():
    series = daily(900, seed=12)
    series[450] += 4
    whole = scores(series)
    for length in (1, 100, 451, 600):
        assert (scores(series[:length]) == whole[:length]).all()


def test_a_value_usual_at_another_hour_is_new_at_its_own():
    random = np.random.default_rng(13)
    hours = [i % 24 for i in range(1_000)]
    view = NearestAtHour()
    distances = [view.distance(i * 60 * MINUTE, hour + 0.1 * random.normal()) for i, hour in enumerate(hours)]
    at_own, at_another = distances[-1], view.distance(1_000 * 60 * MINUTE, (1_000 + 12) % 24)
    assert at_own < 0.5
    assert at_another > 10


def test_the_hour_of_the_day_finds_what_noise_hides_from_a_season():
    angle = np.arange(1_500) * 2 * np.pi / 96
    series = np.sin(angle) + 0.55 * np.random.default_rng(14).normal(size=1_500)
    series[1_272] = -2  # as at night, at noon
    assert find_season(series) == 0
    found = [
        np.array([detector.score(i * 15 * MINUTE, value) for i, value in enumerate(series)])
        for detector in (SeriesDetector(), SeriesDetector(SHIPPED._replace(hour=0)))
    ]
    with_hour, without = (scores[600:].argmax() + 600 for scores in found)
    assert with_hour == 1_272
    assert without != 1_272


def test_the_unit_of_a_series_changes_no_score():
    series = daily(700, seed=5)
    assert scores(series) == pytest.approx(scores(series * 1024.0), abs=1e-9)


@pytest.mark.parametrize("series", [[], [1.0], [1.0, 2.0, 3.0], [7.0] * 500])
def test_too_little_or_nothing_new_scores_0(series: list[float]):
    assert not scores(series).any()


def test_what_is_no_finite_number_scores_0_and_teaches_nothing():
    series = daily(600, seed=6)
    detector, plain = SeriesDetector(), SeriesDetector()
    for i, value in enumerate(series):
        for odd in (math.nan, math.inf, -math.inf):
            assert detector.score(i * MINUTE, odd) == 0
        assert detector.score(i * MINUTE, value) == plain.score(i * MINUTE, value)


def test_the_largest_floats_are_scored_like_any_spike():
    series = [*daily(300, seed=7), 1e308, *daily(50, seed=8), -1e308, *daily(300, seed=9)]
    found = scores(series)
    assert np.isfinite(found).all()
    assert found.argmax() == 300
    assert found[300] > 0.99


def test_time_stamps_that_stand_still_or_go_back_are_taken_in_order():
    detector = SeriesDetector()
    found = [detector.score(stamp, value) for stamp, value in zip([0, 0, 5, 3] * 100, daily(400), strict=True)]
    assert np.isfinite(found).all()


def test_a_gap_does_not_shift_the_season():
    series = daily(1_000, seed=9, noise=0.02)
    aware, unaware = SeasonalResidual(), SeasonalResidual()
    for value in series[:700]:
        aware.residual(value, 0)
        unaware.residual(value, 0)
    left = [aware.residual(value, 40 if i == 0 else 0) for i, value in enumerate(series[740:800])]
    wrong = [unaware.residual(value, 0) for value in series[740:800]]
    assert np.abs(left).max() < 0.2  # type: ignore[arg-type]
    assert np.abs(wrong).max() > 1  # type: ignore[arg-type]


def test_an_endless_series_costs_bounded_memory(monkeypatch: pytest.MonkeyPatch):
    for module in (novelty, sorted_window):
        monkeypatch.setattr(module, "MEMORY", 64)
    value, shape = NearestValue(), NearestShape(4)
    for reading in np.random.default_rng(0).normal(size=5_000):
        value.distance(reading)
        shape.distance(reading)
    assert len(value._past.values) == 64
    assert value._past.values == sorted(value._past._in_time)
    assert shape._past.shape == (4, 1_024)


def test_a_season_is_found_by_its_shortest_lag_and_noise_or_drift_has_none():
    assert find_season(daily(600)) == 96
    assert find_season(np.random.default_rng(0).normal(size=600)) == 0
    assert find_season(np.arange(600.0)) == 0
    assert find_season(np.ones(600)) == 0
    assert find_season(np.arange(4.0)) == 0
