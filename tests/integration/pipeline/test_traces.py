"""A trace goes from a producer's event through the worker to its output, and its spans to a collector."""

from collections.abc import Generator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from streams.testing import Client, event, item
from streams.testing.plugin import StartWorker

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector(HTTPServer):
    """Takes spans as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.came: Future[ExportTraceServiceRequest] = Future()
        self.endpoint = f"http://127.0.0.1:{self.server_port}/v1/traces"


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.server.came.done():
            self.server.came.set_result(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def collector() -> Generator[Collector]:
    server = Collector()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_from_event_to_output(headrace_worker: StartWorker, headrace_client: Client, collector: Collector):
    headrace_worker(HEADRACE_TRACES=collector.endpoint)
    traced = event("view", "u", item_id="i", event_id="traced")
    traced = traced._replace(headers=(("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"),))
    headrace_client.replay([item("i", title="A thing"), traced, event("view", "v", item_id="i", event_id="plain")])
    found = {m.value["event_id"]: m.headers for m in headrace_client.expect("recommendations", count=2)}
    assert found["traced"]["traceparent"].startswith(f"00-{TRACE}-")
    assert "traceparent" not in found["plain"]
    (resource,) = collector.came.result(timeout=30).resource_spans
    spans = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    answer = spans["recommend"]
    assert answer.trace_id.hex() == TRACE
    assert answer.span_id.hex() in found["traced"]["traceparent"]
    assert {"decode", "read", "fold", "score", "emit"} <= spans.keys()
    assert all(span.parent_span_id == answer.span_id for name, span in spans.items() if name != "recommend")
