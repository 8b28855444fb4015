"""Sources whose time stands still for now, so that they hold no window back (rule 9), and time for their timers.

A source is idle only at zero lag, and only after a quiet time: at zero lag for an instant, its next event may be under
way while other partitions race ahead. Quiet is a source whose watermark does not move. It need not be silent: one
shopper alone moves no mark, nor do dead letters, misrouted events, or a clock that stands still.

While a source is idle its event time goes on as the wall clock does, from the newest event on; where a timer comes up
by that, a tick says so in the source's own log. What fires then is a fact about the run, as idleness is.
"""

from collections.abc import Callable, Mapping
from math import inf
from typing import NamedTuple

from headrace.messages.internal import Entry, ItemUpdateBatch, Watermark
from headrace.settings import Settings
from headrace.topics import Topic
from streams.pipeline.emit import Outbox, Producer
from streams.pipeline.shoppers.rows import ShopperRows, SourceRow


class IdleSources(NamedTuple):
    """What is to be said of idle sources; see `Idleness`.

    Attributes:
        windows: those of which the item pipeline does not know yet that they are idle.
        ticks: event time, ms, of those in which a timer comes up.
    """

    windows: frozenset[int]
    ticks: Mapping[int, int]

    def __bool__(self) -> bool:
        return bool(self.windows or self.ticks)


class Idleness:
    """Finds each `events` partition that has been quiet for a while and has nothing left to read, and says so.

    Once; and again, a while later, where something came that moved no mark: to the item pipeline such a source is
    awake.
    """

    def __init__(
        self,
        settings: Settings,
        partitions: int,
        rows: ShopperRows,
        producer: Producer,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._partitions = partitions
        self._rows = rows
        self._producer = producer
        self._clock = clock
        self._marks: dict[int, int] = {}
        self._still_since: dict[int, float] = {}
        self._newest: dict[int, tuple[int, float]] = {}
        """The newest event time of a partition, and since when it is that."""
        self._caught_up: dict[int, float] = {}
        self._announced: set[int] = set()

    def note_watermark(self, source: SourceRow) -> None:
        """Something came, from `events` or forwarded by another partition: the source as it is now."""
        now, partition = self._clock(), source.partition
        self._announced.discard(partition)
        if self._marks.get(partition) != source.mark.second:
            self._marks[partition], self._still_since[partition] = source.mark.second, now
        if self._newest.get(partition, (-1, 0.0))[0] != source.mark.newest:
            self._newest[partition] = source.mark.newest, now

    def reset(self) -> None:
        """Start over, after a rebalance."""
        self._marks.clear()
        self._still_since.clear()
        self._newest.clear()
        self._caught_up.clear()
        self._announced.clear()

    def on_zero_lag(self, partitions: frozenset[int]) -> IdleSources:
        """Hear which partitions have no lag now; return what is to be announced of them.

        One with traffic is seen to lag now and then. One that was never seen without for a quiet time was behind.
        """
        now, quiet_s = self._clock(), self._settings.idle / 1000
        for partition in partitions:
            if now - self._caught_up.get(partition, -inf) > quiet_s:
                self._still_since[partition] = now
            self._caught_up[partition] = now
        idle = [p for p in partitions if now - self._still_since[p] >= quiet_s]
        ticks = {p: time for p in idle if (time := self._timer_clock(p, now)) is not None}
        return IdleSources(frozenset(idle) - self._announced, ticks)

    async def announce(self, idle: IdleSources) -> None:
        """Announce them; nothing of theirs may be in flight."""
        outbox = Outbox(self._settings, self._partitions)
        await self._rows.read_sources(sorted(idle.windows))
        for partition in sorted(idle.windows):
            mark = self._rows.sources[partition].mark
            entries: list[Entry] = [Watermark(-1, mark.announced, idle=True)]
            batch = ItemUpdateBatch(f"{Topic.EVENTS}/{partition}", partition, entries)
            for target in range(self._partitions):
                outbox.add_item_updates(target, batch)
        for partition, time in idle.ticks.items():
            outbox.tick(partition, time)
        await self._producer.send(outbox)
        for partition in idle.windows | idle.ticks.keys():
            self._announced.add(partition)
            self._still_since[partition] = self._clock()

    def _timer_clock(self, partition: int, now: float) -> int | None:
        """The event time of an idle partition, ms; None where no timer of it comes up by then."""
        source = self._rows.sources.get(partition)
        if source is None or source.timers.first is None or source.mark.newest < 0:
            return None
        newest, since = self._newest.setdefault(partition, (source.mark.newest, now))
        time = newest + int((now - since) * 1000)
        return time if source.timers.first <= time - self._settings.lateness else None
