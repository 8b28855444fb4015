"""The text encoder on BANKING77, CLINC150, SST-2 and Abt-Buy, by the same code as `headrace evaluate`.

    python -m benchmarks.text_tasks [--parts banking77,banking77-lora,…] [--seeds 1]

Each part learns from training rows, chooses its epoch on validation rows, and scores the test rows once. Parts that
are not asked for keep the figures of the last run.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from headrace.files.atomic import write_atomic
from headrace.settings.model import settings
from streams.operations.console import progress
from trainer.progress import Stages
from trainer.text.encoder import load_text_model
from trainer.text.evaluation import MOST_TOKENS, evaluate_few_shot, evaluate_task
from trainer.text.finetuning.adaptation import Method
from trainer.text.finetuning.finetuning import LEARNING_RATES, Recipe
from trainer.text.labelled import read_labelled
from trainer.text.matching.matching import MOST_TOKENS as MATCHING_TOKENS
from trainer.text.matching.matching import evaluate_matching
from trainer.text.matching.shop import read_shops
from trainer.text.tasks import public_task
from trainer.training_loop.device import pick_device, use_cores
from trainer.training_loop.fit import OnProgress

_OUT: Final = Path("benchmarks/results/text_tasks.json")
_MACHINE: Final = "2 cores, x86-64 with AVX512-BF16, no GPU"


def main() -> None:
    """Run the parts and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(_PARTS))
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    cores = use_cores()
    for part in options.parts.split(","):
        runs: list[dict[str, Any]] = []
        for seed in range(options.seeds):
            with progress() as bar:
                runs.append(msgspec.to_builtins(_PARTS[part](seed, Stages(bar))) | {"cores": cores})
            _keep(part, runs)


def _classify(
    name: str, method: Method, epochs: int, batch: int = 64, agreement: float = 0.0
) -> Callable[[int, OnProgress], object]:
    def run(seed: int, on_progress: OnProgress) -> object:
        model = load_text_model(None, pick_device("auto"), MOST_TOKENS)
        recipe = Recipe(LEARNING_RATES[method], epochs, batch=batch, agreement=agreement)
        return evaluate_task(model, public_task(name, settings().data, seed), method, recipe, seed, on_progress)[0]

    return run


def _match(method: Method) -> Callable[[int, OnProgress], object]:
    def run(seed: int, on_progress: OnProgress) -> object:
        folder = settings().data / "matching/abt_buy"
        shops = read_shops(*(folder / f"{name}clean.csv" for name in ("abt", "buy", "gt")))
        model = load_text_model(None, pick_device("auto"), MATCHING_TOKENS)
        return evaluate_matching(model, shops, 0.5, method, 4, seed, on_progress)

    return run


def _few(seed: int, on_progress: OnProgress) -> object:
    folder = settings().data / "support/banking77"
    rows = read_labelled(folder / "train.csv")
    test = read_labelled(folder / "test.csv", rows.classes)
    model = load_text_model(None, pick_device("auto"), MOST_TOKENS)
    return evaluate_few_shot(model, rows, test, 8, Method.FULL, seed, on_progress)[0]


_PARTS: Final[dict[str, Callable[[int, OnProgress], object]]] = {
    "banking77": _classify("banking77", Method.FULL, 6, agreement=1.0),
    "banking77-no-agreement": _classify("banking77", Method.FULL, 6),
    "banking77-lora": _classify("banking77", Method.LORA, 6),
    "banking77-frozen": _classify("banking77", Method.FROZEN, 1),
    "clinc150": _classify("clinc150", Method.FULL, 4),
    "sst2": _classify("sst2", Method.FULL, 4, batch=32, agreement=1.0),
    "sst2-short": _classify("sst2", Method.FULL, 2, agreement=1.0),
    "abt-buy": _match(Method.FULL),
    "banking77-few-shot": _few,
}


def _keep(part: str, runs: list[dict[str, Any]]) -> None:
    found: dict[str, Any] = json.loads(_OUT.read_text()) if _OUT.exists() else {}
    found["machine"] = _MACHINE
    found[part] = {"command": f"python -m benchmarks.text_tasks --parts {part} --seeds {len(runs)}", "runs": runs}
    write_atomic(_OUT, json.dumps(found, indent=2) + "\n")
    write_atomic(_OUT.with_suffix(".md"), _page(found))


def _page(found: dict[str, Any]) -> str:
    lines = [_line(part, run) for part in _PARTS if part in found for run in found[part]["runs"]]
    return f"""# The text encoder on public tasks

`python -m benchmarks.text_tasks`; {found["machine"]}. Encoder: all-MiniLM-L6-v2, 22.7 million parameters.

| part | seed | test | trainable | epochs | seconds | cores |
|---|---|---|---|---|---|---|
{chr(10).join(lines)}
"""


def _line(part: str, run: dict[str, Any]) -> str:
    match run:
        case {"frozen": frozen, "tuned": tuned}:
            test = "; ".join(
                f"{direction} recall@1 {frozen[direction]['at_1']:.4f} frozen, {tuned[direction]['at_1']:.4f} tuned"
                for direction in frozen
            )
        case {"shots": shots, "accuracy": accuracies}:
            each = ", ".join(f"{name} {value:.4f}" for name, value in accuracies.items())
            test = f"accuracy with {shots} a class: {each}"
        case {"oos_auroc": float(auroc), "accuracy": accuracy}:
            test = f"accuracy {accuracy:.4f}; out of scope AUROC {auroc:.4f} ({run['oos_score']})"
        case _:
            test = f"accuracy {run['accuracy']:.4f} (validation {run['valid_accuracy']:.4f})"
    share = f"{run['trainable_share']:.2%}" if "trainable_share" in run else ""
    figures = [part, run["seed"], test, share, run.get("epochs", ""), round(run["seconds"]), run["cores"]]
    return f"| {' | '.join(map(str, figures))} |"


if __name__ == "__main__":
    main()
