"""Each text task alone and all with one encoder, by the same code as `headrace finetune multitask`.

    python -m benchmarks.multitask [--rows 300] [--seeds 3] [--weightings uncertainty,pcgrad]

Tasks: BANKING77 (intent), CLINC150 without its outliers (scope), SST-2 (sentiment), Abt-Buy pairs (matching). LoRA on
all-MiniLM-L6-v2, the first 32 tokens of a text, 3 epochs. At most so many training rows a task, drawn by the seed; half
as many validation rows, which choose the epoch; twice as many test rows, the same for all seeds. Accuracy; for
matching recall@1 among the 266 test pairs, the mean of both directions. Results are kept after every seed.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, Final

import msgspec
import torch

from headrace.files.atomic import write_atomic
from headrace.settings.model import settings
from trainer.multitask.compare import Compared, OneSeed, compare_tasks, table
from trainer.multitask.config import MultitaskConfig, parse_weighting
from trainer.multitask.sources import TASKS, read_tasks
from trainer.text.encoder import load_text_model
from trainer.training_loop.device import leave_a_core

_OUT: Final = Path("benchmarks/results/multitask.json")
_MACHINE: Final = "2 cores, x86-64 with AVX512-BF16, no GPU; one core used"


def main() -> None:
    """Run every weighting with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--weightings", default="uncertainty,pcgrad")
    options = parser.parse_args()
    leave_a_core()
    model = load_text_model(None, torch.device("cpu"), 32)
    for name in options.weightings.split(","):
        config, runs, began = MultitaskConfig(weighting=parse_weighting(name), apart=()), list[OneSeed](), time.time()
        for seed in range(options.seeds):
            tasks = read_tasks(list(TASKS), settings().data, options.rows, seed)
            runs.append(compare_tasks(model, tasks, config, seed, lambda *_: None))
            _keep(name, options.rows, table(runs), len(runs), time.time() - began)


def _keep(weighting: str, rows: int, lines: list[Compared], seeds: int, seconds: float) -> None:
    found: dict[str, Any] = json.loads(_OUT.read_text()) if _OUT.exists() else {"machine": _MACHINE, "weightings": {}}
    command = f"python -m benchmarks.multitask --rows {rows} --seeds {seeds} --weightings {weighting}"
    tasks = msgspec.to_builtins(lines)
    found["weightings"][weighting] = {"command": command, "seeds": seeds, "seconds": round(seconds), "tasks": tasks}
    write_atomic(_OUT, json.dumps(found, indent=2) + "\n")
    write_atomic(_OUT.with_suffix(".md"), _page(found))


def _page(found: dict[str, Any]) -> str:
    about = (__doc__ or "").split("\n", 4)[4].strip()
    sections = "\n".join(_section(name, part) for name, part in found["weightings"].items())
    return f"# Each task alone, all together\n\n{about} Mean ± standard deviation. {found['machine']}.\n{sections}"


def _section(weighting: str, part: dict[str, Any]) -> str:
    rows = "\n".join(
        f"| {line['task']} | {_figure(line['alone'])} | {_figure(line['together'])} "
        f"| {_figure(line['alone_valid'])} | {_figure(line['together_valid'])} | {'yes' if line['hurt'] else 'no'} |"
        for line in part["tasks"]
    )
    return f"""
## Losses weighed by: {weighting}
`{part["command"]}`: {part["seeds"]} seeds, {part["seconds"]:,} s.

| task | alone, test | together, test | alone, validation | together, validation | hurt beyond noise |
|---|---|---|---|---|---|
{rows}
"""


def _figure(spread: dict[str, float]) -> str:
    return f"{spread['mean']:.4f} ± {spread['sd']:.4f}"


if __name__ == "__main__":
    main()
