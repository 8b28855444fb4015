"""The published model, asked over the wire as a worker asks it."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from feature_repo.basics.identity import NO_ITEM, item_hash
from headrace.arrays import (
    BOOST_BLOCK,
    EXTRA_BLOCK,
    NO_BLOCK,
    WITHDRAWN_BLOCK,
    DescribeAnswer,
    DescribeTensors,
    ScoreAnswer,
    ScoreTensors,
    sent,
)
from streams.serving.catalogue.context_blocks import block_of, named
from streams.testing import Stack
from tests.trained_shop import TrainedShop

Arrays = Mapping[str, NDArray[np.generic]]


class Served:
    """The model behind one Triton."""

    def __init__(self, address: str) -> None:
        self._client = InferenceServerClient(address)

    def ask(self, request: Arrays) -> dict[str, NDArray[np.generic]]:
        inputs = []
        for name, array in request.items():
            tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            inputs.append(tensor.set_data_from_numpy(array))
        result = self._client.infer("headrace", inputs)
        return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}

    def score(self, request: ScoreTensors) -> ScoreAnswer:
        answer = self.ask(sent(request))
        return ScoreAnswer(**{name: answer[name] for name in ScoreAnswer._fields})

    def describe(self, probe: list[int], texts: list[str]) -> DescribeAnswer:
        encoded = [text.encode() for text in texts]
        request = DescribeTensors(
            np.array(probe, np.int64),
            np.frombuffer(b"".join(encoded), np.uint8),
            np.array([len(text) for text in encoded], np.int32),
        )
        answer = self.ask(sent(request))
        return DescribeAnswer(**{name: answer[name] for name in DescribeAnswer._fields})


@pytest.fixture
def served(headrace_stack: Stack, trained_shop: TrainedShop) -> Served:
    return Served(headrace_stack.triton)


@pytest.fixture
def request_of_many(trained_shop: TrainedShop) -> ScoreTensors:
    """Seventy shoppers: those of the trained folder's own reference request, over and over."""
    with np.load(trained_shop.model / "headrace" / "reference_score.npz") as arrays:
        tensors = ScoreTensors(**{name: arrays[name] for name in ScoreTensors._fields if name in arrays})
    rows = np.arange(70) % len(tensors.now)
    return tensors._replace(
        history_item=tensors.history_item[rows],
        history_action=tensors.history_action[rows],
        history_time=tensors.history_time[rows],
        now=tensors.now[rows],
        context=tensors.context[rows],
        recommend=np.ones(70, np.int32),
        exclude=tensors.exclude[rows],
    )


def one_row(tensors: ScoreTensors, row: int) -> ScoreTensors:
    cut = {name: getattr(tensors, name)[row : row + 1] for name in ("history_item", "history_action", "history_time")}
    rest = {name: getattr(tensors, name)[row : row + 1] for name in ("now", "context", "recommend", "exclude")}
    nobody = {"candidate_row": np.zeros(len(tensors.candidate_item), np.int32)}
    return tensors._replace(**cut, **rest, **nobody)


def test_a_shoppers_answer_does_not_depend_on_who_else_is_asked_for(served: Served, request_of_many: ScoreTensors):
    together = served.score(request_of_many)
    for row in (0, 8, 69):
        alone = served.score(one_row(request_of_many, row))
        assert np.allclose(together.rec_score[row], alone.rec_score[0], atol=1e-4)
        assert np.allclose(together.reason_weight[row], alone.reason_weight[0], atol=1e-4)


def test_what_is_excluded_or_withdrawn_is_not_listed(served: Served, request_of_many: ScoreTensors):
    listed = served.score(request_of_many).rec_item
    banned = np.unique(listed[:, :3])
    again = served.score(request_of_many._replace(withdrawn=banned, exclude=listed[:, 3:6].copy())).rec_item
    assert not np.isin(again, banned).any()
    assert not any(np.isin(row, gone).any() for row, gone in zip(again, listed[:, 3:6], strict=True))


