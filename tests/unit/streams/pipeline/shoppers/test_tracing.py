"""An output goes on with the trace of the event that caused it."""

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from headrace.messages.events import Event, EventType
from streams.kafka.transport import RawRecord
from streams.operations.metrics import Step
from streams.pipeline.shoppers.decode import Accepted, RecordPosition
from streams.pipeline.shoppers.tracing import PropagatingTracer, RecordingTracer

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = (f"00-{TRACE}-{PARENT}-{flags}".encode() for flags in ("01", "00"))
APPENDED_MS = 1_767_571_200_000
EVENT = Event(event_id="e", type=EventType.VIEW, user_id="u", timestamp=APPENDED_MS, item_id="i")


def accepted(*headers):
    record = RawRecord("events", 2, 7, APPENDED_MS, b"u", b"{}", headers)
    return Accepted(EVENT, RecordPosition("events", 2, 7), record)


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def recording(spans):
    return RecordingTracer("shop", SimpleSpanProcessor(spans))


def test_without_a_collector_the_context_is_handed_on_as_it_came():
    headers = (("traceparent", SAMPLED), ("tracestate", b"shop=1"), ("mine", b"x"))
    assert list(PropagatingTracer().begin(accepted(*headers), "recommend/e").headers) == [*headers[:2]]


def test_a_context_that_no_tracer_would_write_is_not_handed_on():
    long = accepted(("traceparent", SAMPLED), ("tracestate", b"x" * 5_000))
    assert list(PropagatingTracer().begin(long, "recommend/e").headers) == [("traceparent", SAMPLED)]


def test_an_event_of_no_trace_begins_none(recording, spans):
    assert PropagatingTracer().begin(accepted(), "recommend/e") is None
    assert recording.begin(accepted(("mine", b"x")), "recommend/e") is None


def test_an_answer_is_a_span_below_its_producers_and_the_output_goes_on_from_it(recording, spans):
    traced = recording.begin(accepted(("traceparent", SAMPLED)), "recommend/e")
    traced.end([Step("fold", 5, 6), Step("score", 6, 9)])
    fold, score, answer = spans.get_finished_spans()
    assert f"{answer.parent.span_id:016x}" == PARENT
    assert f"{answer.context.trace_id:032x}" == TRACE
    assert dict(traced.headers)["traceparent"] == f"00-{TRACE}-{answer.context.span_id:016x}-01".encode()
    assert answer.start_time == APPENDED_MS * 1_000_000
    assert answer.attributes["messaging.kafka.offset"] == 7
    assert [(s.name, s.start_time, s.end_time, s.parent.span_id) for s in (fold, score)] == [
        ("fold", 5, 6, answer.context.span_id),
        ("score", 6, 9, answer.context.span_id),
    ]


def test_what_the_producer_did_not_sample_is_no_span_but_its_context_goes_on(recording, spans):
    traced = recording.begin(accepted(("traceparent", UNSAMPLED)), "recommend/e")
    traced.end([Step("fold", 5, 6)])
    assert dict(traced.headers) == {"traceparent": UNSAMPLED}
    assert spans.get_finished_spans() == ()


def test_a_context_that_is_none_is_handed_on_and_harmless(recording, spans):
    traced = recording.begin(accepted(("traceparent", b"\xff")), "recommend/e")
    traced.end([])
    assert dict(traced.headers) == {"traceparent": b"\xff"}
    assert spans.get_finished_spans() == ()
