"""`headrace record`, `replay` and `tail`: streams between files and Kafka."""

import signal
import sys
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from headrace.errors import UsageError
from headrace_cli.shell.arguments import new_file, readable_file
from streams.operations.console import JsonFlag, console, print_json, reporting

if TYPE_CHECKING:
    from streams.recordings.traffic.counting import Replayed

FromBeginning = Annotated[bool, typer.Option("--from-beginning", help="not only what comes from now on")]
QuietSeconds = Annotated[
    float | None, typer.Option("--timeout", min=0, help="end after this many seconds without a new record")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(record)
    app.command()(replay)
    app.command()(tail)


def record(
    topics: Annotated[str, typer.Option(help="names, separated by commas")],
    out: Annotated[Path, typer.Option(callback=new_file, help="recorded stream: .jsonl, .jsonl.gz or .jsonl.zst")],
    from_beginning: FromBeginning = False,
    timeout: QuietSeconds = None,
    as_json: JsonFlag = False,
) -> None:
    """Record topics until Ctrl-C, or until nothing has come for --timeout seconds."""
    from headrace.settings.model import settings
    from streams.recordings.traffic.capture import capture
    from streams.recordings.traffic.listening import Listener

    names = [name.strip() for name in topics.split(",") if name.strip()]
    if not names:
        raise UsageError("--topics needs at least one name, as in --topics events,items")
    interrupted = _on_interruption()
    listening = Listener(settings().kafka_connection, names, from_beginning=from_beginning)
    console.print(f"recording {escape(', '.join(names))}; Ctrl-C ends it")
    with listening as listener, reporting("recording") as report:
        count = capture(listener.records(timeout, interrupted), out, report)
    if as_json:
        print_json({"records": count, "out": str(out)})
    else:
        console.print(f"{count:,} records of {', '.join(names)} → {escape(str(out))}")


def replay(
    file: Annotated[Path, typer.Argument(callback=readable_file, help="recorded stream")],
    speed: Annotated[str, typer.Option(help="event time over wall time, or max")] = "max",
    wait: Annotated[bool, typer.Option("--wait", help="return when the group has answered everything")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Send a recorded stream onto its topics, in its order; all items before the first event."""
    from headrace.settings.model import settings
    from streams.recordings.traffic.replay import replay_file

    factor = _parse_speed(speed)
    with reporting("replaying") as report:
        done = replay_file(file, settings(), speed=factor, wait=wait, on_progress=report)
    if as_json:
        print_json(done)
    else:
        _show(done)


def tail(
    topic: Annotated[str, typer.Argument(help="name of the topic")],
    from_beginning: FromBeginning = False,
    max_records: Annotated[int | None, typer.Option("--max", min=1, help="end after so many records")] = None,
    timeout: QuietSeconds = None,
) -> None:
    """Print a topic's records as JSON lines, until Ctrl-C, --max records or --timeout seconds of silence."""
    from headrace.settings.model import settings
    from streams.recordings.traffic.listening import Listener
    from streams.recordings.traffic.tailing import to_line

    interrupted = _on_interruption()
    with Listener(settings().kafka_connection, [topic], from_beginning=from_beginning) as listener:
        for found in islice(listener.records(timeout, interrupted), max_records):
            sys.stdout.buffer.write(to_line(found) + b"\n")
            sys.stdout.buffer.flush()


def _parse_speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise UsageError(f"--speed {text} is neither a positive number nor max")
    return factor


def _on_interruption() -> Callable[[], bool]:
    """Whether Ctrl-C or SIGTERM has come: a flag and no exception, so that no line is cut in two."""
    event = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: event.set())
    return event.is_set


def _show(done: "Replayed") -> None:
    rate = done.records / max(done.seconds, 1e-3)
    console.print(f"{done.records:,} records in {done.seconds:.1f} s, {rate:,.0f}/s; appended meanwhile:")
    for topic, count in {**done.answered, "dead.letters": done.dead_letters}.items():
        console.print(f"  {topic:<18} {count:>9,}")
