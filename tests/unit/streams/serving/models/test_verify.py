"""What a served model answers is input from outside."""

import numpy as np
import pytest

from headrace.arrays import (
    CONTEXT,
    DEMAND_HISTORY,
    DEMAND_QUANTILES,
    HISTORY,
    REASONS,
    TOP_K,
    DemandAnswer,
    DemandTensors,
    DescribeAnswer,
    ScoreAnswer,
    ScoreTensors,
)
from headrace.errors import WrongAnswer
from streams.serving.catalogue.context_blocks import named
from streams.serving.catalogue.new_items import describe
from streams.serving.models.verify import NO_OUTPUT, SHAPE, VALUE, check_described, check_forecast, check_scored

ABSENT = np.empty(0)
"""What `Triton.ask` puts in the place of an output that an answer lacks."""


def request(shoppers: int = 3, candidates: int = 4) -> ScoreTensors:
    """Every shopper wants a list, the second one click rates too."""
    history = np.zeros((shoppers, HISTORY), np.int64)
    return ScoreTensors(
        history,
        history.astype(np.int32),
        history,
        now=np.zeros(shoppers, np.int64),
        context=np.zeros((shoppers, CONTEXT), np.int64),
        recommend=np.ones(shoppers, np.int32),
        exclude=np.zeros((shoppers, 1), np.int64),
        candidate_item=np.arange(1, candidates + 1),
        candidate_row=np.ones(candidates, np.int32),
        candidate_position=np.arange(candidates, dtype=np.int32),
        **named([])._asdict(),
    )


def good(shoppers: int = 3, candidates: int = 4) -> ScoreAnswer:
    return ScoreAnswer(
        rec_item=np.tile(np.arange(1, TOP_K + 1), (shoppers, 1)),
        rec_score=np.ones((shoppers, TOP_K), np.float32),
        rec_ctr=np.full((shoppers, TOP_K), 0.1, np.float32),
        reason_event=np.full((shoppers, TOP_K, REASONS), -1, np.int32),
        reason_weight=np.zeros((shoppers, TOP_K, REASONS), np.float32),
        reason_part=np.zeros((shoppers, TOP_K, 2), np.float32),
        ctr=np.full(candidates, 0.2, np.float32),
        encoder=np.ones(1, np.int64),
    )


def spoilt(name: str, place: tuple[int, ...], value: float) -> ScoreAnswer:
    array = getattr(good(), name).copy()
    array[place] = value
    return good()._replace(**{name: array})


def test_a_whole_answer_is_taken_as_it_is():
    answer = good()
    checked = check_scored(answer, request())
    assert checked.answer is answer
    assert not checked.bad_lists.any()
    assert not checked.bad_rates.any()
    assert checked.faults == {}


LISTS = [name for name in ScoreAnswer._fields if name not in {"ctr", "encoder"}]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda _: ABSENT, NO_OUTPUT),
        (lambda array: array[:-1], SHAPE),
        (lambda array: array[:, :-1], SHAPE),
        (lambda array: np.concatenate([array, array]), SHAPE),
        (lambda array: array.astype(np.float64), SHAPE),
    ],
)
def test_an_output_of_lists_that_does_not_fit_costs_the_lists_alone(name, change, fault):
    checked = check_scored(good()._replace(**{name: change(getattr(good(), name))}), request())
    assert checked.bad_lists.all()
    assert not checked.bad_rates.any()
    assert list(checked.faults) == [fault]
    assert name in checked.faults[fault]
    assert checked.answer.rec_item.shape == good().rec_item.shape


