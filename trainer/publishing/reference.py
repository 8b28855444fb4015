"""Requests with the trained model's own answers: what a published version is checked by."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from feature_repo.basics.identity import NO_ITEM, context_hash, item_hash
from headrace.arrays import HISTORY, DescribeTensors, ScoreTensors, sent
from model_repo.headrace.items import Tensors
from model_repo.headrace.texts import Texts
from trainer.data.score_requests import Case, as_tensors, request_of
from trainer.data.shop import Shop
from trainer.publishing.serving import Trained
from trainer.text.encoder import TextModel

_SHOPPERS: Final = 8
_NEW: Final = "headrace: an item that no stream has"

Arrays = Mapping[str, NDArray[np.generic]]


class Reference(NamedTuple):
    """A request by its wire names, and the answer that must come back."""

    name: str
    request: Arrays
    answer: Arrays


def references(trained: Trained, text: TextModel, shop: Shop) -> list[Reference]:
    """Make one "describe" and one "score" request that use every part of the wire, and answer them."""
    texts = [shop.texts[0], "a new item with nothing but a title"]
    encoded = [t.encode("utf-8", "replace") for t in texts]
    described = DescribeTensors(
        probe_item=np.array([shop.item_hash[0], item_hash(_NEW)]),
        text_bytes=np.frombuffer(b"".join(encoded), np.uint8),
        text_length=np.array([len(t) for t in encoded], np.int32),
    )
    with torch.inference_mode():
        vectors = text_vectors(trained, text, texts)
        scorer = trained.scorer()
        describe_answer = {
            "known": scorer.known(torch.from_numpy(described.probe_item)),
            "repeats": scorer.items.repeats(torch.from_numpy(described.probe_item)),
            "text_vector": vectors,
            "popular": trained.arrays["popular"],
            "has_ctr": torch.tensor([trained.clicks is not None], dtype=torch.uint8),
        }
        tensors = score_request(shop, vectors[1:].numpy())
        score_answer = scorer.score(as_tensors(tensors))
    return [
        Reference("describe", described._asdict(), _arrays(describe_answer)),
        # The order of scores is what was trained, whatever diversity a configuration asks for.
        Reference("score", {**sent(tensors), "diversity": np.zeros(1, np.float32)}, _arrays(score_answer)),
    ]


def text_vectors(trained: Trained, text: TextModel, texts: list[str]) -> torch.Tensor:
    """Item vectors of texts, by the fitted encoder itself. [N, D]"""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        text.tokenizer.save(str(path))
        return Texts(path, trained.text, torch.device("cpu")).of(texts)


def score_request(shop: Shop, extra_vector: NDArray[np.float32]) -> ScoreTensors:
    """Shoppers at their newest event, one without history, an extra item, and items excluded and withdrawn."""
    cases = [*_newest_moments(shop), Case(slice(0, 0), int(shop.sequences.time.max()), NO_ITEM, frozenset())]
    tensors = request_of(shop, cases, extra_vector.shape[1])
    tensors.context[:, 0] = context_hash("channel", "web")
    shown = np.append(shop.item_hash[:10], item_hash(_NEW))
    return tensors._replace(
        recommend=(np.arange(len(cases)) != 1).astype(np.int32),
        withdrawn=shop.item_hash[:1].copy(),
        extra_item=np.array([item_hash(_NEW)], np.int64),
        extra_vector=extra_vector,
        boost_item=shop.item_hash[-1:].copy(),
        boost=np.array([0.5], np.float32),
        candidate_item=np.tile(shown, len(cases)),
        candidate_row=np.repeat(np.arange(len(cases), dtype=np.int32), len(shown)),
        candidate_position=np.tile(np.arange(len(shown), dtype=np.int32), len(cases)),
    )


def _newest_moments(shop: Shop) -> list[Case]:
    source = shop.sequences
    spans = [(int(b), int(e)) for b, e in zip(source.start[:-1], source.start[1:], strict=True)][:_SHOPPERS]
    return [
        Case(
            slice(max(b, e - HISTORY), e), int(source.time[e - 1]), int(shop.item_hash[source.item[e - 1]]), frozenset()
        )
        for b, e in spans
    ]


def _arrays(answer: Tensors) -> Arrays:
    return {name: tensor.numpy() for name, tensor in answer.items()}
