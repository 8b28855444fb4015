"""The behaviour encoder sees the past alone, and knows what its user vector would be without each event."""

import torch

from feature_repo.shoppers.context import ACTION_BITS
from headrace.arrays import HISTORY
from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.encoder import BehaviourEncoder

WIDTH = 64


def encoder() -> BehaviourEncoder:
    torch.manual_seed(3)
    made = BehaviourEncoder(BehaviourConfig(width=WIDTH)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def history(rows: int, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(4)
    times = torch.arange(length).expand(rows, length) * 60_000 + 1_700_000_000_000
    return torch.randn(rows, length, WIDTH), torch.ones(rows, length, dtype=torch.int32), times.clone()


def test_serving_and_training_give_the_same_user_vector():
    item, action, time = history(2, 20)
    made = encoder()
    padding = HISTORY - 20
    padded = (
        torch.nn.functional.pad(item, (0, 0, padding, 0)),
        torch.nn.functional.pad(action, (padding, 0)),
        torch.nn.functional.pad(time, (padding, 0)),
    )
    with torch.no_grad():
        served, _ = made(*padded, time[:, -1])
        trained = made.action_heads.combined(made.after_each(item, action, time))[:, -1]
    assert torch.allclose(served, trained, atol=1e-5)


def test_an_event_leaves_earlier_user_vectors_alone():
    item, action, time = history(1, 10)
    made = encoder()
    with torch.no_grad():
        before = made.after_each(item, action, time)
        item[0, 6] = 9.0
        after = made.after_each(item, action, time)
    assert torch.allclose(before[0, :6], after[0, :6], atol=1e-6)
    assert not torch.allclose(before[0, 6:], after[0, 6:], atol=1e-2)


def test_a_shopper_without_history_is_the_zero_vector():
    nothing = torch.zeros(1, HISTORY, dtype=torch.int32)
    with torch.no_grad():
        user, without = encoder()(torch.randn(1, HISTORY, WIDTH), nothing, nothing.long(), torch.tensor([5]))
    assert user.abs().max() == 0
    assert without.abs().max() == 0


def test_how_long_ago_an_event_was_counts():
    item, action, time = history(1, HISTORY)
    with torch.no_grad():
        soon, later = (encoder()(item, action, time, time[:, -1] + wait)[0] for wait in (1_000, 40 * 86_400_000))
    assert not torch.allclose(soon, later, atol=1e-3)


def test_where_an_event_happened_counts():
    item, action, time = history(1, HISTORY)
    with torch.no_grad():
        web, app = (encoder()(item, action | channel << ACTION_BITS, time, time[:, -1])[0] for channel in (1, 2))
    assert not torch.allclose(web, app, atol=1e-3)


def test_without_its_only_event_a_shopper_is_the_zero_vector():
    item, action, time = history(1, HISTORY)
    action[:, :-1] = 0
    with torch.no_grad():
        user, without = encoder()(item, action, time, time[:, -1])
    assert user.abs().max() > 0.1
    assert without[0, -1].abs().max() < 1e-4
    assert torch.allclose(without[0, :-1], user.expand(HISTORY - 1, -1), atol=1e-5)


def test_an_event_that_no_attention_looks_at_is_not_missed():
    item, action, time = history(1, 8)
    made = encoder()
    with torch.no_grad():
        made.pooling.distance[:, 5] = -1e9
        made.blocks[0].distance[:, 5] = -1e9
        user, without = made(item, action, time, time[:, -1])
    assert torch.allclose(without[0, 2], user[0], atol=1e-5)
    assert not torch.allclose(without[0, 3], user[0], atol=1e-2)
