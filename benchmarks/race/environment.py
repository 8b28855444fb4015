"""The ground that contestants run on: one stack of its own, and for each run a group that has seen nothing."""

import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psutil
import redis

from benchmarks.race.contestants import Contestant
from headrace.recording.reading import Record
from headrace.settings.model import Settings, load_settings
from headrace.topics import INPUTS
from infra.local.stack import down, status, up
from streams.kafka.admin.broker import Broker
from streams.recordings import OnProgress
from streams.recordings.traffic.replaying import Replayer
from streams.testing.worker import Worker
from trainer.publishing.publish import publish

_PORTS = 5_000
"""Beyond the user's own stack, and that of the tests."""
_METRICS_PORT = 19_900


class Ground(NamedTuple):
    """The stack under measurement.

    Attributes:
        settings: of this process, for it.
        home: its folder; what is measured leaves its logs there.
    """

    settings: Settings
    home: Path

    def publish(self, model: Path) -> None:
        """Serve a model."""
        publish(model, self.settings)

    def send(self, records: Sequence[Record], report: OnProgress) -> None:
        """Append records that are no part of what is measured."""
        with Replayer(self.settings) as replayer:
            replayer.send(records, len(records), report)

    @contextmanager
    def running(
        self, contestant: Contestant, workers: int = 1, environment: Mapping[str, str] | None = None
    ) -> Generator["Running"]:
        """A contestant in a new group that begins at the present end of the inputs, with an empty store.

        Args:
            environment: further variables of its processes.
        """
        group = f"bench-{contestant.name}-{uuid4().hex[:8]}"
        with Broker(self.settings.kafka_connection) as broker:
            broker.start_group_at(group, broker.ends(sorted(INPUTS)))
        redis.Redis.from_url(f"redis://{self.settings.redis_address}").flushall()
        variables = {
            "HEADRACE_HOME": str(self.home),
            "HEADRACE_PORT_OFFSET": str(self.settings.port_offset),
            "HEADRACE_GROUP": group,
            "HEADRACE_METRICS_PORT": str(_METRICS_PORT),
            **(environment or {}),
        }
        with ExitStack() as stack:
            started: list[Worker] = []
            for number in range(workers):
                log = self.home / f"{group}-{number}.log"
                started.append(
                    Worker(
                        variables,
                        log,
                        command=contestant.command,
                        ready=contestant.ready,
                        processes=contestant.processes,
                        folder=contestant.folder,
                    )
                )
                stack.callback(started[-1].stop, within=60)
            own = self.settings.model_copy(update={"group": group})
            servers = {server.name: server.pid for server in status(self.settings) if server.pid is not None}
            yield Running(own, started, servers, _METRICS_PORT)


class Running(NamedTuple):
    """A contestant that runs.

    Attributes:
        settings: with its group.
        workers: those that share its group.
        servers: their process ids by name.
        metrics_port: where Headrace tells its steps.
    """

    settings: Settings
    workers: Sequence[Worker]
    servers: Mapping[str, int]
    metrics_port: int

    @property
    def worker(self) -> Worker:
        """The first of them."""
        return self.workers[0]

    @property
    def processes(self) -> dict[str, list[psutil.Process]]:
        """Theirs and the servers', by name, with those they have started: Triton starts some for each version."""
        workers = [process for worker in self.workers for process in _family(worker.pid)]
        return {"worker": workers, **{name: _family(pid) for name, pid in self.servers.items()}}


@contextmanager
def ground(report: OnProgress, partitions: int | None = None) -> Generator[Ground]:
    """A stack made anew beside the user's own, and stopped at the end; `partitions` where a setting does not do."""
    mine = load_settings()
    home = (mine.home / "bench").absolute()
    settings = mine.model_copy(
        update={
            "home": home,
            "port_offset": mine.port_offset + _PORTS,
            "partitions": partitions or mine.partitions,
            "kafka": None,
            "redis": None,
            "triton": None,
            "model_repo": None,
        }
    )
    down(settings, lambda _: None)
    for part in ("kafka", "valkey", "models"):
        shutil.rmtree(home / part, ignore_errors=True)
    up(settings, lambda _: report(0, 0))
    try:
        yield Ground(settings, home)
    finally:
        down(settings, lambda _: None)


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