@pytest.mark.parametrize("ctr", [ABSENT, np.zeros(3, np.float32), np.zeros(4, np.int64), np.zeros((4, 1), np.float32)])
def test_click_rates_that_do_not_fit_cost_the_click_rates_alone(ctr):
    checked = check_scored(good()._replace(ctr=ctr), request())
    assert not checked.bad_lists.any()
    assert checked.bad_rates.all()


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("rec_score", (1, 0), np.nan),
        ("rec_score", (1, 3), np.inf),
        ("reason_weight", (1, 2, 0), np.nan),
        ("reason_part", (1, 2, 1), -np.inf),
        ("rec_ctr", (1, 0), 1.5),
        ("rec_ctr", (1, 0), -0.1),
        ("rec_ctr", (1, 0), np.nan),
        ("reason_event", (1, 0, 0), HISTORY),
        ("reason_event", (1, 0, 1), -2),
        ("rec_item", (1, 1), 1),
    ],
)
def test_a_value_that_none_may_be_costs_its_shopper_alone(name, place, value):
    checked = check_scored(spoilt(name, place, value), request())
    assert checked.bad_lists.tolist() == [False, True, False]
    assert not checked.bad_rates.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.01, -0.01])
def test_a_click_rate_that_is_no_probability_costs_its_shopper_alone(value):
    checked = check_scored(spoilt("ctr", (2,), value), request())
    assert checked.bad_rates.tolist() == [False, True, False]
    assert not checked.bad_lists.any()
    assert list(checked.faults) == [VALUE]


def test_a_version_without_a_click_head_gives_no_rate_at_all_and_that_is_right():
    answer = good()
    bare = answer._replace(rec_ctr=np.full_like(answer.rec_ctr, np.nan), ctr=np.full_like(answer.ctr, np.nan))
    assert check_scored(bare, request()).faults == {}


def test_where_no_item_stands_nothing_is_looked_at():
    answer = spoilt("rec_score", (1, 5), np.nan)
    items = answer.rec_item.copy()
    items[1, 5:] = 0
    assert not check_scored(answer._replace(rec_item=items), request()).bad_lists.any()


@pytest.mark.parametrize("encoder", [ABSENT, np.ones(1, np.int32), np.ones(2, np.int64)])
def test_an_answer_that_does_not_say_who_gave_it_is_of_no_use(encoder):
    with pytest.raises(WrongAnswer, match="encoder"):
        check_scored(good()._replace(encoder=encoder), request())


DESCRIBED = DescribeAnswer(
    np.ones(2, np.uint8),
    np.ones((1, 8), np.float32),
    np.zeros(100, np.int64),
    np.ones(1, np.uint8),
    np.ones(1, np.int64),
)


def test_a_description_is_taken_as_it_is():
    assert check_described(DESCRIBED, describe([1, 2], ["a"])) is DESCRIBED


@pytest.mark.parametrize(
    "change",
    [
        {"known": np.ones(1, np.uint8)},
        {"known": ABSENT},
        {"text_vector": np.ones((2, 8), np.float32)},
        {"text_vector": np.ones(8, np.float32)},
        {"text_vector": np.full((1, 8), np.nan, np.float32)},
        {"popular": np.zeros(99, np.int64)},
        {"encoder": ABSENT},
    ],
)
def test_a_description_that_does_not_fit_is_refused_whole(change):
    with pytest.raises(WrongAnswer):
        check_described(DESCRIBED._replace(**change), describe([1, 2], ["a"]))


@pytest.mark.parametrize(
    "quantiles",
    [
        ABSENT,
        np.zeros((1, 4, len(DEMAND_QUANTILES)), np.float32),
        np.zeros((2, 3, len(DEMAND_QUANTILES)), np.float32),
        np.zeros((2, 4, 1), np.float32),
        np.zeros((2, 4, len(DEMAND_QUANTILES)), np.float64),
        np.full((2, 4, len(DEMAND_QUANTILES)), np.inf, np.float32),
    ],
)
def test_a_forecast_that_does_not_fit_is_refused(quantiles):
    series = np.zeros((2, DEMAND_HISTORY), np.float32)
    each = np.zeros(2, np.int64)
    tensors = DemandTensors(series, each, np.ones(1, np.int64), each, each, each.astype(np.float32))
    with pytest.raises(WrongAnswer):
        check_forecast(DemandAnswer(quantiles), tensors)
    fits = DemandAnswer(np.zeros((2, 5, len(DEMAND_QUANTILES)), np.float32))
    assert check_forecast(fits, tensors) is fits
