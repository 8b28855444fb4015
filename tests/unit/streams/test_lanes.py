"""Chunks of one partition travel one after the other, those of several side by side."""

import asyncio

from streams.lanes import SIDE_BY_SIDE, Lanes


async def test_a_partitions_chunks_keep_their_order_and_never_overlap():
    lanes, told = Lanes(), list[str]()

    async def travel(name: str, seconds: float) -> None:
        async with lanes.turn(3):
            told.append(f"{name} begins")
            await asyncio.sleep(seconds)
            told.append(f"{name} ends")

    await asyncio.gather(travel("first", 0.02), travel("second", 0))
    assert told == ["first begins", "first ends", "second begins", "second ends"]


async def test_no_more_than_so_many_travel_side_by_side():
    lanes, under_way, most = Lanes(), 0, 0

    async def travel(partition: int) -> None:
        nonlocal under_way, most
        async with lanes.turn(partition):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1

    await asyncio.gather(*(travel(partition) for partition in range(2 * SIDE_BY_SIDE)))
    assert most == SIDE_BY_SIDE


async def test_stillness_waits_for_what_travels():
    lanes, told = Lanes(), list[str]()

    async def travel() -> None:
        async with lanes.turn(0):
            await asyncio.sleep(0.02)
            told.append("done")

    task = asyncio.create_task(travel())
    await asyncio.sleep(0)
    async with lanes.still():
        told.append("still")
    await task
    assert told == ["done", "still"]
