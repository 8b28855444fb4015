"""The Faust application of a worker: an agent a road, each sending the loads of its topics down its road."""

# Faust's application is made to be subclassed; a few of the things it shows a subclass have an underscore.
# pyright: reportPrivateUsage=false

import asyncio
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, Protocol, cast

import faust
import uvloop
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from faust.types import TP, EventT, StreamT

from streams import logs
from streams.copartition import Prepared, prepare
from streams.engine import logbook, metrics
from streams.errors import HeadraceError, StreamError
from streams.faust_settings import faust_settings
from streams.group_check import TIME_TO_STOP_S, check_group
from streams.line import Line, Way
from streams.membership import client_id
from streams.roads import roads_of
from streams.settings import LogForm, RoadChoice, Settings, settings
from streams.surplus import Surplus
from streams.topic_identity import TopicWatch
from streams.topics import INPUTS, Topic, item_deltas, rekeyed
from streams.transport import Load
from streams.transport.consumer import ChunkConsumer, Chunking, ChunkTransport
from streams.vitals import Health, Vitals
from streams.watching import serve
from streams.worker import Worker

log = logging.getLogger(__name__)
# Faust's services speak of their own starting and stopping through the logger of the class.
faust_log = logging.getLogger("faust")

_TOPICS_S: Final = 5.0
"""Between two looks at the topics, each some 5 ms of this process."""


_LOOK_S = 5.0
"""A store that is away holds up no rebalance: it is looked at before anything is folded into its rows."""


class Road(Protocol):
    """What an agent hands its loads to."""

    async def travel(self, load: Load, way: Way) -> None:
        """Take a load through all steps; when this returns its offsets may be committed."""

    def forget(self) -> None:
        """Drop what is kept of rows: a load failed half way, or another worker may write them."""


class Roads(Protocol):
    """All that a worker's agents work with; `streams.runtime.Runtime` is the one that works."""

    @property
    def shoppers(self) -> Road: ...

    @property
    def items(self) -> Road: ...

    async def mend(self, error: Exception, failures: int) -> None:
        """Return when a road that raised may begin again, or raise the error."""

    def quiet(self, partitions: frozenset[int]) -> frozenset[int]:
        """Hear, about once a second, which `events` partitions have nothing left to read; return those of them that
        are to be told idle."""
        ...

    async def idle(self, partitions: frozenset[int]) -> None:
        """Tell that they are idle, while nothing travels."""

    async def take(self, folded: Mapping[tuple[str, int], int]) -> None:
        """Begin with these partitions, of each the last record that the group has noted as folded, -1 if none; raise
        if the online store has lost some of it."""

    async def look_after_store(self) -> None:
        """Raise if the online store has lost rows."""

    def revoked(self) -> None:
        """Drop what was known of partitions: they may be another worker's now."""

    async def close(self) -> None: ...


OpenRoads = Callable[[Settings, Prepared], Awaitable[Roads]]


class LoadSchema(faust.Schema[Any, Any]):
    """Hands a load on as it is: decoding is the road's first step."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        """Faust's decoder of one message."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return app.create_event(None, message.value, {}, message)

        return decode


class _Headless(BootStrategy):
    enable_web = False


