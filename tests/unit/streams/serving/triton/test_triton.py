"""Rule 12: deadlines grow with the rows asked for."""

from streams.serving.triton.client import deadline_s


def test_every_row_asked_for_adds_the_same_to_the_deadline():
    assert deadline_s(2_000, 0) == 2.0
    added = [deadline_s(2_000, rows + 1) - deadline_s(2_000, rows) for rows in (0, 9, 999)]
    assert min(added) > 0
    assert max(added) - min(added) < 1e-9
