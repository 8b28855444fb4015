"""`headrace status`: what each server serves, who works, and what waits."""

import sys
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from headrace.errors import CheckFailed
from headrace.settings.model import settings
from streams.operations.console import JsonFlag, print_json

if TYPE_CHECKING:
    from headrace_cli.status.status_report import KafkaPart, ModelPart, Status, StorePart

_WIDTH = 200  # where standard output is no terminal


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(as_json: JsonFlag = False) -> None:
    """Ask every server, external ones too, what it serves; show workers, lag and dead letters.

    Exit 1 where one does not answer, or cannot do its part.
    """
    from headrace_cli.status.asking import status as ask

    found = ask(settings())
    if as_json:
        print_json(found)
    else:
        _show(found)
    if found.troubles:
        raise CheckFailed("; ".join(trouble.rstrip(".") for trouble in found.troubles))


def _show(found: "Status") -> None:
    table = Table("server", "state", "address", "serves", "pid", "log", box=None)
    serves = {"kafka": _of_kafka(found.kafka), "redis": _of_store(found.redis), "triton": _of_models(found.triton)}
    for part in (found.kafka, found.redis, found.triton):
        state = part.state if part.answers or part.state == "stopped" else f"{part.state}, does not answer"
        pid = "" if part.pid is None else str(part.pid)
        table.add_row(part.name, state, part.address, escape(serves[part.name]), pid, part.log or "")
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
    if found.kafka.answers:
        _show_work(found.kafka)


def _of_kafka(part: "KafkaPart") -> str:
    if not part.answers:
        return ""
    return f"{part.topics} topics, missing: {', '.join(part.missing)}" if part.missing else f"all {part.topics} topics"


def _of_store(part: "StorePart") -> str:
    if not part.answers:
        return ""
    kept = "append-only file" if part.keeps_a_file else "no append-only file"
    return f"{part.product}, {'writable' if part.writable else 'takes no write'}, {kept}"


def _of_models(part: "ModelPart") -> str:
    if not part.answers:
        return ""
    served = [f"{name} {', '.join(map(str, versions))}" for name, versions in part.served.items() if versions]
    return f"{'ready' if part.ready else 'not ready'}, {', '.join(served) or 'no version yet'}"


def _show_work(part: "KafkaPart") -> None:
    typer.echo(f"group {part.group}: {len(part.workers)} worker{'' if len(part.workers) == 1 else 's'}")
    for worker in part.workers:
        held = sorted({number for numbers in worker.partitions.values() for number in numbers})
        typer.echo(f"  {worker.client} at {worker.host}: partitions {', '.join(map(str, held)) or 'none'}")
    typer.echo(f"lag: {', '.join(f'{topic} {count:,}' for topic, count in part.lag.items())}")
    if (letters := part.dead_letters) is not None:
        reasons = "".join(f", {reason} {count:,}" for reason, count in letters.by_reason.items())
        typer.echo(f"dead letters: {'' if letters.exact else 'about '}{letters.waiting:,} not sent back{reasons}")
