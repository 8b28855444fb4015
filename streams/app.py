"""The Faust application of a worker: an agent a pipeline, which hands it the batches of its topics."""

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

from headrace.errors import HeadraceError, StreamError
from headrace.settings.model import LogForm, PipelineChoice, Settings, settings
from headrace.topics import Topic, item_updates, rekeyed, topics_of
from streams.application.faust_settings import faust_settings
from streams.application.faust_worker import Worker
from streams.kafka.admin.copartition import Prepared, prepare
from streams.kafka.admin.group_check import TIME_TO_STOP_S, check_group
from streams.kafka.admin.membership import client_id
from streams.kafka.admin.surplus import Surplus
from streams.kafka.admin.topic_identity import TopicWatch
from streams.kafka.transport import Batch
from streams.kafka.transport.consumer import BatchConsumer, Batching, BatchTransport
from streams.operations import logs, metrics
from streams.operations.health import Health, HealthMonitor
from streams.operations.probes import serve_probes
from streams.pipeline import batch_log
from streams.pipeline.shoppers.idleness import IdleSources
from streams.scheduler.pipelines import pipelines_of
from streams.scheduler.slots import BatchScheduler, BatchSlot

log = logging.getLogger(__name__)
# Faust's services speak of their own starting and stopping through the logger of the class.
faust_log = logging.getLogger("faust")

_TOPICS_S: Final = 5.0
"""Between two looks at the topics, each some 5 ms of this process."""


_STORE_CHECK_S = 5.0
"""A store that is away holds up no rebalance: it is looked at before anything is folded into its rows."""


class Pipeline(Protocol):
    """What an agent hands its batches to."""

    async def process(self, batch: Batch, slot: BatchSlot) -> None:
        """Take a batch through all steps; when this returns its offsets may be committed."""

    def invalidate(self) -> None:
        """Drop what is kept of rows: a batch failed half way, or another worker may write them."""


class Pipelines(Protocol):
    """All that a worker's agents work with; `streams.application.runtime.Runtime` is the one that works."""

    @property
    def shoppers(self) -> Pipeline: ...

    @property
    def items(self) -> Pipeline: ...

    async def recover(self, error: Exception, failures: int) -> None:
        """Return when a pipeline that raised may begin again, or raise the error."""

    def on_zero_lag(self, partitions: frozenset[int]) -> IdleSources:
        """Note, about once a second, which `events` partitions have nothing left to read; return those of them that
        are to be announced as idle."""
        ...

    async def announce_idle(self, idle: IdleSources) -> None:
        """Announce that they are idle, while no batch is in flight."""

    async def on_assigned(self, folded: Mapping[tuple[str, int], int]) -> None:
        """Begin with these partitions, of each the last record that the group has noted as folded, -1 if none; raise
        if the online store has lost some of it."""

    async def check_store(self) -> None:
        """Raise if the online store has lost rows."""

    def on_revoked(self) -> None:
        """Drop what was known of partitions: they may be another worker's now."""

    async def close(self) -> None: ...


OpenPipelines = Callable[[Settings, Prepared], Awaitable[Pipelines]]


class BatchSchema(faust.Schema[Any, Any]):
    """Hands a batch on as it is: decoding is the pipeline's first step."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        """Faust's decoder of one message."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return app.create_event(None, message.value, {}, message)

        return decode


class _Headless(BootStrategy):
    enable_web = False


