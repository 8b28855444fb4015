"""The pytest plugin: fixtures for tests of a program that works with Headrace. See `streams.testing`."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from streams.testing.client import Client, Message
    from streams.testing.stack import Stack
    from streams.testing.worker import Worker

_WORKERS: "pytest.StashKey[list[Worker]]" = pytest.StashKey()


class StartWorker(Protocol):
    """Starts a worker of the test's own group; keyword arguments are further environment variables."""

    def __call__(self, **environment: str) -> "Worker":
        """Start it and wait until it is ready."""
        ...


@pytest.fixture(scope="session")
def headrace_stack() -> "Generator[Stack]":
    """The servers: those that HEADRACE_KAFKA, _REDIS and _TRITON name, else the local stack, started if need be."""
    from streams.testing.stack import running_stack

    with running_stack() as stack:
        yield stack


@pytest.fixture
def headrace_group(headrace_stack: "Stack") -> Generator[str]:
    """A group of the test's own, which sees only what is sent from now on: tests share one stack undisturbed."""
    from streams.testing.stack import forget_group, fresh_group

    group = fresh_group(headrace_stack)
    yield group
    forget_group(headrace_stack, group)


@pytest.fixture
def headrace_client(headrace_stack: "Stack", headrace_group: str) -> "Generator[Client]":
    """The test's view of the cluster: `replay`, `expect`, `received`."""
    from streams.testing.client import Client

    with Client(headrace_stack.settings(headrace_group)) as client:
        yield client


@pytest.fixture
def headrace_worker(
    headrace_stack: "Stack", headrace_group: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Generator[StartWorker]:
    """Starts workers, as many as are asked for; they end with the test, and a failed test shows their logs."""
    from streams.testing.worker import Worker

    workers: list[Worker] = request.node.stash.setdefault(_WORKERS, [])

    def start(**environment: str) -> Worker:
        variables = {**headrace_stack.environment(headrace_group), **environment}
        workers.append(Worker(variables, tmp_path / f"worker-{len(workers)}.log"))
        return workers[-1]

    yield start
    for worker in workers:
        if worker.running:
            worker.stop()


@pytest.fixture
def replay(headrace_client: "Client") -> Callable[..., Any]:
    """`Client.replay`: a file or records onto their topics."""
    return headrace_client.replay


@pytest.fixture
def expect(headrace_client: "Client") -> "Callable[..., list[Message]]":
    """`Client.expect`: messages on a topic within some seconds."""
    return headrace_client.expect


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of a failed test's workers."""
    report = yield
    if report.failed:
        for number, worker in enumerate(item.stash.get(_WORKERS, [])):
            report.sections.append((f"log of worker {number}", worker.log_tail()))
    return report
