"""A model that starts from another shop against one that starts from nothing, on few and on many shoppers.

    python -m benchmarks.transfer [--source simulated|online-retail] [--seeds 3] [--shops FOLDER]

The source shop is pre-trained on without labels. The target shop has other items, known to the pretrained encoder by
their texts alone. Of its shoppers with two events or more, 1 %, 10 % or all are learnt from, up to the last tenth of
its time; for every shopper, known or not, the next wanted item in that last tenth must be found among all items but
the one at hand. All contestants see the same texts, read by the installed encoder as it is, and fit by the same
settings; each tries every learning rate and keeps what its own validation part, the last tenth of what it learns from,
finds best. What starts pre-trained first leaves encoder and projection as they are, then fits everything more slowly.
The line for 0 % fits nothing: it only counts popularity among the 1 %.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from msgspec.structs import replace
from torch import Tensor

from headrace.files.atomic import write_atomic
from headrace.settings.model import settings
from streams.recordings.importing.online_retail import import_online_retail
from streams.recordings.simulation.simulate import Plan, simulate
from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.items import ItemTable
from trainer.behaviour.model import ShopperModel
from trainer.behaviour.next_item import fit_next_item
from trainer.data.popularity import measure_popularity
from trainer.data.score_requests import Case, request_of
from trainer.data.shop import Sequences, Shop, read_shop
from trainer.data.split import seen_before, time_split
from trainer.evaluation.moments import next_item_cases
from trainer.evaluation.ranking import Ints, accuracy_of_ranks, pessimistic_ranks
from trainer.pretrain.pretrain import INSTALLED, pretrain_on
from trainer.pretrain.pretrained import Pretrained
from trainer.pretrain.starting import fit_from
from trainer.text.encoder import embed, load_text_model
from trainer.training_loop.device import leave_a_core, make_deterministic

_OUT: Final = Path("benchmarks/results/transfer.json")
_MACHINE: Final = "2 cores, x86-64 with AVX512-BF16, no GPU; one core used"
_RETAIL: Final = "online_retail/online_retail_2010-12_2011-08.csv.xz"
_CONFIG: Final = BehaviourConfig(patience=5)
_RATES: Final = (3e-3, 1e-3)
_SHARES: Final = (0.01, 0.1, 1.0)
_MOST_CASES: Final = 2_000
_SIZE: Final = {"users": 600, "items": 300, "days": 14}


class Side(NamedTuple):
    """A shop and what the text encoder makes of its items."""

    shop: Shop
    text: Tensor  # [N, T]


class TransferCase(NamedTuple):
    """Moments of the target shop's last part, and the rows of the items wanted then."""

    since: int
    cases: list[Case]
    target: Ints


class Found(NamedTuple):
    """A fitted model, how it validates, and how it was fitted."""

    model: ShopperModel
    loss: float
    rate: float