class HeadraceApp(faust.App):
    """A worker. What its pipelines raise for good stops it, with the batches in hand uncommitted."""

    BootStrategy = _Headless
    logger = faust_log
    pipelines: Pipelines

    def __init__(self, settings: Settings, open_pipelines: OpenPipelines) -> None:
        self.settings = settings
        self.failure: BaseException | None = None
        self._open_pipelines = open_pipelines
        self._topic_of = settings.kafka_connection.topic_of
        self._shopper_scheduler = self._make_scheduler(lambda: self.pipelines.shoppers)
        self._item_scheduler = self._make_scheduler(lambda: self.pipelines.items)
        self._scheduler_tasks: list[asyncio.Task[None]] = []
        self._announced = False
        self._metrics_port = 0
        self._surplus = Surplus(settings, client_id(os.getpid()))
        self._health_monitor = HealthMonitor(time.monotonic)
        super().__init__(**faust_settings(settings))
        pipelines = pipelines_of(settings)
        batching = Batching(settings.chunk, settings.chunk_bytes, list(pipelines.values()))
        self.transport = BatchTransport(
            self.conf.broker_consumer,
            self,
            batching=batching,
            fail=self.fail,
            on_assigned=self._on_assigned,
            topic_of=self._topic_of,
        )
        schedulers = {PipelineChoice.SHOPPERS: self._shopper_scheduler, PipelineChoice.ITEMS: self._item_scheduler}
        for name, topics in pipelines.items():
            channel = self.topic(*sorted(map(str, topics.names)), schema=BatchSchema())
            self.agent(channel, name=str(name))(self._batch_agent(schedulers[name]))
        self.on_partitions_revoked.connect(self._on_revoked)
        self.timer(1.0)(self._beat)
        self.timer(1.0)(self._announce_idle)
        self.timer(10.0)(self._check_health)
        self.timer(_TOPICS_S)(self._check_topics)
        self.timer(10.0)(self._check_store)

    def fail(self, error: BaseException) -> None:
        """Stop the worker as SIGTERM does, but with exit code 1; batches that come after go nowhere."""
        if self.failure is None:
            self.failure = error
            signal.raise_signal(signal.SIGTERM)

    async def on_first_start(self) -> None:
        """Faust makes its own folders only inside one that exists."""
        self.settings.home.mkdir(parents=True, exist_ok=True)
        await super().on_first_start()

    async def on_start(self) -> None:
        """Open everything a batch needs before the group gives this worker partitions."""
        if warning := await asyncio.to_thread(check_group, self.settings):
            log.warning("%s", warning)
            await asyncio.sleep(TIME_TO_STOP_S)
        prepared = await asyncio.to_thread(prepare, self.settings)
        topics = [*topics_of(self.settings).inputs, rekeyed(self.settings.group), item_updates(self.settings.group)]
        self._topics = await asyncio.to_thread(TopicWatch, self.settings, topics)
        self.pipelines = await self._open_pipelines(self.settings, prepared)
        self._metrics_port = serve_probes(self.settings.metrics_from, self.health)
        self._scheduler_tasks = [
            asyncio.create_task(self._run_scheduler(line)) for line in (self._shopper_scheduler, self._item_scheduler)
        ]
        await super().on_start()

    async def on_stop(self) -> None:
        """Finish the batches in hand, commit, then let the pipelines go."""
        await super().on_stop()
        for task in self._scheduler_tasks:
            task.cancel()
        await asyncio.gather(*self._scheduler_tasks, return_exceptions=True)
        if hasattr(self, "pipelines"):
            await self.pipelines.close()

    def on_rebalance_end(self) -> None:
        """Say, once, that this worker has its share of the partitions."""
        super().on_rebalance_end()
        metrics.REBALANCES.inc()
        self._health_monitor.note_progress()
        if not self._batch_consumer.assignment():
            self.add_future(self._warn_of_surplus())
        if not self._announced and self.failure is None:
            self._announced = True
            where = f", metrics on port {self._metrics_port}" if self._metrics_port else ""
            logs.report(f"headrace worker ready{where}", self.settings.log)

    def health(self) -> Health:
        """How the worker does; asked from another thread."""
        dead = f"stopping: {self.failure}" if self.failure is not None else self._health_monitor.dead()
        at_work = self._announced and not self.rebalancing
        return Health(dead, self._health_monitor.trouble if at_work else "waiting for its partitions")

    @property
    def _batch_consumer(self) -> BatchConsumer:
        return cast(BatchConsumer, self.consumer)

    def _make_scheduler(self, pipeline: Callable[[], Pipeline]) -> "BatchScheduler[EventT[Any]]":
        async def process(event: EventT[Any], slot: BatchSlot) -> None:
            await pipeline().process(cast(Batch, event.value), slot)

        async def recover(error: Exception, failures: int, aborted: "Sequence[EventT[Any]]") -> None:
            batch_log.gave_up([cast(Batch, event.value) for event in aborted], error, failures)
            pipeline().invalidate()
            if self.failure is not None:  # it ends, perhaps for want of what the pipeline waits for
                raise error
            self._health_monitor.note_blocked(str(error))
            await self.pipelines.recover(error, failures)

        def on_released(event: EventT[Any]) -> None:
            self._batch_consumer.released_next(cast(Batch, event.value))

        return BatchScheduler(process, recover, on_released, self._on_done)

    def _batch_agent(self, scheduler: "BatchScheduler[EventT[Any]]") -> Callable[[StreamT[Any]], Awaitable[None]]:
        async def agent(stream: StreamT[Any]) -> None:
            # Acknowledged when the batch is done: at a rebalance and at the end Faust waits for what has not.
            cast(Any, stream).enable_acks = False
            async for event in cast(AsyncIterable[EventT[Any]], stream.events()):
                if self.failure is None:
                    await scheduler.put(event)
                else:
                    event.ack()

        return agent

    def _on_done(self, event: EventT[Any]) -> None:
        self._health_monitor.note_progress()
        self._batch_consumer.mark_done(cast(Batch, event.value))
        event.ack()

    async def _run_scheduler(self, scheduler: "BatchScheduler[EventT[Any]]") -> None:
        try:
            await scheduler.run()
        except Exception as error:
            self.fail(error)
        finally:
            for event in scheduler.drain():
                batch_log.left_to_next_worker(cast(Batch, event.value))
                event.ack()

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        async with self._shopper_scheduler.quiesced(), self._item_scheduler.quiesced():
            self.pipelines.on_revoked()

    async def _on_assigned(self, folded: Mapping[TP, int]) -> None:
        await self._or_fail(
            self.pipelines.on_assigned(
                {(self._topic_of(tp.topic), tp.partition): offset for tp, offset in folded.items()}
            )
        )

    async def _check_store(self) -> None:
        if self.failure is None:
            await self._or_fail(self.pipelines.check_store())

    async def _or_fail(self, step: Awaitable[None]) -> None:
        try:
            await asyncio.wait_for(step, _STORE_CHECK_S)
        except TimeoutError:
            log.info("online store check postponed: it does not answer")
        except Exception as error:
            self.fail(error)

    async def _beat(self) -> None:
        self._health_monitor.beat()

    async def _announce_idle(self) -> None:
        if self.failure is not None or self.rebalancing or not self._batch_consumer.flow_active:
            return
        if not self.pipelines.on_zero_lag(self._sources_at_zero_lag(self._batch_consumer.lag)):
            return
        async with self._shopper_scheduler.quiesced():
            try:
                # The last known end of a log is old where the pipeline had no room to read for a while.
                lags = await self._batch_consumer.lags()
                await self.pipelines.announce_idle(self.pipelines.on_zero_lag(self._sources_at_zero_lag(lags.get)))
            except KafkaError as error:
                log.info("idle partitions not announced yet: %r", error)
            except Exception as error:
                self.fail(error)

    def _sources_at_zero_lag(self, lag: Callable[[TP], int | None]) -> frozenset[int]:
        feeds = {Topic.EVENTS, rekeyed(self.settings.group)}
        mine = [tp for tp in self._batch_consumer.assignment() if self._topic_of(tp.topic) in feeds]
        behind = {tp.partition for tp in mine if lag(tp) != 0}
        return frozenset(tp.partition for tp in mine) - behind

    async def _check_health(self) -> None:
        self._health_monitor.note_lag(0 if self.rebalancing else await self._waiting_records())
        if trouble := self._health_monitor.stuck(busy=bool(len(self._shopper_scheduler) or len(self._item_scheduler))):
            self.fail(StreamError(f"{trouble}: start again."))

    async def _warn_of_surplus(self) -> None:
        try:
            if warning := await asyncio.to_thread(self._surplus.warning):
                log.warning("%s", warning)
        except HeadraceError as error:
            log.info("worker without partitions, for an unknown reason: %s", error)

    async def _check_topics(self) -> None:
        try:
            await asyncio.to_thread(self._topics.check)
        except HeadraceError as error:
            self.fail(error)

    async def _waiting_records(self) -> int:
        try:
            lags = await asyncio.wait_for(self._batch_consumer.lags(), timeout=30)
        except (TimeoutError, KafkaError):
            return 0  # Kafka itself is away: another worker would fare no better
        by_topic: Counter[str] = Counter()
        for tp, lag in lags.items():
            by_topic[self._topic_of(tp.topic)] += lag
        for topic, lag in by_topic.items():
            metrics.LAG.labels(topic).set(lag)
        return by_topic.total()


def build_app(settings: Settings, open_pipelines: OpenPipelines | None = None) -> HeadraceApp:
    """The application of one worker; `open_roads` puts something else in the runtime's place."""
    # Faust makes loops of its own, in two threads; the policy is the one place that both ask.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # pyright: ignore[reportDeprecated]
    return HeadraceApp(settings, open_pipelines or _open_runtime)


def run_worker() -> NoReturn:
    """Run one worker in this process until SIGTERM; exits 0, or 1 with the one-line reason."""
    Worker(build_app(settings())).execute_from_commandline()


async def _open_runtime(settings: Settings, prepared: Prepared) -> Pipelines:
    from streams.application.runtime import Runtime

    return await Runtime.open(settings, prepared)


def __getattr__(name: str) -> HeadraceApp:
    # `faust -A streams.app worker` asks for `app`; an import alone reads no settings.
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        globals()["app"] = build_app(settings())
    except HeadraceError as error:  # Faust's command would show where it was raised
        logs.report(f"headrace: {error}", LogForm.TEXT, logging.ERROR)
        raise SystemExit(error.exit_code) from None
    return globals()["app"]
