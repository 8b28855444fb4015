"""Loads go in order, overlap where they may, and begin again together when one fails."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from streams.line import UNDER_WAY, Line, Way


class Road:
    """A line whose loads are names, and all that is heard of them."""

    def __init__(self, travel: Callable[["Road", str, Way], Awaitable[None]]) -> None:
        self.told: list[str] = []
        self.arrived: list[str] = []
        self.mended: list[str] = []
        self.given_up: list[str] = []
        self.line: Line[str] = Line(lambda load, way: travel(self, load, way), self.mend, lambda _: None, self.arrive)
        self._arrivals = asyncio.Semaphore(0)

    def arrive(self, load: str) -> None:
        self.arrived.append(load)
        self._arrivals.release()

    async def mend(self, error: Exception, failures: int, given_up: Sequence[str]) -> None:
        self.mended.append(f"{error} {failures}")
        self.given_up.append("".join(given_up))

    async def carry(self, *loads: str) -> None:
        """Put loads in line and run it until they have arrived, or it has ended."""
        for load in loads:
            await self.line.put(load)
        running, all_there = asyncio.create_task(self.line.run()), asyncio.create_task(self._arrive(len(loads)))
        done, rest = await asyncio.wait([running, all_there], return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        for task in done:
            task.result()

    async def _arrive(self, count: int) -> None:
        for _ in range(count):
            await self._arrivals.acquire()


async def in_three_steps(road: Road, load: str, way: Way) -> None:
    road.told.append(f"{load} folds")
    await asyncio.sleep(0)
    road.told.append(f"{load} asks")
    way.open()
    await asyncio.sleep(0.02 if load == "a" else 0)  # who asks later is answered earlier
    await way.clear()
    road.told.append(f"{load} writes")


async def test_a_load_folds_while_the_one_ahead_asks_and_writes_after_it():
    road = Road(in_three_steps)
    await road.carry("a", "b")
    assert road.told == ["a folds", "a asks", "b folds", "b asks", "a writes", "b writes"]
    assert road.arrived == ["a", "b"]


async def test_a_load_speaks_after_the_one_ahead_has_spoken_and_while_that_one_writes():
    async def travel(road: Road, load: str, way: Way) -> None:
        way.open()
        await asyncio.sleep(0.02 if load == "a" else 0)
        await way.turn()
        road.told.append(f"{load} speaks")
        way.spoken()
        await asyncio.sleep(0.02 if load == "a" else 0)
        await way.clear()
        road.told.append(f"{load} writes")

    road = Road(travel)
    await road.carry("a", "b")
    assert road.told == ["a speaks", "b speaks", "a writes", "b writes"]


async def test_a_load_that_never_opens_its_way_travels_alone():
    async def alone(road: Road, load: str, way: Way) -> None:
        road.told.append(f"{load} begins")
        await asyncio.sleep(0)
        road.told.append(f"{load} ends")

    road = Road(alone)
    await road.carry("a", "b")
    assert road.told == ["a begins", "a ends", "b begins", "b ends"]


async def test_only_so_many_are_under_way():
    under_way, most = 0, 0

    async def travel(road: Road, load: str, way: Way) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        way.open()
        await asyncio.sleep(0.01)
        await way.clear()
        under_way -= 1

    await Road(travel).carry(*"abcdefgh")
    assert most == UNDER_WAY


async def test_when_one_fails_those_behind_it_begin_again_with_it_in_order():
    async def travel(road: Road, load: str, way: Way) -> None:
        road.told.append(f"{load} folds")
        way.open()
        await asyncio.sleep(0)
        if load == "b" and not road.mended:
            raise ValueError("broken")
        await way.clear()
        road.told.append(f"{load} writes")

    road = Road(travel)
    await road.carry("a", "b", "c")
    assert (road.mended, road.given_up) == (["broken 1"], ["bc"])
    assert [road.told.count(f"{load} folds") for load in "abc"] == [1, 2, 2]
    assert road.arrived == ["a", "b", "c"]
    assert [told for told in road.told if told.endswith("writes")] == ["a writes", "b writes", "c writes"]


async def test_failures_are_counted_until_something_arrives():
    async def travel(road: Road, load: str, way: Way) -> None:
        if len(road.mended) < {"a": 2, "b": 3}[load]:
            raise ValueError(load)

    road = Road(travel)
    await road.carry("a", "b")
    assert road.mended == ["a 1", "a 2", "b 1"]


async def test_what_cannot_be_mended_ends_the_line_and_leaves_the_loads():
    async def travel(road: Road, load: str, way: Way) -> None:
        raise ValueError("for good")

    class Strict(Road):
        async def mend(self, error: Exception, failures: int, given_up: Sequence[str]) -> None:
            raise error

    road = Strict(travel)
    with pytest.raises(ValueError, match="for good"):
        await road.carry("a", "b")
    assert road.line.empty() == ["a", "b"]
    assert len(road.line) == 0


async def test_stillness_waits_for_what_is_under_way_and_lets_nothing_begin():
    begun, go = asyncio.Event(), asyncio.Event()

    async def travel(road: Road, load: str, way: Way) -> None:
        road.told.append(f"{load} begins")
        begun.set()
        await go.wait()
        road.told.append(f"{load} ends")

    road = Road(travel)
    carried = asyncio.create_task(road.carry("a", "b"))
    await begun.wait()
    asyncio.get_running_loop().call_later(0.01, go.set)
    async with road.line.still():
        road.told.append("still")
        await asyncio.sleep(0.01)
        road.told.append("still")
    await carried
    assert road.told == ["a begins", "a ends", "still", "still", "b begins", "b ends"]


async def test_a_load_that_fails_while_stillness_is_waited_for_lets_it_come():
    failing = asyncio.Event()

    async def travel(road: Road, load: str, way: Way) -> None:
        if not road.mended:
            await failing.wait()
            raise ValueError("once")

    road = Road(travel)
    carrying = asyncio.create_task(road.carry("a"))

    async def wait_for_stillness() -> None:
        async with road.line.still():
            road.told.append("still")

    await asyncio.sleep(0.01)
    stillness = asyncio.create_task(wait_for_stillness())
    await asyncio.sleep(0.01)
    failing.set()
    await asyncio.wait_for(asyncio.gather(stillness, carrying), 5)
    assert (road.told, road.arrived) == (["still"], ["a"])
