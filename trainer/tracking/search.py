"""`headrace search`: settings of the behaviour model, chosen on the part of a stream that validates."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import optuna
import torch

from headrace.errors import ModelError
from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.next_item import fit_next_item
from trainer.data.popularity import measure_popularity
from trainer.data.shop import Shop, read_shop
from trainer.data.split import time_split
from trainer.text.encoder import load_text_model
from trainer.text.matching.item_tuning import Tuned, fine_tune
from trainer.text.matching.pairs import session_pairs
from trainer.tracking.provenance import fingerprint
from trainer.tracking.trials import Best, search
from trainer.train import make_model
from trainer.training_loop.complete import write_whole
from trainer.training_loop.device import leave_a_core, make_deterministic, pick_device
from trainer.training_loop.fit import OnProgress
from trainer.training_loop.run import Run, Watch

_WIDTHS: Final = (32, 64, 96, 128, 192)


def search_settings(
    stream: Path,
    study_file: Path,
    out: Path,
    *,
    trials: int,
    on_progress: OnProgress,
    device: str = "auto",
    seed: int = 0,
    text_encoder: str | None = None,
    epochs: int | None = None,
) -> Best:
    """Search, and write the best settings as `headrace train --settings` takes them.

    Every trial is the training of the next-item head as `headrace train` does it; its loss on what the split holds back
    decides. The text encoder is tuned once and shared.

    Args:
        out: JSON file for the best settings.
        trials: how many the study shall have in the end.
        epochs: at most, of a trial; None for the default of the settings.

    Raises:
        UsageError: no such stream, device or encoder; a study of another stream; a file that cannot be written.
        ModelError: the stream holds too little to learn from.
    """
    where = pick_device(device)
    make_deterministic(seed)
    leave_a_core()
    base = load_text_model(text_encoder, where)
    source = fingerprint(stream)
    shop = read_shop(stream, lambda n: on_progress("read", n, 0, "records"))
    pairs = session_pairs(shop.sequences, time_split(shop.sequences))
    tuned = fine_tune(base, shop.texts, pairs, seed, on_progress)
    start = BehaviourConfig() if epochs is None else BehaviourConfig(epochs=epochs)
    purpose = f"stream {source.sha256}, seed {seed}, text encoder {text_encoder}, epochs {start.epochs}"
    objective = _objective(shop, tuned, where, seed, start, on_progress)
    best = search(study_file, purpose, objective, trials, seed, lambda n, note: on_progress("trials", n, trials, note))
    settings = msgspec.structs.replace(start, **_fields(best.parameters))
    write_whole(out, msgspec.json.format(msgspec.json.encode(settings), indent=2) + b"\n")
    return best


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """What is searched, with its ranges."""
    return {
        "width": trial.suggest_categorical("width", _WIDTHS),
        "blocks": trial.suggest_int("blocks", 1, 3),
        "heads": trial.suggest_categorical("heads", (1, 2, 4)),
        "dropout": trial.suggest_float("dropout", 0.0, 0.6),
        "id_dropout": trial.suggest_float("id_dropout", 0.0, 0.4),
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-5, 0.3, log=True),
        "average": trial.suggest_categorical("average", (0.0, 0.99, 0.999)),
        "schedule": trial.suggest_categorical("schedule", ("plateau", "cosine")),
    }


def _fields(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name in BehaviourConfig.__struct_fields__}


def _objective(
    shop: Shop, tuned: Tuned, device: torch.device, seed: int, start: BehaviourConfig, on_progress: OnProgress
) -> Callable[[optuna.Trial], float]:
    sequences, wanted = shop.sequences, shop.sequences.wanted
    split = time_split(sequences)
    popularity = measure_popularity(sequences.item[wanted], sequences.time[wanted], len(shop.item_ids))

    def objective(trial: optuna.Trial) -> float:
        make_deterministic(seed)
        config = msgspec.structs.replace(start, **suggest(trial))
        model = make_model(shop, tuned, popularity, split, config).to(device)
        run = Run(watch=_pruning(trial))
        try:
            return fit_next_item(model, sequences, popularity, split, seed, on_progress, run=run).loss
        except ModelError as error:  # a loss that is not finite: settings that no training survives
            raise optuna.TrialPruned(str(error)) from error

    return objective


def _pruning(trial: optuna.Trial) -> Watch:
    """Report each epoch's loss; give up a trial that does worse than the median of those before it."""

    def watch(what: str, epoch: int, curves: Mapping[str, float]) -> None:
        trial.report(curves["validation_loss"], epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return watch
