"""`headrace demo`: what `scripts/demo` runs once everything is installed."""

import shutil
import sys
import time
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from headrace.errors import CheckFailed
from headrace.settings.model import load_settings
from streams.operations.console import JsonFlag, console, print_json

_SEED = 7
_WIDTH = 150  # of the tables where standard output is no terminal


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    json: JsonFlag = False,
    keep: Annotated[bool, typer.Option("--keep", help="leave the stack running for a look around")] = False,
) -> None:
    """Simulate a shop, train, publish, replay it through a worker on real servers, and show the answers.

    Everything lives under HEADRACE_HOME/demo, made anew each time.
    """
    from streams.demo.answers import read_answers
    from streams.demo.shell import Shell
    from streams.demo.shop import Shop, read_truth, write_past
    from streams.demo.story import print_story
    from streams.demo.verdict import judge

    began = time.perf_counter()
    settings = load_settings()
    home = (settings.home / "demo").absolute()
    shell = Shell({"HEADRACE_HOME": str(home)})
    shell.headrace("down")
    shutil.rmtree(home, ignore_errors=True)
    recording, past, model = home / "shop.jsonl.gz", home / "past.jsonl.gz", home / "model"
    try:
        shell.headrace("up")
        shell.headrace("simulate", "--out", recording, "--seed", str(_SEED))
        shop, truth = Shop(recording), read_truth(recording)
        write_past(recording, past, shop.cut)
        shell.headrace("train", "--stream", past, "--out", model)
        shell.headrace("publish", model)
        with shell.worker(home / "worker.log"):
            replayed = shell.headrace("replay", recording, "--speed", "max", "--wait")
        answers = read_answers(settings.kafka_connection)
    finally:
        if not keep:
            shell.headrace("down")
    verdict = judge(shop, truth, answers, settings)
    print_story(Console(width=None if sys.stdout.isatty() else _WIDTH), shop, truth, answers, verdict, settings.window)
    seconds = time.perf_counter() - began
    console.print(f"{seconds:.0f} seconds in all")
    if keep:
        console.print(f"[dim]Look around: HEADRACE_HOME={home} headrace tail recommendations --from-beginning")
    if json:
        print_json({**msgspec.structs.asdict(verdict), "replay": replayed, "seconds": round(seconds, 1)})
    if not verdict.ok:
        raise CheckFailed("the demonstration does not hold; the summary above says what is missing.")
