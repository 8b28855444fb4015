"""What the click head answers before and after it has met places, contexts and a calibration."""

import pytest
import torch
from torch import Tensor

from trainer.click.head import ClickHead

WIDTH, ROWS = 8, 6
ROWS_A_PLACE = 20_000


def head() -> ClickHead:
    """With weights that make every input count."""
    torch.manual_seed(3)
    made = ClickHead(WIDTH).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(std=0.3)
        made.context.weight[0] = 0
    return made


def ask(made: ClickHead, place: int = 0, context: int = 0, prior: float = -2.0) -> Tensor:
    torch.manual_seed(5)
    user, item = torch.randn(ROWS, WIDTH), torch.randn(ROWS, WIDTH)
    rows = torch.ones(ROWS, dtype=torch.long)
    with torch.no_grad():
        return made(user, item, torch.full((ROWS,), prior), place * rows, context * rows[:, None], 7 * rows)


def init_statistics(made: ClickHead, context: Tensor) -> None:
    """Ten places of which each is clicked less than the one before by a fifth; the items' average rate is the mean."""
    place = torch.arange(10).repeat_interleave(ROWS_A_PLACE)
    clicks = 0.05 * ROWS_A_PLACE * 0.8**place
    clicked = (torch.arange(ROWS_A_PLACE).repeat(10) < clicks).float()
    made.init_statistics(place, context, torch.full(place.shape, float(torch.logit(clicked.mean()))), clicked)


def test_places_begin_at_their_clicks_over_those_that_their_items_promise():
    made = ClickHead(WIDTH).eval()
    init_statistics(made, torch.tensor([[0]]))
    rate = torch.stack([ask(made, place=place, prior=-4.0).sigmoid()[0] for place in range(10)])
    assert torch.allclose(rate[1:] / rate[:-1], torch.tensor(0.8), atol=0.03)
    # Over all places an item is clicked as often as its average rate says.
    assert rate.mean() == pytest.approx(float(torch.tensor(-4.0).sigmoid()), rel=0.05)


def test_a_place_that_is_looked_at_most_is_not_taken_for_certain():
    made = ClickHead(WIDTH)
    init_statistics(made, torch.tensor([[0]]))
    assert torch.sigmoid(10 * made.place.weight).max() < 0.96


def test_an_untrained_head_answers_with_the_items_average_rate():
    rate = torch.tensor(-2.0).sigmoid()
    assert torch.allclose(ask(ClickHead(WIDTH).eval()).sigmoid(), rate.expand(ROWS), rtol=0.03)


def test_a_context_value_that_training_did_not_show_is_the_unknown_whatever_it_is():
    made = head()
    assert not torch.equal(ask(made, context=11), ask(made, context=12))
    init_statistics(made, torch.tensor([[11, 0]]))
    assert torch.equal(ask(made, context=12), ask(made, context=-(2**60) + 1))
    assert not torch.equal(ask(made, context=11), ask(made, context=12))
    assert not torch.equal(ask(made, context=0), ask(made, context=12))


def test_a_place_further_down_than_training_showed_is_as_likely_looked_at_as_the_last():
    made = head()
    init_statistics(made, torch.tensor([[11]]))
    assert not torch.equal(ask(made, place=8), ask(made, place=9))
    assert torch.equal(ask(made, place=9), ask(made, place=400))


def test_the_calibration_is_part_of_the_head():
    made = head()
    before = ask(made)
    made.calibrate(0.5, -0.25)
    assert torch.allclose(ask(made), 0.5 * before - 0.25)
    copy = ClickHead(WIDTH).eval()
    copy.load_state_dict(made.state_dict())
    assert torch.equal(ask(copy), ask(made))


def test_no_item_is_clicked_more_often_than_its_place_is_looked_at():
    made = head()
    seen = torch.sigmoid(10 * made.place.weight[2, 0])
    assert (ask(made, place=2, prior=30.0).sigmoid() <= seen + 1e-4).all()


@pytest.mark.parametrize("prior", [-60.0, 60.0])
def test_extreme_rates_stay_finite(prior: float):
    made = ClickHead(WIDTH)
    logit = made(
        torch.zeros(2, WIDTH),
        torch.zeros(2, WIDTH),
        torch.full((2,), prior),
        torch.zeros(2).long(),
        torch.zeros(2, 1).long(),
        torch.zeros(2).long(),
    )
    logit.sum().backward()
    assert torch.isfinite(logit).all()
    assert all(torch.isfinite(p.grad).all() for p in made.parameters() if p.grad is not None)
