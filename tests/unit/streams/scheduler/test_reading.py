"""What is read when: a pipeline reads when its batches have made way, some at once, none before its pause is over."""

from math import inf
from typing import NamedTuple

import pytest

from streams.scheduler.reading import Batching, Done, ReadPlan, ReadScheduler
from streams.scheduler.slots import IN_FLIGHT
from streams.scheduler.throttle import PipelineTopics

SHOPPERS = PipelineTopics(frozenset({"events", "requests"}))
ITEMS = PipelineTopics(frozenset({"items"}), pause_s=5.0)


class Partition(NamedTuple):
    topic: str
    partition: int


EVENTS = [Partition("events", n) for n in (0, 1, 2)]
PARTITIONS = [*EVENTS, Partition("requests", 0), Partition("items", 0)]


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reads(clock: Clock) -> ReadScheduler[Partition, str]:
    return ReadScheduler(Batching(records=512, size=1_000, pipelines=[SHOPPERS, ITEMS]), clock)


def pipelines(plan: ReadPlan[Partition]) -> list[PipelineTopics]:
    return [pipeline for pipeline, _ in plan.quotas]


def begin(reads: ReadScheduler[Partition, str], pipeline: PipelineTopics, name: str) -> object:
    batch = object()
    reads.note_read(pipeline, [Partition(min(pipeline.names), 0)], more=False)
    reads.begin(pipeline, batch, name)
    return batch


def test_each_pipeline_reads_its_own_partitions_in_their_order(reads):
    plan = reads.plan(reversed(PARTITIONS))
    assert [(quota.partitions, quota.records) for _, quota in plan.quotas] == [
        ([*EVENTS, Partition("requests", 0)], 512),
        ([Partition("items", 0)], 512),
    ]
    assert plan.pause_s == inf


def test_a_pipeline_without_partitions_reads_nothing(reads):
    assert pipelines(reads.plan(EVENTS)) == [SHOPPERS]
    assert reads.plan([]) == ReadPlan([], inf, frozenset())


def test_the_next_batch_is_read_when_the_last_has_made_way(reads):
    batch = begin(reads, SHOPPERS, "first")
    assert SHOPPERS not in pipelines(reads.plan(PARTITIONS))
    assert reads.released_next(batch)
    assert SHOPPERS in pipelines(reads.plan(PARTITIONS))


def test_to_make_way_twice_or_after_the_end_is_no_news(reads):
    batch = begin(reads, SHOPPERS, "first")
    assert reads.released_next(batch)
    assert not reads.released_next(batch)
    assert reads.mark_done(batch) == Done("first", False)
    assert not reads.released_next(batch)


def test_no_more_batches_than_there_are_slots_are_in_flight(reads):
    batches = [begin(reads, SHOPPERS, str(n)) for n in range(IN_FLIGHT)]
    for batch in batches:
        reads.released_next(batch)
    assert SHOPPERS not in pipelines(reads.plan(PARTITIONS))
    assert reads.mark_done(batches[0]) == Done("0", True)
    assert SHOPPERS in pipelines(reads.plan(PARTITIONS))


def test_batches_of_one_pipeline_hold_up_no_other(reads):
    begin(reads, ITEMS, "items")
    assert pipelines(reads.plan(PARTITIONS)) == [SHOPPERS]


def test_a_pipeline_pauses_while_another_is_busy_and_the_plan_says_how_long(reads, clock):
    reads.released_next(begin(reads, SHOPPERS, "shoppers"))
    reads.note_read(ITEMS, [Partition("items", 0)], more=False)
    clock.now += 2.0
    plan = reads.plan(PARTITIONS)
    assert pipelines(plan) == [SHOPPERS]
    assert plan.pause_s == pytest.approx(3.0)
    assert plan.resting == {Partition("items", 0)}
    clock.now += 3.0
    assert pipelines(reads.plan(PARTITIONS)) == [SHOPPERS, ITEMS]


def test_partitions_are_fetched_where_a_pause_is_over_before_the_fetch(reads, clock):
    reads.released_next(begin(reads, SHOPPERS, "shoppers"))
    reads.note_read(ITEMS, [Partition("items", 0)], more=False)
    clock.now += 4.95
    plan = reads.plan(PARTITIONS)
    assert (plan.pause_s, plan.resting) == (pytest.approx(0.05), frozenset())


def test_a_batch_whose_pipeline_had_room_makes_none(reads):
    first, second = begin(reads, SHOPPERS, "first"), begin(reads, SHOPPERS, "second")
    reads.released_next(first)
    assert reads.mark_done(first) == Done("first", False)  # the second has not made way
    assert reads.mark_done(second) == Done("second", True)


def test_what_a_reading_left_is_read_without_a_pause(reads):
    reads.released_next(begin(reads, SHOPPERS, "shoppers"))
    reads.note_read(ITEMS, [Partition("items", 0)], more=True)
    assert pipelines(reads.plan(PARTITIONS)) == [SHOPPERS, ITEMS]


def test_a_reading_that_brought_nothing_begins_no_pause(reads):
    reads.released_next(begin(reads, SHOPPERS, "shoppers"))
    reads.note_read(ITEMS, [], more=False)
    assert pipelines(reads.plan(PARTITIONS)) == [SHOPPERS, ITEMS]


def test_whoever_was_read_last_is_asked_last(reads):
    reads.note_read(SHOPPERS, EVENTS[:1], more=True)
    (_, quota), *_ = reads.plan(EVENTS).quotas
    assert quota.partitions == [*EVENTS[1:], EVENTS[0]]


def test_a_batch_that_began_before_a_rebalance_is_nobodys(reads):
    batch = begin(reads, SHOPPERS, "before")
    reads.reset()
    assert SHOPPERS in pipelines(reads.plan(PARTITIONS))
    assert not reads.released_next(batch)
    assert reads.mark_done(batch) is None
