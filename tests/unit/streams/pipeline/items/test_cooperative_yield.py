"""Long work leaves others room in proportion to what was worked, not to the number of its pieces."""

import asyncio

import pytest

from streams.pipeline.items.cooperative_yield import CooperativeYield


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """Every pause that was made; none is waited for."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return made


def waiting() -> bool:
    return True


async def test_pieces_that_take_no_time_are_one_yield(pauses):
    cooperative = CooperativeYield(waiting, lambda: 5.0)
    for _ in range(100):
        await cooperative.yield_if_due()
    assert pauses == []


async def test_after_each_yield_others_have_their_time(pauses):
    times = iter([0.0, 0.0004, 0.0012, 0.0032, 0.0040, 0.0043, 0.0063])
    cooperative = CooperativeYield(waiting, lambda: next(times))
    for _ in range(4):  # at 0.4, 1.2 (a pause to 3.2), 4.0 and 4.3 (a pause to 6.3) ms
        await cooperative.yield_if_due()
    assert pauses == [0.002, 0.002]


async def test_who_comes_while_nobody_waited_does_not_stop_work_that_has_just_begun(pauses):
    come = iter([False, False, True])
    cooperative = CooperativeYield(lambda: next(come), iter([0.0, 5.0, 9.0, 9.0004]).__next__)
    for _ in range(3):
        await cooperative.yield_if_due()
    assert pauses == [0, 0]


async def test_where_nobody_waits_every_piece_ends_with_one_turn_of_the_loop(pauses):
    cooperative = CooperativeYield(lambda: False, lambda: 5.0)
    for _ in range(3):
        await cooperative.yield_if_due()
    assert pauses == [0.0] * 3
