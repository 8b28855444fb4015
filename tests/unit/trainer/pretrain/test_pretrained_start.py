"""What is learnt in one shop helps in another whose items are known by text only; a bad file is named."""

from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from small_shop import KINDS
from two_shops import CONFIG, Two, words

from headrace.errors import ModelError, UsageError
from trainer.behaviour import next_item
from trainer.behaviour.model import ShopperModel
from trainer.behaviour.next_item import Stage
from trainer.data.popularity import measure_popularity
from trainer.data.split import time_split
from trainer.data.windows import Windows, next_actions
from trainer.pretrain import starting
from trainer.pretrain.pretrained import read_pretrained
from trainer.pretrain.starting import fit_from
from trainer.text.encoder import TextModel
from trainer.text.matching.item_tuning import Tuned
from trainer.train import make_model
from trainer.training_loop.checkpoint import load_state, save_state


def new_model(two: Two) -> ShopperModel:
    torch.manual_seed(9)
    shop = two.target
    wanted = shop.sequences.wanted
    popularity = measure_popularity(shop.sequences.item[wanted], shop.sequences.time[wanted], len(shop.item_ids))
    tuned = Tuned(TextModel(None, None), words(shop), False, 0.0, 0.0)  # type: ignore[arg-type]
    return make_model(shop, tuned, popularity, time_split(shop.sequences), CONFIG).eval()


@torch.no_grad()
def share_of_own_kind(model: ShopperModel, two: Two) -> float:
    """How much of the first 8 items is of the kind that the shopper looked at: by chance a quarter."""
    shop = two.target
    targets = next_actions(shop.sequences)
    windows = Windows(shop.sequences, targets.item, targets.time * 0)
    kind = torch.tensor([KINDS.index(text.split()[-1]) for text in shop.texts])
    shares = []
    for batch in windows.batches(2_000, np.random.default_rng(0), torch.device("cpu")):
        table = model.items()
        user = model.encoder.action_heads.combined(model.user_vectors(batch.item, batch.action, batch.time, table))[
            :, -1
        ]
        top = (user @ table.T).topk(8).indices
        shares.append((kind[top] == kind[batch.item[:, -1]].unsqueeze(1)).float().mean())
    return float(torch.stack(shares).mean())


def test_an_untrained_model_that_starts_from_another_shop_knows_what_goes_together(two: Two):
    fresh, started = new_model(two), new_model(two)
    two.pretrained.start(started)
    assert share_of_own_kind(started, two) > share_of_own_kind(fresh, two) + 0.2
    assert share_of_own_kind(started, two) > 0.6


def test_a_few_shoppers_are_enough_for_what_starts_pretrained(two: Two, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(next_item, "_LEAST_STEPS", 1)
    shop, split = two.target, time_split(two.target.sequences)
    popularity = measure_popularity(shop.sequences.item, shop.sequences.time, len(shop.item_ids))
    arguments = (shop.sequences, popularity, split, 3, lambda *_: None)
    fresh, started = new_model(two), new_model(two)
    alone = next_item.fit_next_item(fresh, *arguments)
    transferred = fit_from(two.pretrained, started, *arguments)
    assert transferred.loss < alone.loss
    assert all(p.requires_grad for p in started.parameters())


def test_the_encoder_is_kept_until_the_shops_own_parts_are_fitted(two: Two, monkeypatch: pytest.MonkeyPatch):
    stages: list[tuple[str, bool, bool]] = []

    def note(model: ShopperModel, *_: object, stage: Stage, run: object) -> None:
        stages.append((stage.what, model.encoder.gain.requires_grad, model.items.ids.weight.requires_grad))

    monkeypatch.setattr(starting, "fit_next_item", note)
    fit_from(two.pretrained, new_model(two), *[None] * 5)  # type: ignore[arg-type]
    assert stages == [("next item around the encoder", False, True), ("next item", True, True)]


def test_no_id_of_the_first_shop_is_carried_over(two: Two):
    started = new_model(two)
    two.pretrained.start(started)
    named = {name for name in two.pretrained.weights if "ids" in name or "bias_AN" in name or "item_bias" in name}
    assert named == set()
    assert torch.equal(started.items(), started.items.unknown + started.items.text_part())


def test_a_file_gives_back_what_was_saved(two: Two, tmp_path: Path):
    two.pretrained.save(tmp_path / "encoder.pretrained")
    read = read_pretrained(tmp_path / "encoder.pretrained")
    assert (read.settings, read.text_encoder) == (CONFIG, "words")
    assert read.weights.keys() == two.pretrained.weights.keys()
    assert all(torch.equal(read.weights[name], weight) for name, weight in two.pretrained.weights.items())


def test_a_file_of_an_earlier_version_starts_a_model(two: Two, tmp_path: Path):
    """Its projection of a shopper's vector for each action had another name."""
    two.pretrained.save(tmp_path / "now.pretrained")
    state = load_state(tmp_path / "now.pretrained")
    name, before = "encoder.action_heads.turn_ADD", "encoder.wishes.turn_ADD"
    state["weights"][before] = state["weights"].pop(name)
    save_state(tmp_path / "before.pretrained", state)
    model = new_model(two)
    read_pretrained(tmp_path / "before.pretrained").start(model)
    assert torch.equal(model.state_dict()[name], two.pretrained.weights[name])
    assert "wishes" in state["settings"]  # as in settings files


def test_a_model_of_another_shape_or_text_encoder_is_refused(two: Two):
    two.pretrained.check(replace(CONFIG, dropout=0.3), "words")
    with pytest.raises(UsageError, match="width 16, the settings 32"):
        two.pretrained.check(replace(CONFIG, width=32), "words")
    with pytest.raises(UsageError, match="reads texts by words"):
        two.pretrained.check(CONFIG, "installed")


def test_a_bad_file_is_named(two: Two, tmp_path: Path):
    path = tmp_path / "encoder.pretrained"
    with pytest.raises(UsageError, match="No such file"):
        read_pretrained(path)
    path.write_text("no tensors here")
    with pytest.raises(ModelError, match=r"encoder\.pretrained is damaged"):
        read_pretrained(path)
    save_state(path, {"at": {}})
    with pytest.raises(UsageError, match="not written by `headrace pretrain`"):
        read_pretrained(path)
    two.pretrained.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        read_pretrained(path)