class HeadraceApp(faust.App):
    """A worker. What its roads raise for good stops it, with the loads in hand uncommitted."""

    BootStrategy = _Headless
    logger = faust_log
    roads: Roads

    def __init__(self, settings: Settings, open_roads: OpenRoads) -> None:
        self.settings = settings
        self.failure: BaseException | None = None
        self._open_roads = open_roads
        self._topic_of = settings.kafka_connection.topic_of
        self._shoppers = self._line(lambda: self.roads.shoppers)
        self._items = self._line(lambda: self.roads.items)
        self._carrying: list[asyncio.Task[None]] = []
        self._announced = False
        self._metrics_port = 0
        self._surplus = Surplus(settings, client_id(os.getpid()))
        self._vitals = Vitals(time.monotonic)
        super().__init__(**faust_settings(settings))
        roads = roads_of(settings)
        chunking = Chunking(settings.chunk, settings.chunk_bytes, list(roads.values()))
        self.transport = ChunkTransport(
            self.conf.broker_consumer,
            self,
            chunking=chunking,
            fail=self.fail,
            taken=self._taken,
            topic_of=self._topic_of,
        )
        lines = {RoadChoice.SHOPPERS: self._shoppers, RoadChoice.ITEMS: self._items}
        for name, topics in roads.items():
            channel = self.topic(*sorted(map(str, topics.names)), schema=LoadSchema())
            self.agent(channel, name=str(name))(self._fill(lines[name]))
        self.on_partitions_revoked.connect(self._revoked)
        self.timer(1.0)(self._beat)
        self.timer(1.0)(self._tell_idle)
        self.timer(10.0)(self._watch)
        self.timer(_TOPICS_S)(self._watch_topics)
        self.timer(10.0)(self._look_after_store)

    def fail(self, error: BaseException) -> None:
        """Stop the worker as SIGTERM does, but with exit code 1; loads that come after go nowhere."""
        if self.failure is None:
            self.failure = error
            signal.raise_signal(signal.SIGTERM)

    async def on_first_start(self) -> None:
        """Faust makes its own folders only inside one that exists."""
        self.settings.home.mkdir(parents=True, exist_ok=True)
        await super().on_first_start()

    async def on_start(self) -> None:
        """Open everything a load needs before the group gives this worker partitions."""
        if warning := await asyncio.to_thread(check_group, self.settings):
            log.warning("%s", warning)
            await asyncio.sleep(TIME_TO_STOP_S)
        prepared = await asyncio.to_thread(prepare, self.settings)
        topics = [*sorted(INPUTS), rekeyed(self.settings.group), item_deltas(self.settings.group)]
        self._topics = await asyncio.to_thread(TopicWatch, self.settings, topics)
        self.roads = await self._open_roads(self.settings, prepared)
        self._metrics_port = serve(self.settings.metrics_from, self.health)
        self._carrying = [asyncio.create_task(self._carry(line)) for line in (self._shoppers, self._items)]
        await super().on_start()

    async def on_stop(self) -> None:
        """Finish the loads in hand, commit, then let the roads go."""
        await super().on_stop()
        for carrying in self._carrying:
            carrying.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)
        if hasattr(self, "roads"):
            await self.roads.close()

    def on_rebalance_end(self) -> None:
        """Say, once, that this worker has its share of the partitions."""
        super().on_rebalance_end()
        metrics.REBALANCES.inc()
        self._vitals.progress()
        if not self._chunks.assignment():
            self.add_future(self._tell_surplus())
        if not self._announced and self.failure is None:
            self._announced = True
            where = f", metrics on port {self._metrics_port}" if self._metrics_port else ""
            logs.tell(f"headrace worker ready{where}", self.settings.log)

    def health(self) -> Health:
        """How the worker does; asked from another thread."""
        dead = f"stopping: {self.failure}" if self.failure is not None else self._vitals.dead()
        at_work = self._announced and not self.rebalancing
        return Health(dead, self._vitals.trouble if at_work else "waiting for its partitions")

    @property
    def _chunks(self) -> ChunkConsumer:
        return cast(ChunkConsumer, self.consumer)

    def _line(self, road: Callable[[], Road]) -> "Line[EventT[Any]]":
        async def travel(event: EventT[Any], way: Way) -> None:
            await road().travel(cast(Load, event.value), way)

        async def mend(error: Exception, failures: int, given_up: "Sequence[EventT[Any]]") -> None:
            logbook.given_up([cast(Load, event.value) for event in given_up], error, failures)
            road().forget()
            if self.failure is not None:  # it ends, perhaps for want of what the road waits for
                raise error
            self._vitals.wait_for(str(error))
            await self.roads.mend(error, failures)

        def opened(event: EventT[Any]) -> None:
            self._chunks.opened(cast(Load, event.value))

        return Line(travel, mend, opened, self._arrived)

    def _fill(self, line: "Line[EventT[Any]]") -> Callable[[StreamT[Any]], Awaitable[None]]:
        async def agent(stream: StreamT[Any]) -> None:
            # Acknowledged when the load has arrived: at a rebalance and at the end Faust waits for what has not.
            cast(Any, stream).enable_acks = False
            async for event in cast(AsyncIterable[EventT[Any]], stream.events()):
                if self.failure is None:
                    await line.put(event)
                else:
                    event.ack()

        return agent

    def _arrived(self, event: EventT[Any]) -> None:
        self._vitals.progress()
        self._chunks.finish(cast(Load, event.value))
        event.ack()

    async def _carry(self, line: "Line[EventT[Any]]") -> None:
        try:
            await line.run()
        except Exception as error:
            self.fail(error)
        finally:
            for event in line.empty():
                logbook.left(cast(Load, event.value))
                event.ack()

    async def _revoked(self, *_: Any, **__: Any) -> None:
        async with self._shoppers.still(), self._items.still():
            self.roads.revoked()

    async def _taken(self, folded: Mapping[TP, int]) -> None:
        await self._or_fail(
            self.roads.take({(self._topic_of(tp.topic), tp.partition): offset for tp, offset in folded.items()})
        )

    async def _look_after_store(self) -> None:
        if self.failure is None:
            await self._or_fail(self.roads.look_after_store())

    async def _or_fail(self, step: Awaitable[None]) -> None:
        try:
            await asyncio.wait_for(step, _LOOK_S)
        except TimeoutError:
            log.info("the online store is looked at later: it does not answer")
        except Exception as error:
            self.fail(error)

    async def _beat(self) -> None:
        self._vitals.beat()

    async def _tell_idle(self) -> None:
        if self.failure is not None or self.rebalancing or not self._chunks.flow_active:
            return
        if not self.roads.quiet(self._quiet_sources(self._chunks.lag)):
            return
        async with self._shoppers.still():
            try:
                # What was last heard of a log's end is old where the road had no room to read for a while.
                lags = await self._chunks.lags()
                await self.roads.idle(self.roads.quiet(self._quiet_sources(lags.get)))
            except KafkaError as error:
                log.info("idle partitions are told of later: %r", error)
            except Exception as error:
                self.fail(error)

    def _quiet_sources(self, lag: Callable[[TP], int | None]) -> frozenset[int]:
        feeds = {Topic.EVENTS, rekeyed(self.settings.group)}
        mine = [tp for tp in self._chunks.assignment() if self._topic_of(tp.topic) in feeds]
        behind = {tp.partition for tp in mine if lag(tp) != 0}
        return frozenset(tp.partition for tp in mine) - behind

    async def _watch(self) -> None:
        self._vitals.hear_of(0 if self.rebalancing else await self._waiting())
        if trouble := self._vitals.stuck(busy=bool(len(self._shoppers) or len(self._items))):
            self.fail(StreamError(f"{trouble}: start again."))

    async def _tell_surplus(self) -> None:
        try:
            if warning := await asyncio.to_thread(self._surplus.warning):
                log.warning("%s", warning)
        except HeadraceError as error:
            log.info("this worker has no partitions, and why is not known: %s", error)

    async def _watch_topics(self) -> None:
        try:
            await asyncio.to_thread(self._topics.look)
        except HeadraceError as error:
            self.fail(error)

    async def _waiting(self) -> int:
        try:
            lags = await asyncio.wait_for(self._chunks.lags(), timeout=30)
        except (TimeoutError, KafkaError):
            return 0  # Kafka itself is away: another worker would fare no better
        by_topic: Counter[str] = Counter()
        for tp, lag in lags.items():
            by_topic[self._topic_of(tp.topic)] += lag
        for topic, lag in by_topic.items():
            metrics.LAG.labels(topic).set(lag)
        return by_topic.total()


def build_app(settings: Settings, open_roads: OpenRoads | None = None) -> HeadraceApp:
    """The application of one worker; `open_roads` puts something else in the runtime's place."""
    # Faust makes loops of its own, in two threads; the policy is the one place that both ask.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # pyright: ignore[reportDeprecated]
    return HeadraceApp(settings, open_roads or _open_runtime)


def run_worker() -> NoReturn:
    """Run one worker in this process until SIGTERM; exits 0, or 1 with the one-line reason."""
    Worker(build_app(settings())).execute_from_commandline()


async def _open_runtime(settings: Settings, prepared: Prepared) -> Roads:
    from streams.runtime import Runtime

    return await Runtime.open(settings, prepared)


def __getattr__(name: str) -> HeadraceApp:
    # `faust -A streams.app worker` asks for `app`; an import alone reads no settings.
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        globals()["app"] = build_app(settings())
    except HeadraceError as error:  # Faust's command would show where it was raised
        logs.tell(f"headrace: {error}", LogForm.TEXT, logging.ERROR)
        raise SystemExit(error.exit_code) from None
    return globals()["app"]
