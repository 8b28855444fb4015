"""`headrace dead-letters`: show what was refused, and send back what is mended."""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from streams.cli.output import JsonFlag, console, print_json, reporting
from streams.errors import CheckFailed

if TYPE_CHECKING:
    from streams.recordings.reading import Record
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
        Path | None, typer.Option(help="write them as a recorded stream, to be mended by hand: .jsonl, .gz or .zst")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Count refused records by reason, with examples."""
    from streams.recordings.writing import RecordingWriter

    letters = _all(reason)
    if out is not None:
        with RecordingWriter(out) as writer:
            for letter in letters:
                writer.write(letter.record)
    if as_json:
        print_json({"dead_letters": len(letters), "by_reason": dict(Counter(one.reason for one in letters))})
    else:
        _tell(letters)


@_dead_letters.command("replay")
def send_back(
    file: Annotated[Path | None, typer.Argument(help="mended, from `list --out`; without it, as they are")] = None,
    reason: Reason = None,
    as_json: JsonFlag = False,
) -> None:
    """Send refused records back to their topics: those that would be taken now. Exit 1 when some would not."""
    from streams.recordings.reading import read_recording
    from streams.recordings.traffic.dead_letters import refusal
    from streams.recordings.traffic.replaying import Replayer
    from streams.settings import settings

    records = [letter.record for letter in _all(reason)] if file is None else list(read_recording(file))
    judged = [(record, refusal(record, settings(), time.time_ns() // 1_000_000)) for record in records]
    good, bad = [record for record, why in judged if why is None], [why for _, why in judged if why is not None]
    with Replayer(settings()) as replayer, reporting("sending back") as report:
        replayer.send(good, len(good), report)
    if as_json:
        print_json({"sent": len(good), "refused": len(bad)})
    else:
        console.print(f"{len(good):,} sent back{_by_topic(good)}")
    if bad:
        raise CheckFailed(f"{len(bad):,} would be refused again and stay: {bad[0].reason}, {bad[0].detail}")


def _all(reason: str | None) -> "list[DeadLetter]":
    from streams.recordings.traffic.dead_letters import dead_letters
    from streams.recordings.traffic.listening import Listener
    from streams.settings import settings
    from streams.topics import Topic

    with Listener(settings().kafka_connection, [Topic.DEAD_LETTERS], from_beginning=True) as listener:
        return list(dead_letters(listener.until_now(), reason))


def _by_topic(records: "Iterable[Record]") -> str:
    counts = Counter(record.topic for record in records)
    return "".join(f", {count:,} to {topic}" for topic, count in sorted(counts.items()))


def _tell(letters: "list[DeadLetter]") -> None:
    for reason, count in Counter(letter.reason for letter in letters).most_common():
        console.print(f"{escape(reason)}: {count:,}")
        for letter in [one for one in letters if one.reason == reason][:_EXAMPLES]:
            value = "null" if letter.record.value is None else letter.record.value[:80].decode("utf-8", "replace")
            console.print(f"  {escape(letter.id)}  {escape(letter.detail)}  {escape(value)}")
    if not letters:
        console.print("nothing was refused")
