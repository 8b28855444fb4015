"""`headrace train`: a recorded stream in, a folder with both trained models out."""

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from headrace.arrays import DEMAND_MODEL
from headrace.errors import TooLittleData, UsageError
from headrace.settings.model import load_settings
from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.items import ItemTable
from trainer.behaviour.model import ShopperModel
from trainer.behaviour.next_item import fit_next_item
from trainer.click.fit import ClickFit, fit_clicks
from trainer.data.popularity import Popularity, measure_popularity
from trainer.data.shop import Shop, read_shop
from trainer.data.split import seen_before, time_split
from trainer.demand.describing import TextVectors, made_already
from trainer.demand.train import train_demand
from trainer.evaluation.lists.repeats import bought_again, choose_level
from trainer.evaluation.recall import measure_next_item
from trainer.evaluation.repeat_purchase import choose_repurchase_boost
from trainer.pretrain.pretrain import INSTALLED
from trainer.pretrain.pretrained import Pretrained, read_pretrained
from trainer.pretrain.starting import fit_from
from trainer.publishing.export import export
from trainer.publishing.reference import references
from trainer.publishing.serving import Trained, assemble
from trainer.text.encoder import embed, load_text_model, require_text_model
from trainer.text.matching.item_tuning import Tuned, fine_tune
from trainer.text.matching.pairs import session_pairs
from trainer.tracking.card import CARD, METRICS, Metrics, figures, write_card
from trainer.tracking.facts import Facts
from trainer.tracking.provenance import Source, code_version, fingerprint, machine
from trainer.training_loop.device import leave_a_core, make_deterministic, pick_device
from trainer.training_loop.fit import Fitted, OnProgress
from trainer.training_loop.processes import joined, processes
from trainer.training_loop.resuming import Identity, drop_checkpoints, open_checkpoints
from trainer.training_loop.run import Run


class Fit(NamedTuple):
    """A fitted shopper model, and what was fitted on the way to it."""

    model: ShopperModel
    tuned: Tuned
    popularity: Popularity
    split: int
    next_item: Fitted
    clicks: ClickFit | None


def train(
    stream: Path,
    out: Path,
    *,
    window_ms: int,
    horizon: int,
    on_progress: OnProgress,
    device: str = "auto",
    seed: int = 0,
    timezone: str = "UTC",
    text_encoder: str | None = None,
    settings: BehaviourConfig | None = None,
    resume: bool = False,
    pretrained: Path | None = None,
) -> Metrics | None:
    """Train both models and write them to `out`.

    Args:
        window_ms: length of a demand window.
        horizon: windows of demand forecast at once.
        device: auto, cpu or cuda.
        timezone: where demand windows of whole days begin.
        text_encoder: a Hugging Face name or a folder; None for the installed one.
        settings: of the behaviour model; None for the defaults, or for those that `pretrained` was made with.
        resume: go on from the checkpoints in `out`, if there are any.
        pretrained: a file that `headrace pretrain` wrote, to start from.

    Returns:
        metrics: None in all processes but the first of those that `torchrun` started.

    Raises:
        UsageError: no such stream, device or encoder, a folder that cannot be written, checkpoints of another run.
        ModelError: the stream holds too little to learn from, or a disk is full.
    """
    from trainer.tracking.tracking import tracked

    began, where = time.monotonic(), pick_device(device)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}") from error
    require_text_model(text_encoder)
    source, encoder = fingerprint(stream), text_encoder or INSTALLED
    start = None if pretrained is None else read_pretrained(pretrained)
    config = settings or (start.settings if start else BehaviourConfig())
    if start is not None:
        start.check(config, encoder)
    with joined(where) as here:
        as_read_back = msgspec.json.decode(msgspec.json.encode(config))
        if pretrained is not None:
            as_read_back["pretrained"] = fingerprint(pretrained).sha256
        identity = Identity(source.sha256, seed, encoder, here.world, as_read_back)
        checkpoints = open_checkpoints(out, identity, resume)
        shop = read_shop(stream, lambda n: on_progress("read", n, 0, "records"))
        if not here.first:
            fit_shopper_model(shop, where, seed, text_encoder, _no_progress, config, Run(checkpoints), start)
            return None
        parameters = {**identity.settings, "seed": seed, "text_encoder": identity.text_encoder, "processes": here.world}
        with tracked(load_settings().home, out, stream.name, parameters, _tags(source, shop)) as tracker:
            run = Run(checkpoints, tracker)
            fit = fit_shopper_model(shop, where, seed, text_encoder, on_progress, config, run, start)
            metrics = _finish(fit, shop, out)[1]
            vectors = _item_vectors(shop, fit.tuned, where)
            metrics.demand = _train_demand(
                stream, out, window_ms, timezone, horizon, vectors, str(where), seed, on_progress
            )
            metrics.trained_at = datetime.now(UTC).isoformat(timespec="seconds")
            metrics.run = _facts(shop, fit, source, identity, machine(where), time.monotonic() - began, tracker.run_id)
            write_card(out, metrics)
            tracker.results(figures(metrics), [out / CARD, out / METRICS])
    drop_checkpoints(out)
    return metrics


def train_shopper_model(
    shop: Shop,
    out: Path | None,
    device: torch.device,
    seed: int,
    text_encoder: str | None,
    on_progress: OnProgress,
    config: BehaviourConfig | None = None,
) -> tuple[Trained, Metrics]:
    """Fit the shopper model and measure it; export it where `out` is given."""
    fit = fit_shopper_model(shop, device, seed, text_encoder, on_progress, config or BehaviourConfig(), Run())
    return _finish(fit, shop, out)


