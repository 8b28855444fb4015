"""Traces from an event to its outputs, in the W3C form (`traceparent`) that OpenTelemetry puts into Kafka headers.

An output carries on the trace of the event that caused it. Without a collector the event's context is handed on as it
came; with one (`HEADRACE_TRACES`) each answer to an event whose producer sampled it is a span, and the steps of its
batch are spans below it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from headrace.errors import SettingsError
from headrace.settings.model import Settings
from streams.kafka.transport import RawRecord
from streams.operations.metrics import Step
from streams.pipeline.shoppers.decode import Accepted

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span

Headers = Sequence[tuple[str, bytes]]

_CONTEXT: Final = ("traceparent", "tracestate")
_MOST_BYTES: Final = 512
"""The longest tracestate that W3C asks anybody to hand on; every answer would carry what is longer."""


class Tracer(Protocol):
    """What traces the outputs of a pipeline."""

    def begin(self, accepted: Accepted, output_id: str) -> "Traced | None":
        """Begin the span of an answer; None where its event belongs to no trace."""
        ...

    def close(self) -> None:
        """Send what is left."""


class Traced(Protocol):
    """An answer that belongs to a trace."""

    @property
    def headers(self) -> Headers:
        """What its message carries."""
        ...

    def end(self, steps: Sequence[Step]) -> None:
        """It is with Kafka; these are the steps of its batch until then."""


def open_tracer(settings: Settings) -> Tracer:
    """The tracer that the settings ask for.

    Raises:
        SettingsError: spans are asked for, and what makes them is not installed.
    """
    if settings.traces is None:
        return PropagatingTracer()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(
            "HEADRACE_TRACES is set and OpenTelemetry is not installed: pip install 'headrace[traces]'"
        ) from error
    return RecordingTracer(settings.group, BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.traces)))


class PropagatingTracer:
    """Makes no spans."""

    def begin(self, accepted: Accepted, output_id: str) -> Traced | None:
        """The event's own context goes on with the answer."""
        context = context_of(accepted.record)
        return _Propagated(context) if context else None

    def close(self) -> None:
        """Nothing is left."""


class _Propagated(NamedTuple):
    headers: Headers

    def end(self, steps: Sequence[Step]) -> None:
        """No span is made."""


class RecordingTracer:
    """Makes spans of the answers to sampled events.

    Args:
        group: names the service.
        processor: takes the spans when they end.
    """

    def __init__(self, group: str, processor: "SpanProcessor") -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = TracerProvider(
            resource=Resource({"service.name": f"headrace-{group}"}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("headrace")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, accepted: Accepted, output_id: str) -> Traced | None:
        """Begin a span below the producer's, as of when its record was appended."""
        from opentelemetry.trace import SpanKind, get_current_span, set_span_in_context

        context = context_of(accepted.record)
        if not context:
            return None
        parent = self._propagator.extract({name: value.decode("ascii", "replace") for name, value in context})
        if not get_current_span(parent).get_span_context().trace_flags.sampled:
            return _Propagated(context)
        position = accepted.position
        span = self._tracer.start_span(
            output_id.partition("/")[0],
            context=parent,
            kind=SpanKind.CONSUMER,
            start_time=accepted.record.timestamp * 1_000_000,
            attributes={
                "headrace.output_id": output_id,
                "messaging.system": "kafka",
                "messaging.destination.name": position.topic,
                "messaging.destination.partition.id": str(position.partition),
                "messaging.kafka.offset": position.offset,
            },
        )
        carried: dict[str, str] = {}
        self._propagator.inject(carried, set_span_in_context(span))
        return _Spanned(self, span, [(name, value.encode()) for name, value in carried.items()])

    def end(self, span: "Span", steps: Sequence[Step]) -> None:
        """End an answer's span, and make those of its batch's steps."""
        from opentelemetry.trace import set_span_in_context

        below = set_span_in_context(span)
        for step in steps:
            self._tracer.start_span(step.name, context=below, start_time=step.began).end(step.ended)
        span.end()

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class _Spanned(NamedTuple):
    recording: RecordingTracer
    span: "Span"
    headers: Headers

    def end(self, steps: Sequence[Step]) -> None:
        """End the span."""
        self.recording.end(self.span, steps)


def context_of(record: RawRecord) -> Headers:
    """The headers of a record that name its trace."""
    if not record.headers:  # of most records; asked for every answer
        return ()
    return [(name, value) for name, value in record.headers if name in _CONTEXT and len(value) <= _MOST_BYTES]
