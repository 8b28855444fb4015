"""What a worker looks at by the clock: its store, its topics, its lag, and partitions that have nothing to read."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from aiokafka.errors import KafkaError
from faust.types import TP

from headrace.errors import HeadraceError, StreamError
from headrace.settings.model import Settings
from headrace.topics import Topic, item_updates, rekeyed, topics_of
from streams.application.pipelines import Pipelines
from streams.kafka.admin.membership import client_id
from streams.kafka.admin.surplus import Surplus
from streams.kafka.admin.topic_identity import TopicWatch
from streams.kafka.transport.consumer import BatchConsumer
from streams.operations import metrics
from streams.operations.health import HealthMonitor

log = logging.getLogger(__name__)

_STORE_CHECK_S: Final = 5.0
"""A store that is away holds up no rebalance: it is looked at before anything is folded into its rows."""
_LAG_S: Final = 30.0


class Checked(Protocol):
    """The application, as its checks see it."""

    @property
    def failure(self) -> BaseException | None: ...
    @property
    def rebalancing(self) -> bool: ...
    @property
    def pipelines(self) -> Pipelines: ...
    @property
    def batch_consumer(self) -> BatchConsumer: ...
    @property
    def is_busy(self) -> bool:
        """Whether batches wait or are in flight."""
        ...

    def fail(self, error: BaseException) -> None:
        """End the worker."""

    def shoppers_quiesced(self) -> AbstractAsyncContextManager[None]:
        """While no batch of shoppers is in flight."""
        ...


class Checks:
    """Each method is one check, called by a timer of the application; what is wrong for good ends the worker."""

    def __init__(self, app: Checked, settings: Settings, health: HealthMonitor) -> None:
        self._app, self._settings, self._health = app, settings, health
        self._topic_of = settings.kafka_connection.topic_of
        self._surplus = Surplus(settings, client_id(os.getpid()))
        self._topics: TopicWatch | None = None

    async def open(self) -> None:
        """Note which topics are read, by more than their names."""
        group = self._settings.group
        topics = [*topics_of(self._settings).inputs, rekeyed(group), item_updates(group)]
        self._topics = await asyncio.to_thread(TopicWatch, self._settings, topics)

    async def beat(self) -> None:
        """Show that the loop runs."""
        self._health.beat()

    async def on_assigned(self, folded: Mapping[TP, int]) -> None:
        """Begin with partitions, of each the last record that the group has noted as folded, -1 if none."""
        named = {(self._topic_of(tp.topic), tp.partition): offset for tp, offset in folded.items()}
        await self._store_step(self._app.pipelines.on_assigned(named))

    async def check_store(self) -> None:
        """See whether the online store has lost rows."""
        if self._app.failure is None:
            await self._store_step(self._app.pipelines.check_store())

    async def check_topics(self) -> None:
        """See whether the topics are those that were read at first."""
        try:
            if self._topics is not None:
                await asyncio.to_thread(self._topics.check)
        except HeadraceError as error:
            self._app.fail(error)

    async def check_health(self) -> None:
        """Note the lag; a worker that makes no progress though records wait ends, to be started again."""
        self._health.note_lag(0 if self._app.rebalancing else await self._lag())
        if trouble := self._health.stuck(busy=self._app.is_busy):
            self._app.fail(StreamError(f"{trouble}: start again."))

    async def warn_of_surplus(self) -> None:
        """Say that there are more workers than partitions, where there are."""
        try:
            if warning := await asyncio.to_thread(self._surplus.warning):
                log.warning("%s", warning)
        except HeadraceError as error:
            log.info("worker without partitions, for an unknown reason: %s", error)

    async def announce_idle(self) -> None:
        """Announce partitions that have nothing left to read, so that they hold no window back."""
        app, consumer = self._app, self._app.batch_consumer
        if app.failure is not None or app.rebalancing or not consumer.flow_active:
            return
        if not app.pipelines.on_zero_lag(self._sources_at_zero_lag(consumer.lag)):
            return
        async with app.shoppers_quiesced():
            try:
                # The last known end of a log is old where the pipeline had no room to read for a while.
                lags = await consumer.lags()
                await app.pipelines.announce_idle(app.pipelines.on_zero_lag(self._sources_at_zero_lag(lags.get)))
            except KafkaError as error:
                log.info("idle partitions not announced yet: %r", error)
            except Exception as error:
                app.fail(error)

    def _sources_at_zero_lag(self, lag: Callable[[TP], int | None]) -> frozenset[int]:
        feeds = {Topic.EVENTS, rekeyed(self._settings.group)}
        mine = [tp for tp in self._app.batch_consumer.assignment() if self._topic_of(tp.topic) in feeds]
        behind = {tp.partition for tp in mine if lag(tp) != 0}
        return frozenset(tp.partition for tp in mine) - behind

    async def _store_step(self, step: Awaitable[None]) -> None:
        try:
            await asyncio.wait_for(step, _STORE_CHECK_S)
        except TimeoutError:
            log.info("online store check postponed: it does not answer")
        except Exception as error:
            self._app.fail(error)

    async def _lag(self) -> int:
        """Records that wait, in all; by topic for the metrics."""
        try:
            lags = await asyncio.wait_for(self._app.batch_consumer.lags(), _LAG_S)
        except (TimeoutError, KafkaError):
            return 0  # Kafka itself is away: another worker would fare no better
        by_topic: Counter[str] = Counter()
        for tp, lag in lags.items():
            by_topic[self._topic_of(tp.topic)] += lag
        for topic, lag in by_topic.items():
            metrics.LAG.labels(topic).set(lag)
        return by_topic.total()
