"""Loads go in order, overlap where they may, and begin again together when one fails."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from streams.scheduler.slots import IN_FLIGHT, BatchScheduler, BatchSlot


class Pipeline:
    """A scheduler whose batches are names, and what it did with them."""

    def __init__(self, process: Callable[["Pipeline", str, BatchSlot], Awaitable[None]]) -> None:
        self.steps: list[str] = []
        self.done: list[str] = []
        self.recovered: list[str] = []
        self.given_up: list[str] = []
        self.line: BatchScheduler[str] = BatchScheduler(
            lambda batch, slot: process(self, batch, slot), self.recover, lambda _: None, self.on_done
        )
        self._arrivals = asyncio.Semaphore(0)

    def on_done(self, batch: str) -> None:
        self.done.append(batch)
        self._arrivals.release()

    async def recover(self, error: Exception, failures: int, given_up: Sequence[str]) -> None:
        self.recovered.append(f"{error} {failures}")
        self.given_up.append("".join(given_up))

    async def carry(self, *batches: str) -> None:
        """Put batches in line and run it until they have arrived, or it has ended."""
        for batch in batches:
            await self.line.put(batch)
        running, all_there = asyncio.create_task(self.line.run()), asyncio.create_task(self._arrive(len(batches)))
        done, rest = await asyncio.wait([running, all_there], return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        for task in done:
            task.result()

    async def _arrive(self, count: int) -> None:
        for _ in range(count):
            await self._arrivals.acquire()


async def in_three_steps(pipeline: Pipeline, batch: str, slot: BatchSlot) -> None:
    pipeline.steps.append(f"{batch} folds")
    await asyncio.sleep(0)
    pipeline.steps.append(f"{batch} asks")
    slot.release_next()
    await asyncio.sleep(0.02 if batch == "a" else 0)  # who asks later is answered earlier
    await slot.await_commit_turn()
    pipeline.steps.append(f"{batch} writes")


async def test_a_load_folds_while_the_one_ahead_asks_and_writes_after_it():
    pipeline = Pipeline(in_three_steps)
    await pipeline.carry("a", "b")
    assert pipeline.steps == ["a folds", "a asks", "b folds", "b asks", "a writes", "b writes"]
    assert pipeline.done == ["a", "b"]


async def test_a_load_speaks_after_the_one_ahead_has_spoken_and_while_that_one_writes():
    async def process(pipeline: Pipeline, batch: str, slot: BatchSlot) -> None:
        slot.release_next()
        await asyncio.sleep(0.02 if batch == "a" else 0)
        await slot.await_emit_turn()
        pipeline.steps.append(f"{batch} speaks")
        slot.mark_emitted()
        await asyncio.sleep(0.02 if batch == "a" else 0)
        await slot.await_commit_turn()
        pipeline.steps.append(f"{batch} writes")

    pipeline = Pipeline(process)
    await pipeline.carry("a", "b")
    assert pipeline.steps == ["a speaks", "b speaks", "a writes", "b writes"]


async def test_a_load_that_never_opens_its_way_travels_alone():
    async def alone(pipeline: Pipeline, batch: str, slot: BatchSlot) -> None:
        pipeline.steps.append(f"{batch} begins")
        await asyncio.sleep(0)
        pipeline.steps.append(f"{batch} ends")

    pipeline = Pipeline(alone)
    await pipeline.carry("a", "b")
    assert pipeline.steps == ["a begins", "a ends", "b begins", "b ends"]


async def test_only_so_many_are_under_way():
    under_way, most = 0, 0

    async def process(pipeline: Pipeline, batch: str, slot: BatchSlot) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        slot.release_next()
        await asyncio.sleep(0.01)
        await slot.await_commit_turn()
        under_way -= 1

    await Pipeline(process).carry(*"abcdefgh")
    assert most == IN_FLIGHT


async def test_when_one_fails_those_behind_it_begin_again_with_it_in_order():
    async def process(pipeline: Pipeline, batch: str, slot: BatchSlot) -> None:
        pipeline.steps.append(f"{batch} folds")
        slot.release_next()
        await asyncio.sleep(0)
        if batch == "b" and not pipeline.recovered:
            raise ValueError("broken")
        await slot.await_commit_turn()
        pipeline.steps.append(f"{batch} writes")

    pipeline = Pipeline(process)
    await pipeline.carry("a", "b", "c")
    assert (pipeline.recovered, pipeline.given_up) == (["broken 1"], ["bc"])
    assert [pipeline.steps.count(f"{batch} folds") for batch in "abc"] == [1, 2, 2]
    assert pipeline.done == ["a", "b", "c"]
    assert [steps for steps in pipeline.steps if steps.endswith("writes")] == ["a writes", "b writes", "c writes"]


async def test_failures_are_counted_until_something_arrives():
    async def process(pipeline: Pipeline, batch: str, slot: BatchSlot) -> None:
        if len(pipeline.recovered) < {"a": 2, "b": 3}[batch]:
            raise ValueError(batch)

    pipeline = Pipeline(process)
    await pipeline.carry("a", "b")
    assert pipeline.recovered == ["a 1", "a 2", "b 1"]


async def test_what_cannot_be_mended_ends_the_line_and_leaves_the_loads():
    async def process(pipeline: Pipeline, batch: str, slot: BatchSlot) -> None:
        raise ValueError("for good")

    class Strict(Pipeline):
        async def recover(self, error: Exception, failures: int, given_up: Sequence[str]) -> None:
            raise error

    pipeline = Strict(process)
    with pytest.raises(ValueError, match="for good"):
        await pipeline.carry("a", "b")
    assert pipeline.line.drain() == ["a", "b"]
    assert len(pipeline.line) == 0


async def test_stillness_waits_for_what_is_under_way_and_lets_nothing_begin():
    begun, go = asyncio.Event(), asyncio.Event()

    async def process(pipeline: Pipeline, batch: str, slot: BatchSlot) -> None:
        pipeline.steps.append(f"{batch} begins")
        begun.set()
        await go.wait()
        pipeline.steps.append(f"{batch} ends")

    pipeline = Pipeline(process)
    carried = asyncio.create_task(pipeline.carry("a", "b"))
    await begun.wait()
    asyncio.get_running_loop().call_later(0.01, go.set)
    async with pipeline.line.quiesced():
        pipeline.steps.append("still")
        await asyncio.sleep(0.01)
        pipeline.steps.append("still")
    await carried
    assert pipeline.steps == ["a begins", "a ends", "still", "still", "b begins", "b ends"]


async def test_a_load_that_fails_while_stillness_is_waited_for_lets_it_come():
    failing = asyncio.Event()

    async def process(pipeline: Pipeline, batch: str, slot: BatchSlot) -> None:
        if not pipeline.recovered:
            await failing.wait()
            raise ValueError("once")

    pipeline = Pipeline(process)
    carrying = asyncio.create_task(pipeline.carry("a"))

    async def wait_for_stillness() -> None:
        async with pipeline.line.quiesced():
            pipeline.steps.append("still")

    await asyncio.sleep(0.01)
    stillness = asyncio.create_task(wait_for_stillness())
    await asyncio.sleep(0.01)
    failing.set()
    await asyncio.wait_for(asyncio.gather(stillness, carrying), 5)
    assert (pipeline.steps, pipeline.done) == (["still"], ["a"])
