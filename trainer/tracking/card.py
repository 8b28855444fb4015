"""The model card: what was trained, on what, how it measures, where it is weak. For people, and as JSON."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from trainer.click.fit import ClickFit
from trainer.data.shop import Shop
from trainer.evaluation.recall import Recall
from trainer.evaluation.tables import beyond_markdown
from trainer.text.matching.item_tuning import Tuned
from trainer.tracking.facts import Facts, facts_markdown
from trainer.training_loop.complete import write_whole
from trainer.training_loop.fit import Fitted

CARD: Final = "model_card.md"
METRICS: Final = "metrics.json"


class TextMetrics(Struct):
    """Share of held-back item pairs that each encoder finds among the 20 nearest."""

    kept: str  # "fine-tuned" or "pretrained"
    pretrained_recall: float
    fine_tuned_recall: float


class ClickMetrics(Struct):
    """On the impressions that the split holds back."""

    rows: int
    held_back_rows: int
    log_loss: float
    item_rate_log_loss: float
    uncalibrated_log_loss: float
    ece: float  # expected calibration error, 15 bins of equal width
    ece_equal_mass: float  # of equally many rows


class Metrics(Struct):
    """Everything that a training run measured."""

    events: int
    refused: int
    items: int
    shoppers: int
    next_item_loss: float
    next_item_epochs: int
    recall_at_20: Recall
    text: TextMetrics
    click: ClickMetrics | None
    demand: dict[str, float] | None = None
    trained_at: str = ""
    run: Facts | None = None

    @classmethod
    def of(cls, shop: Shop, tuned: Tuned, fitted: Fitted, clicks: ClickFit | None, recall: Recall) -> "Metrics":
        """Gather what each part reports."""
        return cls(
            events=shop.events,
            refused=shop.refused,
            items=len(shop.item_ids),
            shoppers=len(shop.sequences.start) - 1,
            next_item_loss=fitted.loss,
            next_item_epochs=fitted.epochs,
            recall_at_20=recall,
            text=TextMetrics("fine-tuned" if tuned.kept else "pretrained", tuned.frozen_recall, tuned.tuned_recall),
            click=None if clicks is None else _of_clicks(clicks),
        )


def write_card(out: Path, metrics: Metrics) -> None:
    """Write `model_card.md` and `metrics.json`.

    Raises:
        ModelError: the disk refuses.
    """
    write_whole(out / METRICS, msgspec.json.format(msgspec.json.encode(metrics), indent=2) + b"\n")
    write_whole(out / CARD, render(metrics).encode())


def figures(metrics: Metrics) -> dict[str, float]:
    """The figures that runs are compared by, one name each."""
    recall, click = metrics.recall_at_20, metrics.click
    found = {
        "next_item.validation_loss": metrics.next_item_loss,
        "next_item.recall_at_20": recall.model,
        "next_item.ndcg_at_20": recall.accuracy.ndcg,
        "next_item.popular_recall_at_20": recall.popular,
    }
    if click is not None:
        found |= {"click.log_loss": click.log_loss, "click.ece": click.ece}
        found |= {"click.item_rate_log_loss": click.item_rate_log_loss}
    return found | {f"demand.{name}": value for name, value in (metrics.demand or {}).items()}


def render(metrics: Metrics) -> str:
    """The card as Markdown."""
    recall, text = metrics.recall_at_20, metrics.text
    return f"""# Model card

Trained {metrics.trained_at} on {metrics.events:,} events of {metrics.shoppers:,} shoppers and {metrics.items:,} items
({metrics.refused:,} records broke the contract and were left out).

## What it does
Recommends the next item, gives the events that moved each score, estimates click probabilities, and forecasts demand.
A transformer over a shopper's last 50 events; items are an id embedding plus a projected sentence embedding.

{facts_markdown(metrics.run) if metrics.run else ""}

## How it measures
Measured on the last tenth of the stream, which also decided when to stop: expect slightly less on what comes after.

| next wanted item, {recall.cases:,} cases | Recall@20 |
|---|---|
| this model | {recall.model:.4f} |
| most popular, last 31 days | {recall.popular_lately:.4f} |
| most popular, all time | {recall.popular:.4f} |

HR@20 {recall.accuracy.hit:.4f}, NDCG@20 {recall.accuracy.ndcg:.4f}, MRR {recall.accuracy.mrr:.4f}. What each figure
below means is explained in `docs/explanation/measuring.md`; popularity is that of the last 31 days.

{beyond_markdown(recall.beyond_accuracy)}

{_click_lines(metrics.click)}

{_demand_lines(metrics.demand)}

## Text encoder
Served: {text.kept}. Held-back item pairs found among the 20 nearest: pretrained {text.pretrained_recall:.4f},
fine-tuned with LoRA {text.fine_tuned_recall:.4f}. The better one is kept.

## Limits
Items that the stream does not show are placed by their text alone. Texts beyond 32 tokens are cut. Popularity is as of
the stream's end. Nothing but what shoppers did is learnt from: what was never shown cannot prove itself.
"""


def _of_clicks(clicks: ClickFit) -> ClickMetrics:
    return ClickMetrics(
        rows=clicks.rows,
        held_back_rows=clicks.held_back,
        log_loss=clicks.log_loss,
        item_rate_log_loss=clicks.baseline_log_loss,
        uncalibrated_log_loss=clicks.uncalibrated_log_loss,
        ece=clicks.ece,
        ece_equal_mass=clicks.ece_equal_mass,
    )


def _click_lines(click: ClickMetrics | None) -> str:
    if click is None:
        return "Click head: none, since the stream shows no impressions that were clicked."
    return f"""| click probability, {click.held_back_rows:,} held-back rows | log loss |
|---|---|
| this model | {click.log_loss:.4f} |
| before calibration | {click.uncalibrated_log_loss:.4f} |
| the item's average click rate | {click.item_rate_log_loss:.4f} |

## Calibration
Click probabilities are calibrated on the held-back impressions; each half is measured as the other half calibrates it.
Expected calibration error {click.ece:.4f} over 15 bins of equal width, {click.ece_equal_mass:.4f} over bins of equally
many rows. Next-item scores are for ranking and are no probabilities."""


def _demand_lines(demand: dict[str, float] | None) -> str:
    if demand is None:
        return "Demand: no model, since the stream is too short for one."
    lines = "\n".join(f"| {name} | {value:.4f} |" for name, value in demand.items())
    return f"| demand | |\n|---|---|\n{lines}"
