"""Popularity as of any time knows nothing of what came after."""

import numpy as np

from trainer.data.popularity import measure_popularity

DAY = 86_400_000


def test_a_step_counts_only_what_came_before_it():
    item = np.array([0] * 50 + [1] * 50)
    time = np.arange(100) * DAY
    popularity = measure_popularity(item, time, items=3)
    for by_time in popularity.log_PSN:
        assert by_time[20, 0] > by_time[20, 1] == by_time[20, 2]
        assert (np.diff(popularity.times) > 0).all()
    assert popularity.log_PSN[0, -1, 1] > popularity.log_PSN[0, -1, 0]


def test_an_event_is_scored_with_a_step_of_its_past():
    time = np.arange(100) * DAY
    popularity = measure_popularity(np.zeros(100, np.int64), time, items=2)
    assert (popularity.times[popularity.step(time)] <= time).all()
