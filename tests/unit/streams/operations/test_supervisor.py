"""Workers that end are started again; those that cannot work are not."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from headrace.errors import UsageError
from streams.operations import supervisor
from streams.operations.health import Health
from streams.operations.probes import PID_HEADER, serve_probes
from streams.operations.supervisor import Prober, Supervisor, WorkerSlot, worker_slots

SLEEPER = "import time; time.sleep(600)"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Started:
    """Notes the processes that a place starts."""

    def __init__(self, program):
        self.program = program
        self.processes = []

    def __call__(self):
        self.processes.append(subprocess.Popen([sys.executable, "-c", self.program]))
        return self.processes[-1]


@pytest.fixture
def sleeper():
    started = Started(SLEEPER)
    yield started
    for process in started.processes:
        process.kill()
        process.wait()


def until(holds):
    while not holds():
        time.sleep(0.01)


def test_a_worker_that_was_killed_is_started_again(sleeper):
    clock = Clock()
    place = WorkerSlot(sleeper, lambda _: "", clock)
    assert place.check() is None
    sleeper.processes[0].kill()
    sleeper.processes[0].wait()
    assert place.check() == -signal.SIGKILL
    place.check()
    assert [process.poll() for process in sleeper.processes] == [-signal.SIGKILL, None]


def test_what_a_killed_worker_has_left_is_seen_to(sleeper):
    buried: queue.Queue[int] = queue.Queue()
    place = WorkerSlot(sleeper, lambda _: "", Clock(), buried.put)
    place.check()
    sleeper.processes[0].kill()
    sleeper.processes[0].wait()
    place.check()
    assert buried.get(timeout=60) == sleeper.processes[0].pid


def test_one_that_ended_by_itself_has_left_nothing():
    buried, started = [], Started("raise SystemExit(1)")
    place = WorkerSlot(started, lambda _: "", Clock(), buried.append)
    place.check()
    started.processes[0].wait()
    assert place.check() == 1
    assert buried == []


def test_one_that_fails_at_once_waits_longer_each_time():
    clock, started = Clock(), Started("raise SystemExit(1)")
    place = WorkerSlot(started, lambda _: "", clock)
    starts: list[float] = []
    while len(starts) < 9:
        place.check()
        if len(started.processes) > len(starts):
            starts.append(clock.now)
            started.processes[-1].wait()
            assert place.check() == 1
        clock.now += 0.5
    waits = [later - earlier for earlier, later in pairwise(starts)]
    assert waits == sorted(waits)
    assert waits[0] <= 1
    assert 30 <= waits[-1] <= 31


def test_one_that_says_it_is_dead_is_ended(sleeper):
    clock, reported = Clock(), []

    def probe(pid):
        reported.append(pid)
        return "its loop stands still" if len(reported) > 1 else ""

    place = WorkerSlot(sleeper, probe, clock)
    place.check()
    for _ in range(2):
        clock.now += 6
        place.check()
    assert sleeper.processes[0].poll() is None  # it may be ending by itself
    clock.now += 31
    place.check()
    assert sleeper.processes[0].wait() == -signal.SIGKILL
    assert reported == [sleeper.processes[0].pid] * 3


def test_sigterm_ends_all_of_them(sleeper):
    supervisor = Supervisor([WorkerSlot(sleeper, lambda _: "", time.monotonic) for _ in range(2)], turn_s=0.01)

    def stop():
        until(lambda: len(sleeper.processes) == 2)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    assert supervisor.run() == 0
    thread.join()
    assert [process.poll() for process in sleeper.processes] == [-signal.SIGTERM] * 2


def test_a_worker_that_is_set_up_wrongly_ends_the_others_too(sleeper):
    wrong = Started("raise SystemExit(2)")
    where = [WorkerSlot(sleeper, lambda _: "", time.monotonic), WorkerSlot(wrong, lambda _: "", time.monotonic)]
    assert Supervisor(where, turn_s=0.01).run() == 2
    assert sleeper.processes[0].poll() == -signal.SIGTERM
    assert len(wrong.processes) == 1


def test_each_process_has_a_port_of_its_own(monkeypatch, tmp_path):
    program = "import os, pathlib\npathlib.Path(os.environ['OUT'], os.environ['HEADRACE_METRICS_PORT']).touch()"
    monkeypatch.setenv("OUT", str(tmp_path))
    monkeypatch.setattr(supervisor, "COMMAND", (sys.executable, "-c", program))
    for place in worker_slots(2, 7_000, lambda _: None):
        place.check()
        place.wait(time.monotonic() + 60)
    assert {path.name for path in tmp_path.iterdir()} == {"7000", "7001"}


class Other(BaseHTTPRequestHandler):
    """Another program: it says that all is well, whatever it is asked."""

    status, headers_of_its_own = 200, {}

    def do_GET(self):
        self.send_response(self.status)
        for name, value in self.headers_of_its_own.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class OtherWorker(Other):
    """A worker of another supervisor, and a sick one."""

    status, headers_of_its_own = 503, {PID_HEADER: "1"}


@pytest.fixture
def beside():
    """Starts other programs' servers, and says on which port."""
    servers = []

    def start(handler):
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1].server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("other", [Other, OtherWorker])
@pytest.mark.parametrize("dead", ["", "its event loop has not run for 90 s"])
def test_a_worker_whose_port_is_taken_is_asked_itself(beside, other, dead):
    port = beside(other)
    served = serve_probes(port, lambda: Health(dead, ""))
    assert served != port
    prober = Prober(port)
    assert [bool(prober(os.getpid())) for _ in range(2)] == [bool(dead)] * 2


def test_whoever_answers_for_another_is_not_heard(beside):
    """No worker is there, and what stands on its port is sick: nobody is ended for it."""
    assert Prober(beside(OtherWorker))(os.getpid()) == ""


def test_a_worker_that_finds_no_port_says_so_and_is_not_started():
    held = []
    port = 29_400
    try:
        for taken in range(port, port + 16):
            held.append(socket.create_server(("127.0.0.1", taken)))
        with pytest.raises(UsageError, match="HEADRACE_METRICS_PORT=29400"):
            serve_probes(port, lambda: Health("", ""))
    finally:
        for taken in held:
            taken.close()
