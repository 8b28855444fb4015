"""Pre-training learns all objectives, never from what is held back, and a hidden item is hidden."""

import numpy as np
import torch
from two_shops import CONFIG, Two, words

from trainer.behaviour.items import ItemTable
from trainer.behaviour.model import ShopperModel
from trainer.data.popularity import measure_popularity
from trainer.data.shop import Sequences
from trainer.data.split import time_split
from trainer.data.windows import Batch
from trainer.pretrain.fitting import Objectives
from trainer.pretrain.objectives import Losses, hide


def objectives(two: Two, sequences: Sequences) -> Objectives:
    torch.manual_seed(3)
    shop, wanted = two.source, sequences.wanted
    split = time_split(two.source.sequences)
    popularity = measure_popularity(shop.sequences.item[wanted], shop.sequences.time[wanted], len(shop.item_ids))
    items = ItemTable(torch.zeros(len(shop.item_ids), dtype=torch.bool), CONFIG.width, 0.0, text_NT=words(shop))
    return Objectives(
        ShopperModel(CONFIG, items, torch.from_numpy(popularity.log_PSN)).eval(), sequences, popularity, split
    )


def first_batch(found: Objectives) -> Batch:
    return next(found.train.batches(512, np.random.default_rng(0), torch.device("cpu")))


def test_every_objective_gets_better_on_what_was_held_back(two: Two):
    assert two.report.before.keys() == set(Losses._fields)
    for name, loss in two.report.before.items():
        assert two.report.after[name] < loss


def test_what_a_hidden_item_was_changes_no_shopper_vector_but_is_asked_for(two: Two):
    found = objectives(two, two.source.sequences)
    batch = first_batch(found)
    hidden = torch.zeros_like(batch.action, dtype=torch.bool)
    hidden[:, -2] = True
    other = batch._replace(item=torch.where(hidden, (batch.item + 5) % 32, batch.item))
    module = found.module.eval()
    one, two_ = module(batch, hidden), module(other, hidden)
    assert torch.equal(one.next_action, two_.next_action)
    assert not torch.equal(one.hidden_item, two_.hidden_item)
    shown = torch.zeros_like(hidden)
    assert not torch.equal(module(batch, shown).next_item, module(batch, hidden).next_item)
    assert float(module(batch, shown).hidden_item) == 0


def test_events_of_the_held_back_part_teach_nothing(two: Two):
    sequences, split = two.source.sequences, time_split(two.source.sequences)
    later = sequences.time >= split
    assert later.sum() > 50
    torn = sequences._replace(item=np.where(later, (sequences.item + 7) % 32, sequences.item))
    weights = []
    for seen in (sequences, torn):
        found = objectives(two, seen)
        total = sum(found.losses(np.random.default_rng(1)))
        total.backward()
        weights.append(torch.cat([p.grad.flatten() for p in found.module.parameters() if p.grad is not None]))
    assert torch.equal(*weights)


def test_padding_is_never_hidden_nor_asked_for(two: Two):
    found = objectives(two, two.source.sequences)
    batch = first_batch(found)
    empty = batch._replace(action=torch.zeros_like(batch.action), target=torch.full_like(batch.target, -1))
    losses = found.module(empty, hide(empty.action) | True)
    assert [float(loss.detach()) for loss in losses] == [0, 0, 0, 0]
