"""What lies after the split, or after the moment that is asked about, is never learnt from."""

import msgspec
import numpy as np
import pytest
import torch
from next_item_cases import CONFIG, fit_shop, random_texts, small_shop
from torch import Tensor

from feature_repo.shoppers.context import context_hashes
from trainer.click.fit import fit_clicks
from trainer.click.rates import out_of_fold
from trainer.data.popularity import measure_popularity
from trainer.data.shop import Shop
from trainer.data.split import seen_before, time_split
from trainer.train import make_model
from trainer.training_loop.device import make_deterministic
from trainer.training_loop.run import Run

#: A rate that validation does not steer, so that nothing of the future may show in any step.
COSINE = msgspec.structs.replace(CONFIG, schedule="cosine")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return small_shop(tmp_path_factory.mktemp("shop"))


def with_another_future(shop: Shop) -> Shop:
    """The same events up to the split; from then on every shopper wants one and the same item, which reveals all."""
    sequences = shop.sequences
    later = sequences.time >= time_split(sequences)
    assert 20 < later.sum() < len(later) / 2
    return shop._replace(sequences=sequences._replace(item=np.where(later, 3, sequences.item)))


def curve_of(shop: Shop) -> list[float]:
    """The training loss of each epoch."""
    reported: list[float] = []
    fit_shop(shop, COSINE, Run(watch=lambda what, epoch, curves: reported.append(curves["train_loss"])))
    return reported


def test_the_future_changes_no_step_of_the_next_item_training(shop: Shop):
    assert curve_of(with_another_future(shop)) == curve_of(shop)


def test_a_change_before_the_split_is_seen(shop: Shop):
    """The guard of the test above."""
    changed = shop.sequences.item.copy()
    changed[:4] = (changed[:4] + 1) % len(shop.item_ids)
    assert curve_of(shop._replace(sequences=shop.sequences._replace(item=changed))) != curve_of(shop)


def test_an_item_that_only_the_future_shows_counts_as_unseen(shop: Shop):
    sequences = shop.sequences
    split = time_split(sequences)
    newcomer = np.where(sequences.time >= split, len(shop.item_ids), sequences.item)
    seen = seen_before(sequences._replace(item=newcomer), split, len(shop.item_ids) + 1)
    assert not seen[-1]
    assert seen[:-1].all()


def test_popularity_at_a_moment_counts_what_came_before(shop: Shop):
    item, time = shop.sequences.item, shop.sequences.time
    known = measure_popularity(item, time, len(shop.item_ids))
    moment = known.times[40]
    other = measure_popularity(np.where(time >= moment, 0, item), time, len(shop.item_ids))
    assert np.array_equal(known.log_PSN[:, :41], other.log_PSN[:, :41])
    assert not np.array_equal(known.log_PSN[:, 41:], other.log_PSN[:, 41:])


def click_weights(shop: Shop) -> Tensor:
    """Of a click head fitted to the shop's impressions, on an encoder that was not fitted at all."""
    make_deterministic(4)
    split = time_split(shop.sequences)
    popularity = measure_popularity(shop.sequences.item, shop.sequences.time, len(shop.item_ids))
    model = make_model(shop, random_texts(shop), popularity, split, CONFIG)
    reported: list[float] = []
    run = Run(watch=lambda what, epoch, curves: reported.append(curves["train_loss"]))
    assert fit_clicks(model, shop.item_hash, shop.impressions, split, 4, lambda *_: None, run=run)
    return torch.tensor(reported[:5])


def test_a_context_value_that_gives_the_click_away_after_the_split_is_not_learnt(shop: Shop):
    shown = shop.impressions
    late = shown.now >= time_split(shop.sequences)
    clicked = np.bincount(shown.shown_in, shown.clicked, minlength=len(late)) > 0
    planted = shown.context.copy()
    planted[late & clicked, -1] = context_hashes("web", {"bought": "yes"})[-1]
    assert not np.array_equal(planted, shown.context)
    tampered = shop._replace(impressions=shown._replace(context=planted))
    assert torch.equal(click_weights(tampered), click_weights(shop))


def test_the_history_of_an_impression_ends_before_it(shop: Shop):
    shown = shop.impressions
    known = shown.history_action > 0
    assert known.any()
    assert (shown.history_time <= shown.now[:, None])[known].all()


def test_a_click_never_predicts_itself(shop: Shop):
    """The rate that a shown item is given does not move with the clicks of its own fold."""
    shown = shop.impressions
    row = np.searchsorted(shop.item_hash, shown.shown_item)
    rates = out_of_fold(row, shown.shown_in, shown.clicked, len(shop.item_ids))
    fold = shown.shown_in % 5 == 2
    flipped = np.where(fold, 1 - shown.clicked, shown.clicked).astype(np.float32)
    after = out_of_fold(row, shown.shown_in, flipped, len(shop.item_ids))
    assert np.array_equal(rates[fold], after[fold])
    assert not np.array_equal(rates[~fold], after[~fold])
