"""A fitted model as the served one sees it: plain arrays for items, and a scorer that runs the eager modules."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from feature_repo.basics.identity import NO_ITEM
from headrace.errors import ModelError
from model_repo.headrace.scorer import ServedScorer
from trainer.behaviour.familiarity import Familiarity
from trainer.behaviour.items import ItemTable
from trainer.behaviour.model import ShopperModel
from trainer.click.fit import ClickFit
from trainer.data.shop import Shop
from trainer.text.encoder import SentenceEncoder

_POPULAR = 100
#: Weight and half-life (ms) of what a shopper had before, until they are chosen.
NO_REPURCHASE_BOOST = (0.0, 1.0)


class TextToItem(nn.Module):
    """Token ids to the vector of an item that has nothing but a text.

    A text unlike any of the catalogue's says nothing that was learnt: its item is as one that is unknown.
    """

    def __init__(self, sentence: SentenceEncoder, items: ItemTable) -> None:
        """Raises: ModelError: the items have no texts."""
        super().__init__()
        if items.text is None:
            raise ModelError(
                "A model is served with the texts of its items; train it on a stream that has `items` records"
            )
        self.sentence = sentence
        self.projection = items.text
        self.familiarity = Familiarity(items.text_NT)
        self.register_buffer("unknown", items.unknown.detach().clone())

    def forward(self, ids_NS: Tensor, mask_NS: Tensor) -> Tensor:
        """Encode. [N, D]"""
        text_NT = self.sentence(ids_NS, mask_NS)
        return self.unknown + self.familiarity(text_NT) * self.projection(text_NT)


class Trained(NamedTuple):
    """All that export and evaluation need."""

    model: ShopperModel
    text: TextToItem
    arrays: dict[str, Tensor]  # as `model_repo.headrace.scorer.ServedScorer` takes them
    clicks: ClickFit | None

    def scorer(self) -> ServedScorer:
        """The trained model's own answers, made by the modules that were fitted."""
        return ServedScorer(self.arrays, self.model.encoder, self.model.click if self.clicks else None)

    def with_repurchase_boost(self, boost: tuple[float, float]) -> "Trained":
        """The model with a repurchase boost of a shopper's own items (`model_repo.headrace.returning`)."""
        return self._replace(arrays={**self.arrays, "again": torch.tensor(boost)})

    def with_repeats(self, repeats_N: NDArray[np.bool_]) -> "Trained":
        """The model with what is known of which items are bought again (`trainer.evaluation.lists.repeats`)."""
        return self._replace(arrays={**self.arrays, "repeats": torch.from_numpy(repeats_N).to(torch.uint8)})

    def as_of(self, step: int) -> "Trained":
        """The model with the popularity that was known at an earlier point in time, for measuring on what followed."""
        with torch.no_grad():
            return self._replace(arrays={**self.arrays, "item_bias": self.model.bias()[step].clone()})


def assemble(model: ShopperModel, sentence: SentenceEncoder, shop: Shop, clicks: ClickFit | None) -> Trained:
    """Bring a fitted model to the CPU and lay out what serving needs."""
    model = model.cpu().eval()
    text = TextToItem(sentence.cpu(), model.items).eval()
    with torch.no_grad():
        arrays = {
            "item_hash": torch.from_numpy(shop.item_hash),
            "item_vector": model.items().clone(),
            "item_text": model.items.text_part().clone(),
            "item_bias": model.bias_now().clone(),
            "item_prior": torch.from_numpy(clicks.rates.item) if clicks else torch.zeros(len(shop.item_hash)),
            "unknown_vector": model.items.unknown.detach().clone(),
            "new_bias": model.bias_of_new_items().view(1),
            "new_prior": torch.tensor([clicks.rates.shop if clicks else 0.0]),
            "popular": _popular(model, shop),
            "list_rate": _list_rate(clicks),
            "again": torch.tensor(NO_REPURCHASE_BOOST),
            "repeats": torch.ones(len(shop.item_hash), dtype=torch.uint8),
        }
    return Trained(model, text, arrays, clicks)


def _list_rate(clicks: ClickFit | None) -> Tensor:
    """Slope and shift of the log odds of lists' click rates. [2]"""
    return torch.tensor([float(clicks.listed.weight[0]), clicks.listed.bias] if clicks else [1.0, 0.0])


def _popular(model: ShopperModel, shop: Shop) -> Tensor:
    """The items in most demand when the stream ends, best first. [100]"""
    recent = model.popularity_PSN[0, -1].numpy().astype(np.float64)
    best = np.argsort(-np.where(shop.available, recent, -np.inf), kind="stable")[:_POPULAR]
    best = best[shop.available[best]]
    popular = np.full(_POPULAR, NO_ITEM, np.int64)
    popular[: len(best)] = shop.item_hash[best]
    return torch.from_numpy(popular)
