"""A partition that fills every batch holds up no other."""

from collections import Counter

from streams.scheduler.fair_order import FairOrder

ROOM = 10


def batch(turns: FairOrder[str], waiting: Counter[str]) -> Counter[str]:
    """Take what there is room for, as the consumer does."""
    taken: Counter[str] = Counter()
    for name in turns.order(sorted(waiting)):
        if count := min(waiting[name], ROOM - taken.total()):
            taken[name] = count
    waiting.subtract(taken)
    turns.mark_served(taken)
    return taken


def test_what_comes_to_others_goes_with_the_next_load_while_one_could_fill_them_all():
    turns: FairOrder[str] = FairOrder()
    waiting = Counter({"a hot": 10_000, "b": 0, "c": 0})
    batch(turns, waiting)
    for turn in range(50):
        waiting.update({"b": 1, "c": turn % 2})
        assert batch(turns, waiting) == Counter({"b": 1, "c": turn % 2, "a hot": ROOM - 1 - turn % 2})


def test_those_that_could_each_fill_a_load_take_turns():
    turns: FairOrder[str] = FairOrder()
    waiting = Counter(dict.fromkeys("abc", 10_000))
    assert [next(iter(batch(turns, waiting))) for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]
