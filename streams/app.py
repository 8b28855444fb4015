"""The Faust application of a worker: an agent a pipeline, which hands it the batches of its topics."""

import asyncio
import logging
import signal
import time
from contextlib import AbstractAsyncContextManager
from typing import Any, NoReturn, cast

import faust
from faust.app.base import BootStrategy

from headrace.errors import HeadraceError
from headrace.settings.model import LogForm, Settings, settings
from streams.application.checks import Checks
from streams.application.faust_settings import faust_settings
from streams.application.faust_worker import WorkerProcess
from streams.application.pipeline_runner import BatchSchema, PipelineRunner
from streams.application.pipelines import OpenPipelines, Pipelines
from streams.application.process import tune_for_batches, use_fast_loop
from streams.kafka.admin.copartition import Prepared, prepare
from streams.kafka.admin.group_check import TIME_TO_STOP_S, check_group
from streams.kafka.transport import Batch
from streams.kafka.transport.consumer import BatchConsumer, BatchTransport
from streams.operations import logs, metrics
from streams.operations.health import Health, HealthMonitor
from streams.operations.probes import serve_probes
from streams.scheduler.pipelines import PipelineName, pipelines_of
from streams.scheduler.reading import Batching

log = logging.getLogger(__name__)
# Faust's services speak of their own starting and stopping through the logger of the class.
faust_log = logging.getLogger("faust")


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
        self._announced = False
        self._metrics_port = 0
        self._health_monitor = HealthMonitor(time.monotonic)
        self._checks = Checks(self, settings, self._health_monitor)
        self._runners = {
            PipelineName.SHOPPERS: PipelineRunner(self, lambda: self.pipelines.shoppers, self._health_monitor),
            PipelineName.ITEMS: PipelineRunner(self, lambda: self.pipelines.items, self._health_monitor),
        }
        super().__init__(**faust_settings(settings))
        pipelines = pipelines_of(settings)
        self.transport = BatchTransport(
            self.conf.broker_consumer,
            self,
            batching=Batching(settings.chunk, settings.chunk_bytes, list(pipelines.values())),
            fail=self.fail,
            on_assigned=self._checks.on_assigned,
            topic_of=settings.kafka_connection.topic_of,
        )
        for name, topics in pipelines.items():
            channel = self.topic(*sorted(map(str, topics.names)), schema=BatchSchema())
            self.agent(channel, name=str(name))(self._runners[name].agent)
        self.on_partitions_revoked.connect(self._on_revoked)
        self._set_timers()

    def _set_timers(self) -> None:
        self.timer(1.0)(self._checks.beat)
        self.timer(1.0)(self._checks.announce_idle)
        self.timer(5.0)(self._checks.check_topics)  # some 5 ms of this process each
        self.timer(10.0)(self._checks.check_health)
        self.timer(10.0)(self._checks.check_store)

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
        await self._checks.open()
        self.pipelines = await self._open_pipelines(self.settings, prepared)
        tune_for_batches()
        self._metrics_port = serve_probes(self.settings.metrics_from, self.health)
        for runner in self._runners.values():
            runner.start()
        await super().on_start()

    async def on_stop(self) -> None:
        """Finish the batches in hand, commit, then let the pipelines go."""
        await super().on_stop()
        for runner in self._runners.values():
            await runner.stop()
        if hasattr(self, "pipelines"):
            await self.pipelines.close()

    def on_rebalance_end(self) -> None:
        """Say, once, that this worker has its share of the partitions."""
        super().on_rebalance_end()
        metrics.REBALANCES.inc()
        self._health_monitor.note_progress()
        if not self.batch_consumer.assignment():
            self.add_future(self._checks.warn_of_surplus())
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
    def batch_consumer(self) -> BatchConsumer:
        """The group's member."""
        return cast(BatchConsumer, self.consumer)

    @property
    def is_busy(self) -> bool:
        """Whether batches wait or are in flight."""
        return any(map(len, self._runners.values()))

    def released_next(self, batch: Batch) -> None:
        """The batch has let the next one begin."""
        self.batch_consumer.released_next(batch)

    def mark_done(self, batch: Batch) -> None:
        """The batch is done: its offsets may be committed."""
        self.batch_consumer.mark_done(batch)

    async def recover(self, error: Exception, failures: int) -> None:
        """Return when a pipeline that raised may begin again, or raise the error."""
        await self.pipelines.recover(error, failures)

    def shoppers_quiesced(self) -> AbstractAsyncContextManager[None]:
        """While no batch of shoppers is in flight."""
        return self._runners[PipelineName.SHOPPERS].quiesced()

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        async with self.shoppers_quiesced(), self._runners[PipelineName.ITEMS].quiesced():
            self.pipelines.on_revoked()


def build_app(settings: Settings, open_pipelines: OpenPipelines | None = None) -> HeadraceApp:
    """The application of one worker; `open_pipelines` puts something else in the runtime's place."""
    use_fast_loop()
    return HeadraceApp(settings, open_pipelines or _open_runtime)


def run_worker() -> NoReturn:
    """Run one worker in this process until SIGTERM; exits 0, or 1 with the one-line reason."""
    WorkerProcess(build_app(settings())).execute_from_commandline()


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
