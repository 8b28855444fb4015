"""`headrace train`: a recorded stream in, a folder with both trained models out."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from streams.errors import ModelError, UsageError
from streams.messages.wire import DEMAND_MODEL, MODEL
from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.items import ItemTable
from trainer.behaviour.model import ShopperModel
from trainer.behaviour.next_item import fit_next_item
from trainer.click.fit import fit_clicks
from trainer.data.popularity import measure_popularity
from trainer.data.shop import Shop, read_shop
from trainer.demand.train import train_demand
from trainer.measure.recall import measure_next_item
from trainer.practice.card import Metrics, write_card
from trainer.practice.device import make_deterministic, pick_device
from trainer.practice.fit import Tell
from trainer.publishing.export import add_serving_code, export
from trainer.publishing.reference import references
from trainer.publishing.serving import Trained, assemble
from trainer.text.encoder import load_text_model
from trainer.text.item_tuning import Tuned, fine_tune
from trainer.text.pairs import session_pairs

_TRAINED_ON = 0.9
"""Share of wanted events, oldest first, that is learnt from; the rest decides when to stop."""


def train(
    stream: Path,
    out: Path,
    *,
    window_ms: int,
    tell: Tell,
    device: str = "auto",
    seed: int = 0,
    text_encoder: str | None = None,
) -> Metrics:
    """Train both models and write them to `out`.

    Args:
        window_ms: length of a demand window.
        device: auto, cpu or cuda.
        text_encoder: a Hugging Face name or a folder; None for the installed one.

    Raises:
        UsageError: no such stream, device or encoder, or a folder that cannot be written.
        ModelError: the stream holds too little to learn from.
    """
    where = pick_device(device)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}") from error
    shop = read_shop(stream, lambda n: tell("read", n, 0, "records"))
    _, metrics = train_shopper_model(shop, out, where, seed, text_encoder, tell)
    metrics.demand = _train_demand(stream, out, window_ms, str(where), seed, tell)
    metrics.trained_at = datetime.now(UTC).isoformat(timespec="seconds")
    write_card(out, metrics)
    return metrics


def train_shopper_model(
    shop: Shop, out: Path | None, device: torch.device, seed: int, text_encoder: str | None, tell: Tell
) -> tuple[Trained, Metrics]:
    """Fit the shopper model; export it where `out` is given."""
    make_deterministic(seed)
    # Two threads that wait for one core cost ten times what one thread costs: leave a core to everything else.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) - 1))
    sequences, wanted = shop.sequences, shop.sequences.wanted
    if not wanted.any():
        raise ModelError("the stream holds no view, click, add_to_cart or purchase; train on one that does")
    split = int(np.quantile(sequences.time[wanted], _TRAINED_ON))
    base = load_text_model(text_encoder, device)
    tuned = fine_tune(base, shop.texts, session_pairs(sequences, split), seed, tell)
    popularity = measure_popularity(sequences.item[wanted], sequences.time[wanted], len(shop.item_ids))
    model = _model(shop, tuned, popularity.log_PSN, device)
    fitted = fit_next_item(model, sequences, popularity, split, seed, tell)
    clicks = fit_clicks(model, shop.item_hash, shop.impressions, seed, tell)
    trained = assemble(model, tuned.model.encoder, shop, clicks)
    as_of_split = int(popularity.step(np.array([split]))[0])
    recall = measure_next_item(trained.as_of(as_of_split), shop, split)
    metrics = Metrics.of(shop, tuned, fitted, clicks, recall)
    if out is not None:
        export(trained, tuned.model, references(trained, tuned.model, shop), out)
        add_serving_code(out / MODEL)
    return trained, metrics


def _model(shop: Shop, tuned: Tuned, log_popularity: np.ndarray, device: torch.device) -> ShopperModel:
    seen = np.bincount(shop.sequences.item, minlength=len(shop.item_ids)) > 0
    config = BehaviourConfig()
    items = ItemTable(torch.from_numpy(seen), config.width, config.id_dropout, text_NT=tuned.vectors.cpu())
    return ShopperModel(config, items, torch.from_numpy(log_popularity)).to(device)


def _train_demand(
    stream: Path, out: Path, window_ms: int, device: str, seed: int, tell: Tell
) -> dict[str, float] | None:
    """None where the stream is too short for it; the shopper model is of use without."""
    try:
        metrics = train_demand(
            stream, out, window_ms=window_ms, device=device, seed=seed, tell=lambda note: tell("demand", 0, 0, note)
        )
    except ModelError as error:
        tell("demand", 0, 0, str(error))
        shutil.rmtree(out / DEMAND_MODEL, ignore_errors=True)  # of an earlier training
        return None
    add_serving_code(out / DEMAND_MODEL)
    return metrics
