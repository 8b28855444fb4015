"""`headrace dead-letters`: show what was refused, and send back what is repaired."""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from headrace.errors import CheckFailed
from headrace_cli.shell.arguments import new_file, readable_file
from streams.operations.console import JsonFlag, console, print_json, reporting

if TYPE_CHECKING:
    from headrace.recording.reading import Record
    from streams.recordings.traffic.dead_letters import DeadLetter

Reason = Annotated[str | None, typer.Option("--reason", help="only these, such as missing_field")]

_dead_letters = typer.Typer(no_args_is_help=True, help="Records that were refused.")
_EXAMPLES = 3


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(_dead_letters, name="dead-letters")


@_dead_letters.command("list")
def show(
    reason: Reason = None,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=new_file, help="write them as a recorded stream, to be repaired by hand: .jsonl, .gz or .zst"
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Count refused records by reason, with examples. What was sent back by `replay` is not listed again."""
    from headrace.recording.writing import RecordingWriter
    from headrace.settings.model import settings
    from streams.recordings.traffic.letters import waiting_letters

    letters = waiting_letters(settings(), reason)
    if out is not None:
        with RecordingWriter(out) as writer:
            for letter in letters:
                writer.write(letter.record)
    if as_json:
        print_json({"dead_letters": len(letters), "by_reason": dict(Counter(one.reason for one in letters))})
    else:
        _print_letters(letters)


@_dead_letters.command("replay")
def send_back(
    file: Annotated[
        Path | None, typer.Argument(callback=readable_file, help="repaired, from `list --out`; without it, as they are")
    ] = None,
    reason: Reason = None,
    as_json: JsonFlag = False,
) -> None:
    """Send refused records back to their topics: those that would be taken now. Exit 1 when some would not.

    Each is sent once: the lines of a FILE name their letters in the header `headrace.id`.
    """
    from headrace.recording.reading import read_recording
    from headrace.settings.model import settings
    from streams.recordings.traffic.dead_letters import ID, refusal
    from streams.recordings.traffic.letters import mark_sent_back, marks, waiting_letters
    from streams.recordings.traffic.replaying import Replayer

    if file is None:
        records, before = [letter.record for letter in waiting_letters(settings(), reason)], 0
    else:
        repaired, sent = list(read_recording(file)), marks(settings())
        records = [record for record in repaired if dict(record.headers).get(ID) not in sent]
        before = len(repaired) - len(records)
    judged = [(record, refusal(record, settings(), time.time_ns() // 1_000_000)) for record in records]
    good, bad = [record for record, why in judged if why is None], [why for _, why in judged if why is not None]
    letters = [letter for record in good if (letter := dict(record.headers).get(ID))]
    with Replayer(settings()) as replayer, reporting("sending back") as report:
        replayer.send([_without(record, ID) for record in good], len(good), report)
        if letters:
            mark_sent_back(settings(), replayer, letters)
    if as_json:
        print_json({"sent": len(good), "refused": len(bad), "sent_before": before})
    else:
        _print_sent(good, len(letters), before)
    if bad:
        raise CheckFailed(f"{len(bad):,} would be refused again and stay: {bad[0].reason}, {bad[0].detail}")


def _without(record: "Record", header: str) -> "Record":
    return record._replace(headers=tuple(pair for pair in record.headers if pair[0] != header))


def _print_sent(good: "list[Record]", marked: int, before: int) -> None:
    console.print(f"{len(good):,} sent back{_by_topic(good)}")
    if before:
        console.print(f"{before:,} were sent back before, and are left out")
    if unnamed := len(good) - marked:
        console.print(f"{unnamed:,} of them name no letter (header headrace.id), and their letters stay listed")


def _by_topic(records: "Iterable[Record]") -> str:
    counts = Counter(record.topic for record in records)
    return "".join(f", {count:,} to {topic}" for topic, count in sorted(counts.items()))


def _print_letters(letters: "list[DeadLetter]") -> None:
    for reason, count in Counter(letter.reason for letter in letters).most_common():
        console.print(f"{escape(reason)}: {count:,}")
        for letter in [one for one in letters if one.reason == reason][:_EXAMPLES]:
            value = "null" if letter.record.value is None else letter.record.value[:80].decode("utf-8", "replace")
            console.print(f"  {escape(letter.id)}  {escape(letter.detail)}  {escape(value)}")
    if not letters:
        console.print("nothing was refused")
