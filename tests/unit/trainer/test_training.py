"""A model trained on the small shop has learnt what was planted, and is served as it was trained."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from small_shop import COLOURS, KINDS, START, FittedShop, event, item, write

from feature_repo.basics.identity import NO_ITEM, item_hash
from headrace.errors import UsageError
from model_repo.headrace.programs import load_program, move_constants
from model_repo.headrace.scorer import ServedScorer
from model_repo.headrace.texts import Texts
from trainer.data.score_requests import Case, as_tensors, request_of
from trainer.data.shop import read_shop
from trainer.publishing.publish import disagreement
from trainer.publishing.reference import text_vectors
from trainer.publishing.serving import Trained
from trainer.train import train_shopper_model
from trainer.training_loop.device import pick_device

CPU = torch.device("cpu")


def served(folder: Path) -> ServedScorer:
    def program(name: str):
        return load_program(folder / "headrace" / name, CPU)

    with np.load(folder / "headrace" / "arrays.npz") as arrays:
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return ServedScorer(tensors, program("history.ts"), program("click.ts"))


def last_moments(fitted_shop: FittedShop, shoppers: int) -> list[Case]:
    start = fitted_shop.shop.sequences.start
    spans = [(int(b), int(e)) for b, e in itertools.pairwise(start)]
    now = int(fitted_shop.shop.sequences.time.max())
    return [Case(slice(b, e), now, NO_ITEM, frozenset()) for b, e in spans]


def test_shoppers_are_recommended_their_kind(fitted_shop: FittedShop):
    names = dict(zip(fitted_shop.shop.item_hash.tolist(), fitted_shop.shop.item_ids, strict=True))
    cases = last_moments(fitted_shop, 40)
    kinds = [
        fitted_shop.shop.item_ids[fitted_shop.shop.sequences.item[case.history.stop - 1]].split("-")[0]
        for case in cases
    ]
    with torch.inference_mode():
        listed = fitted_shop.trained.scorer().score(as_tensors(request_of(fitted_shop.shop, cases, 64)))["rec_item"]
    hits = [names[int(i)].startswith(kind) for row, kind in zip(listed, kinds, strict=True) for i in row[:5]]
    assert np.mean(hits) > 0.9


def test_click_probabilities_beat_the_items_average(fitted_shop: FittedShop):
    clicks = fitted_shop.trained.clicks
    assert clicks is not None
    assert clicks.log_loss < 0.9 * clicks.baseline_log_loss


def test_the_traced_programs_answer_as_trained(fitted_shop: FittedShop):
    with np.load(fitted_shop.folder / "headrace" / "reference_score.npz") as arrays:
        tensors = {k: torch.from_numpy(v) for k, v in arrays.items() if not k.startswith("out_")}
        answer = {k.removeprefix("out_"): v for k, v in arrays.items() if k.startswith("out_")}
    with torch.inference_mode():
        answered = served(fitted_shop.folder).score(tensors)
    assert disagreement(answer, {name: tensor.numpy() for name, tensor in answered.items()}) < 1e-5


def test_the_traced_program_says_what_scores_would_be_without_each_event(fitted_shop: FittedShop):
    made = served(fitted_shop.folder)
    tensors = as_tensors(request_of(fitted_shop.shop, last_moments(fitted_shop, 8), 64))
    hashes, vectors = made.arrays["item_hash"], made.arrays["item_vector"]
    encode = load_program(fitted_shop.folder / "headrace" / "history.ts", CPU)
    with torch.inference_mode():
        answer = made.score(tensors)
        past = vectors[torch.searchsorted(hashes, tensors["history_item"]).clamp(max=len(hashes) - 1)]
        user, without = encode(past, tensors["history_action"], tensors["history_time"], tensors["now"])
        row = torch.searchsorted(hashes, answer["rec_item"])
        score = torch.einsum("bkd,bd->bk", vectors[row], user)
        lead = vectors[row] - vectors.mean(dim=0)
        lost = torch.einsum("bkd,bd->bk", lead, user).unsqueeze(2) - lead @ without.transpose(1, 2)
    assert torch.allclose(score + made.arrays["item_bias"][row], answer["rec_score"], atol=1e-4)
    assert torch.allclose(lost.max(dim=2).values.clamp(min=0), answer["reason_weight"][:, :, 0], atol=1e-4)
    assert (answer["reason_event"][:, :5, 0] >= 0).all()


def test_an_item_with_only_a_title_is_recommended_to_those_who_want_its_kind(fitted_shop: FittedShop):
    with torch.inference_mode():
        vector = text_vectors(fitted_shop.trained, fitted_shop.text, ["purple scarf"])
        shares: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for case in last_moments(fitted_shop, 40):
            row = fitted_shop.shop.sequences.item[case.history.stop - 1]
            tensors = request_of(fitted_shop.shop, [case], 64)._replace(
                extra_item=np.array([item_hash("newcomer")]), extra_vector=vector.numpy()
            )
            listed = fitted_shop.trained.scorer().score(as_tensors(tensors))["rec_item"][0].tolist()
            shares[fitted_shop.shop.item_ids[row].split("-")[0]].append(item_hash("newcomer") in listed[:10])
    assert np.mean(shares["scarf"]) > 0.8
    assert np.mean(shares["scarf"]) > np.mean(shares["teapot"]) + 0.5


def test_texts_of_any_length_and_language_are_encoded_as_in_training(fitted_shop: FittedShop):
    folder = fitted_shop.folder / "headrace"
    program = load_program(folder / "text.ts", CPU)
    texts = ["red teapot", "", "чайник 🫖", "long " * 500, "blue scarf"]
    encoded = [text.encode() for text in texts]
    data = torch.tensor(list(b"".join(encoded)), dtype=torch.uint8)
    with torch.inference_mode():
        vectors = Texts(folder / "tokenizer.json", program, CPU).vectors(data, torch.tensor([len(e) for e in encoded]))
        alone = Texts(folder / "tokenizer.json", program, CPU).of(["blue scarf"])
        trained = text_vectors(fitted_shop.trained, fitted_shop.text, texts)
    assert torch.allclose(vectors, trained, atol=1e-5)
    assert torch.allclose(vectors[4], alone[0], atol=1e-5)


@pytest.mark.parametrize(("name", "made_on"), [("history.ts", set()), ("click.ts", set()), ("text.ts", {"meta"})])
def test_a_traced_program_makes_nothing_or_makes_it_on_the_device_it_is_told(
    fitted_shop: FittedShop, name: str, made_on: set[str]
):
    program = torch.jit.load(fitted_shop.folder / "headrace" / name)
    move_constants(program, torch.device("meta"))
    graph = program.inlined_graph
    constants = graph.findAllNodes("prim::Constant")
    assert {c.s("value") for c in constants if str(c.output().type()) == "Device"} == made_on


def weights(trained: Trained) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trained.model.parameters()])


def test_the_seed_decides_the_model(stream: Path, tiny_encoder: str):
    shop = read_shop(stream, lambda _: None)
    first, again, other = (
        weights(train_shopper_model(shop, None, CPU, seed, tiny_encoder, lambda *_: None)[0]) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_without_impressions_there_is_no_click_head(tiny_encoder: str, tmp_path: Path):
    catalogue = [item(f"{kind}-{colour}", f"{colour} {kind}") for kind in KINDS for colour in COLOURS]
    views = [event("view", f"u{n % 9}", START + n, item_id=f"{KINDS[n % 4]}-{COLOURS[n % 8]}") for n in range(200)]
    shop = read_shop(write(tmp_path / "stream.jsonl", catalogue + views), lambda _: None)
    trained, metrics = train_shopper_model(shop, tmp_path / "out", CPU, 0, tiny_encoder, lambda *_: None)
    assert trained.clicks is None
    assert metrics.click is None
    assert not (tmp_path / "out" / "headrace" / "click.ts").exists()


def test_a_device_that_is_not_there_is_wrong_usage():
    with pytest.raises(UsageError, match="--device gpu"):
        pick_device("gpu")
