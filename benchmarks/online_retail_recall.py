"""Recall@20 on Online Retail's last month, held back, beside popularity.

    python -m benchmarks.online_retail_recall --out benchmarks/results/online_retail_recall

Trained on everything before 2011-08-01. `next_purchase`: after each purchase of August that another follows, the next
item bought must be among the 20; the item just bought is excluded, for popularity too. `next_basket`: before each
basket of August whose shopper has a past, what share of the basket is among the 20; nothing is excluded.
"""

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import torch

from streams.cli.models import Stages
from streams.cli.output import progress
from streams.recordings.importing.online_retail import import_online_retail
from streams.settings import settings
from trainer.data.shop import Shop, read_shop
from trainer.measure.moments import basket_cases, next_item_cases
from trainer.measure.recall import Recall, measure
from trainer.train import train_shopper_model

_SPLIT: Final = datetime(2011, 8, 1, tzinfo=UTC)
_SOURCE: Final = "online_retail/online_retail_2010-12_2011-08.csv.xz"


def main() -> None:
    """Import, train, measure, write OUT.json and OUT.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/online_retail_recall"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before, everything = (_import(Path(folder), until) for until in (_SPLIT, None))
    began = time.monotonic()
    with progress() as bar:
        trained, _ = train_shopper_model(before, None, torch.device("cpu"), options.seed, None, Stages(bar))
    seconds = time.monotonic() - began
    split = int(_SPLIT.timestamp() * 1000)
    cases = {"next_purchase": next_item_cases(everything, split), "next_basket": basket_cases(everything, split)}
    results = {name: measure(trained, everything, some, split) for name, some in cases.items()}
    _write(options.out, results, before.events, seconds)


def _import(folder: Path, until: datetime | None) -> Shop:
    out = folder / "stream.jsonl"
    import_online_retail(settings().data / _SOURCE, out, until=until)
    return read_shop(out, lambda _: None)


def _write(out: Path, results: dict[str, Recall], events: int, seconds: float) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    found = {"events": events, "training_seconds": round(seconds, 1), "recall@20": msgspec.to_builtins(results)}
    out.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    rows = "\n".join(
        f"| {name} | {r.cases:,} | {r.model:.4f} | {r.popular:.4f} | {r.popular_lately:.4f} "
        f"| {r.model / r.popular:.2f} |"
        for name, r in results.items()
    )
    out.with_suffix(".md").write_text(
        f"""# Recall@20 on Online Retail's last month

{(__doc__ or "").split(chr(10), 2)[2].strip()}

Trained on {events:,} events in {seconds:.0f} s on one core.

| task | cases | Headrace | most popular | most popular of the last 31 days | Headrace ÷ most popular |
|---|---|---|---|---|---|
{rows}
"""
    )


if __name__ == "__main__":
    main()
