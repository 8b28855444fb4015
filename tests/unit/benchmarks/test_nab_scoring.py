"""The benchmark's scoring gives what its formulas imply."""

import numpy as np
import pytest

from benchmarks.nab.scoring import PROFILES, Labelled, nab_score, probation

N = 1_000
WINDOWS = [(300, 399), (700, 799)]


def detector(*at: int) -> Labelled:
    scores = np.zeros(N)
    scores[list(at)] = 1.0
    return Labelled(scores, WINDOWS)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_detector_that_says_nothing_scores_0(profile: str):
    assert nab_score([detector()], PROFILES[profile]).score == 0


@pytest.mark.parametrize("profile", PROFILES)
def test_a_detector_that_marks_the_start_of_every_window_scores_100(profile: str):
    assert nab_score([detector(300, 700)], PROFILES[profile]).score == pytest.approx(100)


def test_finding_one_of_two_windows_scores_half_of_it():
    assert nab_score([detector(300)], PROFILES["standard"]).score == pytest.approx(50)


def test_a_later_detection_earns_less_and_the_window_s_last_reading_next_to_nothing():
    early, late, last = (nab_score([detector(at, 700)], PROFILES["standard"]).score for at in (310, 350, 399))
    assert 100 > early > late > last
    assert last == pytest.approx(75 + 25 * np.tanh(2.5 / 100) / np.tanh(2.5), abs=1e-6)


def test_a_second_detection_in_a_window_changes_nothing():
    once, twice = (nab_score([detector(*at, 700)], PROFILES["standard"]).score for at in ((300,), (300, 350)))
    assert once == twice


def test_a_false_detection_costs_its_weight_and_double_where_false_ones_weigh_double():
    standard, low_false = (nab_score([detector(200, 300, 700)], PROFILES[p]) for p in list(PROFILES)[:2])
    assert standard.score == pytest.approx(100 * (4 - 0.11) / 4)
    assert low_false.score == pytest.approx(100 * (4 - 0.22) / 4)


def test_a_detection_shortly_after_a_window_costs_less_than_one_far_from_it():
    near, far = (nab_score([detector(at, 300, 700)], PROFILES["standard"]).score for at in (402, 690))
    assert near > far


def test_the_first_part_of_a_series_is_not_scored():
    assert probation(N) == 150
    assert probation(100_000) == 750
    assert nab_score([detector(149, 300, 700)], PROFILES["standard"]).score == pytest.approx(100)


def test_one_threshold_serves_all_series():
    good, noisy = detector(300, 700), detector(300, 700)
    noisy.scores[160:170] = 1.0
    good.scores[[300, 700]] = 0.5
    both = nab_score([good, noisy], PROFILES["standard"])
    assert both.score < nab_score([good], PROFILES["standard"]).score
    assert both.threshold == 0.5
