"""What a long run came to, as a page and JSON."""

from pathlib import Path

from benchmarks.chaos.long_run import LongRun
from benchmarks.results_page import write_results


def write(found: LongRun, folder: Path) -> Path:
    """Write `chaos.json` and `chaos.md`; the page's path."""
    return write_results(found, _page(found), folder, "chaos")


def _page(found: LongRun) -> str:
    faults = "\n".join(f"| {fault} | {count} |" for fault, count in found.by_step.items())
    return f"""# Nothing lost

    {found.command}

{found.machine.sentence()}
A recording of {found.records:,} events is replayed through workers, one or two at a time, which are killed or
frozen and followed by others, {found.replays} times over in {found.seconds / 60:.0f} minutes;
batches of 8 records. Each replay is compared with an undisturbed one: features line by line, outputs by id, numbers
to 1e-4.

| | |
|---|---|
| faults that counted: something was emitted or committed since the one before, and something was left | {found.kills} |
| records lost | {found.lost} |
| triggers and impressions unanswered | {found.unanswered} |
| feature rows that differ | {found.differing_features} |
| ids under which two different outputs came | {found.differing_duplicates} |
| outputs that the undisturbed run does not have | {found.unexpected} |
| outputs that came again, equal | {found.repeats} |

## Where the faults were
The steps are those of `streams/testing/crash_points.py`.

| fault | times |
|---|---|
{faults}
"""
