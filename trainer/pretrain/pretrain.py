"""`headrace pretrain`: a recorded stream in, an encoder that another shop can start from out."""

import time
from pathlib import Path

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.items import ItemTable
from trainer.behaviour.model import ShopperModel
from trainer.data.popularity import measure_popularity
from trainer.data.shop import Shop, read_shop
from trainer.data.split import time_split
from trainer.pretrain.fitting import Objectives
from trainer.pretrain.objectives import Losses
from trainer.pretrain.pretrained import Pretrained
from trainer.text.encoder import embed, load_text_model
from trainer.tracking.provenance import fingerprint
from trainer.training_loop.device import leave_a_core, make_deterministic, pick_device
from trainer.training_loop.fit import OnProgress

INSTALLED = "installed"
"""The name that stands for the text encoder installed with Headrace."""


class PretrainReport(Struct):
    """What `headrace pretrain` prints. Losses are on the last tenth of the stream, which was not learnt from."""

    events: int
    items: int
    shoppers: int
    before: dict[str, float]
    after: dict[str, float]
    epochs: int
    seconds: float


def pretrain(
    stream: Path,
    out: Path,
    *,
    on_progress: OnProgress,
    device: str = "auto",
    seed: int = 0,
    text_encoder: str | None = None,
    settings: BehaviourConfig | None = None,
) -> PretrainReport:
    """Pre-train on a stream and write the file.

    Raises:
        UsageError: no such stream, device or encoder.
        ModelError: the stream holds too little to learn from, or the file cannot be written.
    """
    began, where = time.monotonic(), pick_device(device)
    make_deterministic(seed)
    leave_a_core()
    base = load_text_model(text_encoder, where)
    source = fingerprint(stream)
    shop = read_shop(stream, lambda n: on_progress("read", n, 0, "records"))
    text_NT = embed(base, shop.texts, where, lambda n: on_progress("text vectors", n, len(shop.texts), ""))
    pretrained, report = pretrain_on(
        shop, text_NT, text_encoder or INSTALLED, settings or BehaviourConfig(), seed, on_progress
    )
    pretrained._replace(source=msgspec.to_builtins(source)).save(out)
    report.seconds = round(time.monotonic() - began, 1)
    return report


def pretrain_on(
    shop: Shop, text_NT: Tensor, text_encoder: str, config: BehaviourConfig, seed: int, on_progress: OnProgress
) -> tuple[Pretrained, PretrainReport]:
    """Pre-train on a shop whose items are known by their texts alone, since ids do not travel."""
    began, sequences = time.monotonic(), shop.sequences
    split, wanted = time_split(sequences), sequences.wanted
    popularity = measure_popularity(sequences.item[wanted], sequences.time[wanted], len(shop.item_ids))
    items = ItemTable(torch.zeros(len(text_NT), dtype=torch.bool), config.width, 0.0, text_NT=text_NT.cpu())
    model = ShopperModel(config, items, torch.from_numpy(popularity.log_PSN)).to(text_NT.device).eval()
    objectives = Objectives(model, sequences, popularity, split)
    before = _figures(objectives.validate(seed))
    fitted = objectives.fit(seed, on_progress)
    report = PretrainReport(
        events=len(sequences.item),
        items=len(shop.item_ids),
        shoppers=len(sequences.start) - 1,
        before=before,
        after=_figures(objectives.validate(seed)),
        epochs=fitted.epochs,
        seconds=round(time.monotonic() - began, 1),
    )
    return Pretrained.of(model, text_encoder, {}), report


def _figures(losses: Losses) -> dict[str, float]:
    return {name: round(float(loss), 4) for name, loss in losses._asdict().items()}
