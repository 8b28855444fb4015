"""What became of malformed records, as a page and JSON."""

from pathlib import Path

from benchmarks.malformed.running import Measured
from benchmarks.results_page import write_results


def write(found: Measured, folder: Path) -> Path:
    """Write `malformed.json` and `malformed.md`; the page's path."""
    return write_results(found, _page(found), folder, "malformed")


def _page(found: Measured) -> str:
    refusals = found.refusals
    reasons = "\n".join(f"| `{reason}` | {count:,} |" for reason, count in refusals.by_reason.items())
    return f"""# Malformed records

    {found.command}

{found.machine.sentence()}
Good events with one defect each (cut short, noise, wrong types, numbers beyond their range, bad UTF-8, depth, size,
clocks ahead, seconds for milliseconds: `benchmarks/malformed/making.py`), written as other producers write them (framed
by a schema registry, in envelopes, several in one: `foreign.py`), and one in a thousand as large as may be, in a form
that a careless check takes long over (`long.py`), go to one worker, good ones between them. Each defect comes
with the reasons that are right for it, without asking the decoder.

| | |
|---|---|
| malformed records sent | {refusals.sent:,} |
| dead letters, each record counted once | {refusals.dead_letters:,} |
| with a reason that its defect does not allow | {refusals.wrong_reason:,} |
| with other bytes than those sent | {refusals.changed:,} |
| good events between them, and those answered | {refusals.good:,}, {refusals.answered:,} |
| ms of the CPU to refuse the slowest of {found.most_bytes:,} bytes ({refusals.slowest}) | {refusals.slowest_ms:.1f} |
| seconds, sending included | {found.seconds:.0f} |

| reason | dead letters |
|---|---|
{reasons}
"""