def test_lists_are_as_a_request_wants_them(served: Served, request_of_many: ScoreTensors):
    usual = served.score(request_of_many).rec_item
    items = np.unique(usual)[1:]
    pinned = np.full((70, 1), items[0])
    of_two = {
        "category_item": np.append(items[:6], items[3:9]),
        "category": np.repeat(np.array([item_hash("mugs"), item_hash("bowls")]), 6),
        "kept_category": np.where(np.arange(70)[:, None] % 2, item_hash("mugs"), NO_ITEM),
        "pinned": pinned,
        "list_length": np.array([7], np.int32),
        "diversity": np.where(np.arange(70) % 3, np.nan, 0.5).astype(np.float32),
    }
    listed = served.score(request_of_many._replace(exclude=np.zeros((70, 1), np.int64), **of_two)).rec_item
    assert listed.shape == (70, 7)
    assert (listed[:, 0] == items[0]).all()
    assert np.isin(listed[1::2], [*items[:6], NO_ITEM]).all()
    assert not np.isin(listed[::2], [*items[:6], NO_ITEM]).all()


def test_a_new_item_with_only_a_title_rides_along(served: Served, request_of_many: ScoreTensors):
    newcomer = item_hash("newcomer")
    answer = served.describe([newcomer, int(request_of_many.boost_item[0])], ["a thing nobody has seen"])
    assert answer.known.tolist() == [0, 1]
    extra = request_of_many._replace(extra_item=np.array([newcomer]), extra_vector=answer.text_vector)
    boosted = extra._replace(boost_item=extra.extra_item, boost=np.array([50.0], np.float32))
    assert (served.score(boosted).rec_item[:, 0] == newcomer).all()
    assert not np.isin(served.score(request_of_many).rec_item, newcomer).any()


def test_unknown_history_is_answered_like_none(served: Served, request_of_many: ScoreTensors):
    tensors = one_row(request_of_many, 0)
    unknown = tensors._replace(history_item=np.full_like(tensors.history_item, item_hash("nobody's")))
    answer = served.score(unknown)
    assert (answer.rec_item != NO_ITEM).all()
    assert np.isfinite(answer.rec_score).all()


def test_click_rates_are_probabilities_and_know_the_place(served: Served, request_of_many: ScoreTensors):
    answer = served.score(request_of_many)
    assert ((answer.ctr > 0) & (answer.ctr < 1)).all()
    assert ((answer.rec_ctr > 0) & (answer.rec_ctr < 1)).all()
    first, last = (
        served.score(request_of_many._replace(candidate_position=np.full_like(request_of_many.candidate_position, at)))
        for at in (0, 7)
    )
    assert first.ctr.mean() > last.ctr.mean()


def test_popular_items_are_known_and_come_once(served: Served):
    answer = served.describe([1], [" "])
    popular = answer.popular[answer.popular != NO_ITEM]
    assert len(popular) == len(set(popular.tolist())) > 0
    assert served.describe(popular.tolist(), [" "]).known.all()
    assert answer.has_ctr.tolist() == [1]


def test_a_context_by_the_names_of_its_blocks_answers_as_one_that_comes_whole(
    served: Served, request_of_many: ScoreTensors
):
    encoder = int(served.describe([1], [" "]).encoder[0])
    assert encoder != 0
    newcomer = np.array([item_hash("newcomer")])
    blocks = [
        block_of(WITHDRAWN_BLOCK, served.score(request_of_many).rec_item[0, :3]),
        block_of(EXTRA_BLOCK, newcomer, served.describe([1], ["a thing nobody has seen"]).text_vector),
        block_of(BOOST_BLOCK, newcomer, np.array([50.0], np.float32)),
    ]
    every = {block.name for block in blocks}
    whole = named(blocks, every)._replace(context_block=NO_BLOCK)
    expected = served.score(request_of_many._replace(**whole._asdict()))
    by_name = request_of_many._replace(**named(blocks, encoder=encoder)._asdict())
    assert set(served.ask(sent(by_name))["unknown_block"].tolist()) == every
    for along in (every, ()):
        answer = served.score(request_of_many._replace(**named(blocks, along, encoder)._asdict()))
        for name in ("rec_item", "rec_score", "reason_event", "ctr"):
            np.testing.assert_array_equal(getattr(answer, name), getattr(expected, name))
    assert (expected.rec_item[:, 0] == newcomer).all()
    other = served.score(request_of_many._replace(**named(blocks, (), encoder + 1)._asdict()))
    assert not np.isin(other.rec_item, newcomer).any()


def test_a_request_that_makes_no_sense_is_an_error_and_leaves_the_model_standing(
    served: Served, request_of_many: ScoreTensors
):
    with pytest.raises(InferenceServerException):
        served.score(request_of_many._replace(candidate_row=np.full_like(request_of_many.candidate_row, 999)))
    assert (served.score(request_of_many).rec_item != NO_ITEM).any()
