"""`headrace bench`: measurements beside what a user would run instead."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from headrace.errors import CheckFailed, UsageError
from headrace.settings.model import settings
from headrace_cli.shell.arguments import LARGEST_SEED, new_folder, readable_folder
from streams.operations.console import JsonFlag, console, print_json

Out = Annotated[Path, typer.Option("--out", callback=new_folder, help="folder for the page and the pictures")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="of the shop and its events")]

bench = typer.Typer(no_args_is_help=True, help="Measure this machine: each command writes a page of results.")
_RESULTS = Path("benchmarks/results")
_CONTESTANTS = "headrace,two,crc32,handwritten,faust,quix"
_RATES = "1000,2000"


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(bench, name="bench")


@bench.callback()
def _here() -> None:
    if find_spec("benchmarks") is None:
        raise UsageError("the measurements are not installed: run `headrace bench` in a checkout of the project")
    if settings().topic_prefix:
        raise UsageError("HEADRACE_TOPIC_PREFIX is set: unset it, the programs that are compared know of none")


@bench.command()
def road(
    contestants: Annotated[str, typer.Option(help="names, separated by commas")] = _CONTESTANTS,
    events: Annotated[int, typer.Option(min=2_000, help="events of a round; the slow ones get fewer")] = 200_000,
    turns: Annotated[int, typer.Option(min=1, max=20, help="rounds of so many events; the median counts")] = 4,
    rates: Annotated[str, typer.Option(help="events/s that all are sent alike, separated by commas")] = _RATES,
    against: Annotated[
        Path | None,
        typer.Option(
            callback=readable_folder, help="another checkout with its .venv: its worker runs as headrace-before"
        ),
    ] = None,
    seed: Seed = 1,
    out: Out = _RESULTS,
    as_json: JsonFlag = False,
) -> None:
    """Events/s and latency, beside a hand-written loop, plain Faust and Quix Streams."""
    from benchmarks.race.against import worker_of
    from benchmarks.race.at_rates import SINGLE_RATE, rates_of
    from benchmarks.race.contestants import CONTESTANTS
    from benchmarks.race.race import race
    from benchmarks.race.race_page import summary, write
    from benchmarks.race.workload import Size

    names = [name.strip() for name in contestants.split(",") if name.strip()]
    unknown = [name for name in names if name not in CONTESTANTS]
    if unknown or not names:
        raise UsageError(f"--contestants {contestants}: choose from {', '.join(CONTESTANTS)}")
    chosen = "" if contestants == _CONTESTANTS else f" --contestants {contestants}"
    chosen += "" if rates == _RATES else f" --rates {rates}"
    chosen += f" --against {against.name}" if against else ""
    command = f"headrace bench road{chosen} --events {events} --turns {turns} --seed {seed}"
    rows = [CONTESTANTS[name] for name in names] + ([worker_of(against)] if against else [])
    same = sorted({SINGLE_RATE, *rates_of(rates)})
    found = race(rows, same, Size(events=events), seed, turns, command, console.print)
    page = write(found, out)
    _print_result(page, summary(found), as_json)


@bench.command()
def model(seed: Seed = 1, out: Out = _RESULTS, as_json: JsonFlag = False) -> None:
    """Rows/s of the served model by batch, history and catalogue, beside plain PyTorch."""
    from benchmarks.model.measuring import measure
    from benchmarks.model.model_page import write

    found = measure(seed, f"headrace bench model --seed {seed}", console.print)
    page = write(found, out)
    _print_result(page, found, as_json)


@bench.command()
def scale(
    events: Annotated[int, typer.Option(min=2_000, help="events of the workload")] = 100_000,
    users: Annotated[str, typer.Option(help="shoppers in the store, separated by commas")] = "10000,100000,1000000",
    seed: Seed = 1,
    out: Out = _RESULTS,
    as_json: JsonFlag = False,
) -> None:
    """Events/s by workers, cost by shoppers stored and by history, bytes a shopper in Valkey."""
    from benchmarks.race.workload import Size
    from benchmarks.scale.measuring import measure
    from benchmarks.scale.scale_page import write

    try:
        sizes = [int(number) for number in users.split(",")]
    except ValueError as error:
        raise UsageError(f"--users {users}: give numbers such as 10000,100000") from error
    command = f"headrace bench scale --events {events} --users {users} --seed {seed}"
    found = measure(Size(events=events), sizes, seed, command, console.print)
    page = write(found, out)
    _print_result(page, found, as_json)


@bench.command()
def start(seed: Seed = 1, out: Out = _RESULTS, as_json: JsonFlag = False) -> None:
    """Seconds of imports, of `headrace up`, of a worker until it is ready, and to its first answer."""
    from benchmarks.start import measure_start, write_start

    found = measure_start(seed, f"headrace bench start --seed {seed}", console.print)
    page = write_start(found, out)
    _print_result(page, found, as_json)


@bench.command()
def chaos(
    minutes: Annotated[
        float, typer.Option(min=0.1, help="faults are injected for so long; a replay that began is ended")
    ] = 30,
    seed: Seed = 1,
    out: Out = _RESULTS,
    as_json: JsonFlag = False,
) -> None:
    """Kill and freeze workers at every step while a recording is replayed; compare it with an undisturbed run."""
    from benchmarks.chaos.chaos_page import write
    from benchmarks.chaos.long_run import run

    found = run(minutes, seed, f"headrace bench chaos --minutes {minutes:g} --seed {seed}", console.print)
    page = write(found, out)
    _print_result(page, found, as_json)
    if not found.holds:
        raise CheckFailed(f"a disturbed run differs from the undisturbed one: see {page}")


@bench.command()
def outage(
    rate: Annotated[float, typer.Option(min=1, help="events a second")] = 200,
    seed: Seed = 1,
    out: Out = _RESULTS,
    as_json: JsonFlag = False,
) -> None:
    """Take away Triton, Valkey, a worker, rows while events come in: what is answered, how late, and what is lost."""
    from benchmarks.outage.measuring import measure
    from benchmarks.outage.outage_page import write
    from benchmarks.race.workload import Size

    found = measure(
        Size(events=100_000), rate, seed, f"headrace bench outage --rate {rate:g} --seed {seed}", console.print
    )
    page = write(found, out)
    _print_result(page, found, as_json)


@bench.command()
def soak(
    minutes: Annotated[float, typer.Option(min=3, help="events are sent for so long")] = 30,
    percent: Annotated[float, typer.Option(min=1, max=100, help="rate, of what the worker does from a backlog")] = 50,
    seed: Seed = 1,
    out: Out = _RESULTS,
    as_json: JsonFlag = False,
) -> None:
    """Keep a worker of a large shop that bots visit under a steady load: what its memory, files and latency do."""
    from benchmarks.soak.measuring import LARGE
    from benchmarks.soak.measuring import soak as run_soak
    from benchmarks.soak.soak_page import write

    command = f"headrace bench soak --minutes {minutes:g} --percent {percent:g} --seed {seed}"
    found = run_soak(LARGE, minutes, percent, seed, command, console.print, lambda so_far: write(so_far, out))
    page = write(found, out)
    _print_result(page, found, as_json)
    if found.grown:
        raise CheckFailed(f"{', '.join(found.grown)} grew: see {page}")


@bench.command()
def malformed(
    records: Annotated[int, typer.Option(min=1, help="malformed records")] = 200_000,
    seed: Seed = 1,
    out: Out = _RESULTS,
    as_json: JsonFlag = False,
) -> None:
    """Send broken records to a worker: each is to be a dead letter with its reason, and good events to go through."""
    from benchmarks.malformed.malformed_page import write
    from benchmarks.malformed.running import run

    found = run(records, seed, f"headrace bench malformed --records {records} --seed {seed}", console.print)
    page = write(found, out)
    _print_result(page, found, as_json)
    if not found.refusals.holds:
        raise CheckFailed(f"a malformed record went astray: see {page}")


def _print_result(page: Path, found: object, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        console.print(f"results: {page}")