def main() -> None:
    """Pre-train, start both ways at each share and seed, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", choices=("simulated", "online-retail"), default="simulated")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shops", type=Path, help="where the shops' streams are kept from run to run")
    options = parser.parse_args()
    leave_a_core()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as fresh:
        folder = options.shops or Path(fresh)
        source = _side(_SOURCES[options.source], folder / f"{options.source}.jsonl")
        target = _side(_simulated(102), folder / "target.jsonl")
    transfer_case = _set(target.shop)
    runs: list[dict[str, Any]] = []
    starts = [_pretrain(source, seed) for seed in range(options.seeds)]
    for share in _SHARES:  # the small shares first, since each result is kept as it comes
        for seed, pretrained in enumerate(starts):
            runs += _compete(target, transfer_case, pretrained, share, seed)
            _keep(options, runs, len(transfer_case.cases), time.monotonic() - began)


def _pretrain(source: Side, seed: int) -> Pretrained:
    make_deterministic(seed)
    pretrained, report = pretrain_on(source.shop, source.text, INSTALLED, _CONFIG, seed, _no_progress)
    print(f"seed {seed}: pre-trained in {report.seconds} s, {report.after}", flush=True)
    return pretrained


def _simulated(seed: int) -> Callable[[Path], object]:
    return lambda path: simulate(Plan(**_SIZE, seed=seed), path)


def _online_retail(path: Path) -> object:
    return import_online_retail(settings().data / _RETAIL, path)


_SOURCES: Final = {"simulated": _simulated(101), "online-retail": _online_retail}


def _side(make: Callable[[Path], object], stream: Path) -> Side:
    if not stream.exists():
        make(stream)
    shop, cpu = read_shop(stream, lambda _: None), torch.device("cpu")
    return Side(shop, embed(load_text_model(None, cpu), shop.texts, cpu, lambda _: None))


def _set(shop: Shop) -> TransferCase:
    since = time_split(shop.sequences)
    cases = next_item_cases(shop, since)
    cases = cases[:: max(1, -(-len(cases) // _MOST_CASES))]
    wanted = np.array([next(iter(case.relevant)) for case in cases], np.int64)
    return TransferCase(since, cases, np.searchsorted(shop.item_hash, wanted))


def _compete(
    target: Side, transfer_case: TransferCase, pretrained: Pretrained, share: float, seed: int
) -> list[dict[str, Any]]:
    sequences = _some(target.shop.sequences, share, transfer_case.since, seed)
    runs: list[dict[str, Any]] = []
    for name, start in {"from scratch": None, "pre-trained": pretrained}.items():
        tried = [_fit(target, sequences, start, rate, seed) for rate in _RATES]
        best = min(tried, key=lambda found: found.loss)
        runs.append({"start": name, "share": share, "seed": seed} | _facts(best))
        runs[-1]["tried"] = [_facts(found) for found in tried]
        runs[-1] |= {"shoppers": len(sequences.start) - 1, "events": len(sequences.item)} | _score(
            best.model, target, transfer_case
        )
        print(runs[-1], flush=True)
    if share == _SHARES[0]:
        alone = _model(target, sequences, _CONFIG).eval()
        pretrained.start(alone)
        runs.append(
            {"start": "pre-trained, nothing learnt", "share": 0.0, "seed": seed} | _score(alone, target, transfer_case)
        )
        print(runs[-1], flush=True)
    return runs


def _facts(found: Found) -> dict[str, Any]:
    return {"valid_loss": round(found.loss, 4), "rate": found.rate}


def _some(sequences: Sequences, share: float, until: int, seed: int) -> Sequences:
    """A share of the shoppers with two events or more, and of their events those before `until` (ms)."""
    shoppers = len(sequences.start) - 1
    several = np.random.default_rng(seed).permutation(np.flatnonzero(np.diff(sequences.start) > 1))
    chosen = several[: max(1, round(share * len(several)))]
    owner = np.repeat(np.arange(shoppers), np.diff(sequences.start))
    kept = np.isin(owner, chosen) & (sequences.time < until)
    lengths = np.bincount(owner[kept], minlength=shoppers)
    start = np.cumsum([0, *lengths[lengths > 0]])
    channel = None if sequences.channel is None else sequences.channel[kept]
    return Sequences(sequences.item[kept], sequences.action[kept], sequences.time[kept], start, channel)


def _fit(target: Side, sequences: Sequences, start: Pretrained | None, rate: float, seed: int) -> Found:
    make_deterministic(seed)
    model = _model(target, sequences, replace(_CONFIG, learning_rate=rate))
    wanted = sequences.wanted
    popularity = measure_popularity(sequences.item[wanted], sequences.time[wanted], len(target.shop.item_ids))
    arguments = (model, sequences, popularity, time_split(sequences), seed, _no_progress)
    fitted = fit_next_item(*arguments) if start is None else fit_from(start, *arguments)
    return Found(model, fitted.loss, rate)


def _model(target: Side, sequences: Sequences, config: BehaviourConfig) -> ShopperModel:
    count, wanted = len(target.shop.item_ids), sequences.wanted
    popularity = measure_popularity(sequences.item[wanted], sequences.time[wanted], count)
    seen = torch.from_numpy(seen_before(sequences, time_split(sequences), count))
    items = ItemTable(seen, config.width, config.id_dropout, text_NT=target.text)
    return ShopperModel(config, items, torch.from_numpy(popularity.log_PSN))


@torch.inference_mode()
def _score(model: ShopperModel, target: Side, transfer_case: TransferCase) -> dict[str, float]:
    tensors = request_of(target.shop, transfer_case.cases, model.config.width)
    row = np.searchsorted(target.shop.item_hash, tensors.history_item).clip(max=len(target.shop.item_hash) - 1)
    table = model.items()
    user = model.user_vectors(
        torch.from_numpy(row), torch.from_numpy(tensors.history_action), torch.from_numpy(tensors.history_time), table
    )
    score = (model.encoder.action_heads.combined(user[:, -1]) @ table.T + model.bias_now()).numpy()
    score[np.arange(len(score)), row[:, -1]] = -np.inf
    ranks = pessimistic_ranks(score, transfer_case.target)
    return {
        "ndcg@10": round(accuracy_of_ranks(ranks, 10).ndcg, 4),
        "recall@20": round(accuracy_of_ranks(ranks, 20).recall, 4),
    }


def _keep(options: argparse.Namespace, runs: list[dict[str, Any]], cases: int, seconds: float) -> None:
    found: dict[str, Any] = json.loads(_OUT.read_text()) if _OUT.exists() else {}
    found |= {"machine": _MACHINE, "target": {**_SIZE, "seed": 102}}
    command = f"python -m benchmarks.transfer --source {options.source} --seeds {options.seeds}"
    found[options.source] = {"command": command, "cases": cases, "seconds": round(seconds), "runs": runs}
    write_atomic(_OUT, json.dumps(found, indent=2) + "\n")
    write_atomic(_OUT.with_suffix(".md"), _page(found))


def _page(found: dict[str, Any]) -> str:
    sections = "\n".join(_section(name, found[name]) for name in _SOURCES if name in found)
    about = (__doc__ or "").split("\n", 4)[4].strip()
    return f"""# Starting one shop from another

{about}

Target: simulated, {found["target"]}. {found["machine"]}. Learning rates tried: {_RATES}. Mean ± standard deviation.
{sections}"""


def _section(source: str, part: dict[str, Any]) -> str:
    groups: dict[tuple[float, str], list[dict[str, Any]]] = {}
    for run in part["runs"]:
        groups.setdefault((run["share"], run["start"]), []).append(run)
    rows = "\n".join(
        f"| {share:.0%} | {start} | {len(some)} | {_spread(some, 'ndcg@10')} | {_spread(some, 'recall@20')} |"
        for (share, start), some in sorted(groups.items())
    )
    return f"""
## Source: {source}
`{part["command"]}`: {part["cases"]:,} moments, {part["seconds"]:,} s.

| shoppers learnt from | start | seeds | NDCG@10 | Recall@20 |
|---|---|---|---|---|
{rows}
"""


def _spread(runs: list[dict[str, Any]], figure: str) -> str:
    values = [run[figure] for run in runs]
    return f"{np.mean(values):.4f} ± {np.std(values):.4f}"


def _no_progress(what: str, done: int, total: int, note: str) -> None:
    """Progress that nobody watches."""


if __name__ == "__main__":
    main()
