"""Loads in line: each begins when the one ahead has read and folded, speaks after it has spoken, and ends after it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Generic, NoReturn, TypeVar

T = TypeVar("T")

UNDER_WAY: Final = 5
"""Loads of one road at once: one folded, one or two at the model, others said, acknowledged and written. With two the
model waits; with three the cores still idled more than with five."""


class Way:
    """One load's place in the line, as its road sees it."""

    def __init__(self, ahead: "Way | None", opened: Callable[[], None]) -> None:
        self._ahead = ahead
        self._tell = opened
        self._opened = asyncio.Event()
        self._spoken = asyncio.Event()
        self._arrived = asyncio.Event()

    def open(self) -> None:
        """Let the next load begin: what this one makes of the rows stands in memory."""
        self._opened.set()
        self._tell()

    async def turn(self) -> None:
        """Wait until every load ahead has said what it has to say."""
        if self._ahead is not None:
            await self._ahead._spoken.wait()

    def spoken(self) -> None:
        """Let the next load speak: what it says comes after what this one has said."""
        self._spoken.set()

    async def clear(self) -> None:
        """Wait until every load ahead has arrived: from here on, one at a time."""
        if self._ahead is not None:
            await self._ahead._arrived.wait()
            self._ahead = None  # or all that ever went ahead would be remembered

    async def opened(self) -> None:
        """Wait for `open`."""
        await self._opened.wait()

    def arrive(self) -> None:
        """Say that the load has come to the end of its road."""
        self._spoken.set()
        self._arrived.set()


class Line(Generic[T]):
    """Carries loads down one road, in order, a few under way at once.

    What a road raises concerns every load under way, since each has built on those ahead: all are given up, the damage
    is seen to, and they begin again in their order.

    Args:
        travel: takes a load down its road. It calls `Way.open` when the next may begin and `Way.spoken` when it may
            speak (at the end, if never), and awaits `Way.turn` before it speaks, `Way.clear` before it writes.
        mend: hears what a road raised, how many times in a row something did, and which loads are given up; returns
            when it is worth trying again. What it raises ends `run`.
        opened: hears that the load has let the next one begin.
        arrived: hears that the load is done, in order.
    """

    def __init__(
        self,
        travel: Callable[[T, Way], Awaitable[None]],
        mend: Callable[[Exception, int, Sequence[T]], Awaitable[None]],
        opened: Callable[[T], None],
        arrived: Callable[[T], None],
    ) -> None:
        self._travel, self._mend = travel, mend
        self._tell_opened, self._tell_arrived = opened, arrived
        self._waiting: deque[T] = deque()
        self._under_way: deque[T] = deque()
        self._failures = 0
        self._gate = asyncio.Lock()
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._under_way)

    async def put(self, load: T) -> None:
        """Add a load at the end of the line."""
        async with self._changed:
            self._waiting.append(load)
            self._changed.notify_all()

    def empty(self) -> list[T]:
        """Take everything out, after `run` has ended."""
        left = [*self._under_way, *self._waiting]
        self._under_way.clear()
        self._waiting.clear()
        return left

    async def run(self) -> NoReturn:
        """Carry what is put in line, for ever; raises what `mend` raises."""
        while True:
            failure = await self._until_failure()
            self._failures += 1
            async with self._changed:
                given_up = list(self._under_way)
                self._waiting.extendleft(reversed(given_up))
                self._under_way.clear()
                self._changed.notify_all()  # whoever waits for stillness has it
            await self._mend(failure, self._failures, given_up)

    @asynccontextmanager
    async def still(self) -> AsyncGenerator[None]:
        """Let nothing begin, and wait until nothing is under way."""
        async with self._gate:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._under_way)
            yield

    async def _until_failure(self) -> Exception:
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._begin(tasks)
        except ExceptionGroup as several:
            return _first(several)

    async def _begin(self, tasks: asyncio.TaskGroup) -> NoReturn:
        ahead: Way | None = None
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._waiting and len(self._under_way) < UNDER_WAY)
            async with self._gate:
                load = self._waiting.popleft()
                self._under_way.append(load)
                way = Way(ahead, lambda load=load: self._tell_opened(load))
                tasks.create_task(self._carry(load, way))
            await way.opened()
            ahead = way

    async def _carry(self, load: T, way: Way) -> None:
        try:
            await self._travel(load, way)
        except Exception:
            await way.clear()  # what is ahead may yet arrive, or fail in its turn
            raise
        await way.clear()
        self._failures = 0
        self._under_way.popleft()
        self._tell_arrived(load)
        way.arrive()
        way.open()
        async with self._changed:
            self._changed.notify_all()


def _first(several: ExceptionGroup[Exception]) -> Exception:
    first = several.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
