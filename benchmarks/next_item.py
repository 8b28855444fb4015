"""Next items on files of sequences, all items ranked, several seeds: `strict` and `refit` beside published figures.

    python -m benchmarks.next_item [--no-attributes] [--seeds 3] [--out benchmarks/results/next_item]

Runs `headrace evaluate next-item` on Amazon Beauty (5-core, leave one out, history excluded), once a seed. Choices were
made on validation items; the test items score, once a seed.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any, Final

import msgspec
import torch

from headrace.files.atomic import write_atomic
from headrace.settings.model import settings
from streams.operations.console import progress
from trainer.evaluation.tables import beyond_markdown
from trainer.progress import Stages
from trainer.sequences.evaluate import NextItemReport, evaluate_next_item

#: HR@10 and NDCG@10 as published on the same protocol, fitted on all but the test item where the paper says so.
_PUBLISHED: Final = {
    "GRU4Rec": (0.0283, 0.0137),
    "SASRec": (0.0605, 0.0318),
    "S3-Rec": (0.0647, 0.0327),
    "TIGER": (0.0648, 0.0384),
    "ActionPiece": (0.0775, 0.0424),
    "HSTU": (0.0788, 0.0439),
    "eSASRec": (0.0928, 0.0523),
    "SASRec, sampled softmax": (0.0921, 0.0531),
}
_FITS: Final = ("strict", "refit", "popularity")


def main() -> None:
    """Evaluate each seed, write OUT.json and OUT.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/next_item"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--no-attributes", action="store_true", help="ids and order alone")
    options = parser.parse_args()
    folder = settings().data / "sequences"
    attributes = None if options.no_attributes else folder / "Beauty_item2attributes.json"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reports: list[NextItemReport] = []
    for seed in range(options.seeds):
        with progress() as bar:
            reports.append(
                evaluate_next_item(folder / "Beauty.txt", attributes, seed=seed, device=device, on_progress=Stages(bar))
            )
        _write(options.out, reports, "of ids alone (`--no-attributes`)" if options.no_attributes else "with attributes")


def _write(out: Path, reports: list[NextItemReport], what: str) -> None:
    """As they come. Args: what: the items are known by."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out.with_suffix(".json"), json.dumps(msgspec.to_builtins(reports), indent=2) + "\n")
    first = reports[0]
    rows = [f"| {name} | {hit:.4f} | {ndcg:.4f} | | |" for name, (hit, ndcg) in _PUBLISHED.items()]
    rows += [_row(f"Headrace, {name}", [getattr(report, name) for report in reports]) for name in _FITS]
    rows.append(_row("Headrace, strict, on the validation items", [report.validation for report in reports]))
    write_atomic(
        out.with_suffix(".md"),
        f"""# Next items on Amazon Beauty, {what}

{(__doc__ or "").split(chr(10), 2)[2].strip()}

{first.users:,} users, {first.items:,} items, {len(reports)} seeds on {first.device} ({first.cores} of 2 cores, x86-64
with AVX512-BF16; other work ran beside). Seconds of one seed, both fits and all measuring:
{", ".join(f"{r.seconds:.0f}" for r in reports)}. Epochs:
{", ".join(str(r.epochs) for r in reports)}. Settings: `{json.dumps(msgspec.to_builtins(first.config))}`.

| | HR@10 | NDCG@10 | sd of NDCG@10 | NDCG@10 of each seed |
|---|---|---|---|---|
{chr(10).join(rows)}

Published figures: as collected in the data's README, each from its paper or from a replication of it.

{beyond_markdown(first.beyond_accuracy)}

Of seed {first.seed}.
""",
    )


def _row(name: str, figures: list[dict[str, Any]]) -> str:
    ndcg = [f["ndcg@10"] for f in figures]
    hit = statistics.mean(f["hr@10"] for f in figures)
    spread = statistics.stdev(ndcg) if len(ndcg) > 1 else 0.0
    return (
        f"| {name} | {hit:.4f} | {statistics.mean(ndcg):.4f} | {spread:.4f} | {', '.join(f'{n:.4f}' for n in ndcg)} |"
    )


if __name__ == "__main__":
    main()