def fit_shopper_model(
    shop: Shop,
    device: torch.device,
    seed: int,
    text_encoder: str | None,
    on_progress: OnProgress,
    config: BehaviourConfig,
    run: Run,
    start: Pretrained | None = None,
) -> Fit:
    """Fit text encoder, next-item head and click head, one after the other.

    A model that starts from a pretrained one keeps the text encoder as it is: the projection was learnt over it.
    """
    make_deterministic(seed)
    leave_a_core()
    sequences, wanted = shop.sequences, shop.sequences.wanted
    split = time_split(sequences)
    base = load_text_model(text_encoder, device)
    pairs = session_pairs(sequences, split)
    tuned = fine_tune(
        base, shop.texts, pairs if start is None else pairs._replace(train=pairs.train[:0]), seed, on_progress
    )
    popularity = measure_popularity(sequences.item[wanted], sequences.time[wanted], len(shop.item_ids))
    model = make_model(shop, tuned, popularity, split, config).to(device)
    if start is None:
        next_item = fit_next_item(model, sequences, popularity, split, seed, on_progress, run=run)
    else:
        next_item = fit_from(start, model, sequences, popularity, split, seed, on_progress, run=run)
    clicks = fit_clicks(model, shop.item_hash, shop.impressions, split, seed, on_progress, run=run)
    return Fit(model, tuned, popularity, split, next_item, clicks)


def make_model(shop: Shop, tuned: Tuned, popularity: Popularity, split: int, config: BehaviourConfig) -> ShopperModel:
    """A model with random weights for the items of a shop."""
    seen = torch.from_numpy(seen_before(shop.sequences, split, len(shop.item_ids)))
    items = ItemTable(seen, config.width, config.id_dropout, text_NT=tuned.vectors.cpu())
    return ShopperModel(config, items, torch.from_numpy(popularity.log_PSN))


def _finish(fit: Fit, shop: Shop, out: Path | None) -> tuple[Trained, Metrics]:
    """Measure, and export where `out` is given."""
    trained = assemble(fit.model, fit.tuned.model.encoder, shop, fit.clicks)
    as_of_split = int(fit.popularity.step(np.array([fit.split]))[0])
    trained = trained.with_repurchase_boost(choose_repurchase_boost(trained.as_of(as_of_split), shop, fit.split))
    level = choose_level(trained.as_of(as_of_split), shop, fit.split)
    trained = trained.with_repeats(bought_again(shop, level))
    if level is None:  # a shopper's own items are those that they looked at, which may be worth another weight
        trained = trained.with_repurchase_boost(choose_repurchase_boost(trained.as_of(as_of_split), shop, fit.split))
    recall = measure_next_item(trained.as_of(as_of_split), shop, fit.split)
    metrics = Metrics.of(shop, fit.tuned, fit.next_item, fit.clicks, recall)
    if out is not None:
        export(trained, fit.tuned.model, references(trained, fit.tuned.model, shop), out)
    return trained, metrics


def _item_vectors(shop: Shop, tuned: Tuned, device: torch.device) -> TextVectors:
    """The shared encoder's vectors of item texts; most of them it has made before."""
    encoder = tuned.model.encoder.to(device)
    model = tuned.model._replace(encoder=encoder)
    known = dict(zip(shop.texts, tuned.vectors.cpu().numpy(), strict=True))
    return made_already(known, lambda texts: embed(model, list(texts), device, lambda _: None).cpu().numpy())


def _train_demand(
    stream: Path,
    out: Path,
    window_ms: int,
    timezone: str,
    horizon: int,
    vectors: TextVectors,
    device: str,
    seed: int,
    on_progress: OnProgress,
) -> dict[str, float] | None:
    """None where the stream is too short for it; the shopper model is of use without."""
    try:
        return train_demand(
            stream,
            out,
            window_ms=window_ms,
            horizon=horizon,
            vectors=vectors,
            device=device,
            seed=seed,
            timezone=timezone,
            on_progress=lambda note: on_progress("demand", 0, 0, note),
        )
    except TooLittleData as error:
        on_progress("demand", 0, 0, str(error))
        shutil.rmtree(out / DEMAND_MODEL, ignore_errors=True)  # of an earlier training
        return None


def _facts(
    shop: Shop, fit: Fit, source: Source, identity: Identity, where: str, seconds: float, tracked_as: str
) -> Facts:
    when = shop.sequences.time
    return Facts(
        source=source,
        first=int(when.min()),
        last=int(when.max()),
        split=fit.split,
        training_events=int((when < fit.split).sum()),
        held_back_events=int((when >= fit.split).sum()),
        seed=identity.seed,
        settings=identity.settings,
        text_encoder=identity.text_encoder,
        code=code_version(),
        machine=where,
        processes=identity.processes,
        seconds=seconds,
        tracked_as=tracked_as,
    )


def _tags(source: Source, shop: Shop) -> dict[str, str]:
    """What the tracked run is found by: the data's fingerprint and counts, and the code's version."""
    return {
        "stream.sha256": source.sha256,
        "stream.bytes": str(source.bytes),
        "stream.events": str(shop.events),
        "stream.items": str(len(shop.item_ids)),
        "stream.shoppers": str(len(shop.sequences.start) - 1),
        "code": code_version(),
        "processes": str(processes().world),
    }


def _no_progress(what: str, done: int, total: int, note: str) -> None:
    """Progress of the processes that nobody watches."""
