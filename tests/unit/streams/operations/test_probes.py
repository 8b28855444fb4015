"""A worker's probes say how it does, beside its metrics."""

from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from streams.operations.health import Health
from streams.operations.probes import serve_probes

PORT = 29_100


def probed(port: int, page: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def well() -> int:
    """The port of a worker in good health."""
    return serve_probes(PORT, lambda: Health("", ""))


@pytest.mark.parametrize(
    ("health", "live", "ready"),
    [
        (Health("", ""), (200, "ok\n"), (200, "ok\n")),
        (Health("", "the store is away"), (200, "ok\n"), (503, "the store is away\n")),
        (Health("stuck", ""), (503, "stuck\n"), (503, "stuck\n")),
    ],
)
def test_probes_say_what_is_wrong(health: Health, live: tuple[int, str], ready: tuple[int, str]):
    port = serve_probes(PORT, lambda: health)
    assert probed(port, "livez") == live
    assert probed(port, "readyz") == ready


def test_a_second_worker_takes_the_next_port_and_both_serve_metrics():
    ports = [serve_probes(PORT, lambda: Health("", "")) for _ in range(2)]
    assert ports[0] != ports[1]
    for port in ports:
        status, page = probed(port, "metrics")
        assert (status, "headrace_records_total" in page or "python_info" in page) == (200, True)


def test_port_0_serves_nothing():
    assert serve_probes(0, lambda: Health("", "")) == 0


@pytest.mark.parametrize("page", ["", "healthz", "metrics/", "livez/", "Metrics", "favicon.ico", "metrics/livez?a=b"])
def test_a_path_that_is_none_is_not_found_and_the_answer_names_those_there_are(well: int, page: str):
    assert probed(well, page) == (404, "not found; the paths here are /metrics, /livez, /readyz\n")


def test_a_query_string_changes_no_path(well: int):
    assert probed(well, "livez?verbose") == (200, "ok\n")
    assert probed(well, "metrics?name[]=python_info")[0] == 200
