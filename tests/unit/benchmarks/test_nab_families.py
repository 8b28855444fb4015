"""A family left out has no part in the choices that it is scored with."""

import numpy as np
import pytest

from benchmarks.nab.families import family_of, left_out
from benchmarks.nab.nab import windowed_gaussian
from benchmarks.nab.scoring import PROFILES, Labelled, nab_score, score_at

STANDARD = PROFILES["standard"]
N = 1_000
WINDOW = (500, 599)


def series(found: float, false: float = 0.0) -> Labelled:
    """Finds the window's first reading with one score, and gives ten other readings another."""
    scores = np.zeros(N)
    scores[WINDOW[0]] = found
    scores[200:210] = false
    return Labelled(scores, [WINDOW])


def test_the_artificial_folders_are_one_family():
    assert family_of("artificialNoAnomaly/art_noisy.csv") == family_of("artificialWithAnomaly/art_daily_jumpsup.csv")
    assert family_of("realTraffic/speed_6005.csv") == "realTraffic"


def test_the_threshold_is_the_one_that_the_others_choose():
    found = left_out({"one": {"a/1": series(0.9), "b/1": series(0.5), "b/2": series(0.5)}}, STANDARD)
    assert found.families["a"] == (pytest.approx(100), "one", 0.5)
    assert found.families["b"] == (0, "one", 0.9)  # its own best threshold would give 100
    assert found.mean == pytest.approx(50)
    assert found.pooled == pytest.approx(100 / 3)


def test_the_settings_are_those_that_the_others_choose():
    good, noisy = series(0.9), series(0.9, false=0.95)
    candidates = {"first": {"a/1": good, "b/1": noisy}, "second": {"a/1": noisy, "b/1": good}}
    found = left_out(candidates, STANDARD)
    assert {name: family.settings for name, family in found.families.items()} == {"a": "second", "b": "first"}
    assert max(family.score for family in found.families.values()) < 50


def test_a_series_without_windows_counts_by_its_false_detections():
    noisy = Labelled(series(0, false=0.95).scores, [])
    kept = left_out({"one": {"a/1": series(0.9), "a/2": noisy, "b/1": series(0.9)}}, STANDARD)
    assert kept.families["a"].score == pytest.approx(100 * (2 - 10 * 0.11) / 2)


def test_a_score_at_the_best_threshold_is_the_best_score():
    random = np.random.default_rng(0)
    some = [Labelled(random.random(N), [(300, 399), (700, 799)]) for _ in range(3)]
    for profile in PROFILES.values():
        best = nab_score(some, profile)
        assert score_at(some, profile, best.threshold) == pytest.approx(best.score)
        assert score_at(some, profile, 0.5) < best.score


def test_the_windowed_gaussian_looks_at_both_tails():
    values = np.random.default_rng(0).normal(size=500)
    values[[300, 400]] = 9, -9
    scores = windowed_gaussian(values)[100:]  # a window of few readings knows little
    assert set(np.argsort(scores)[-2:].tolist()) == {200, 300}
    assert scores.min() >= 0.5
