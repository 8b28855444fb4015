"""A context by the names of its blocks answers as one that comes along whole."""

import numpy as np
import pytest
import torch

from headrace.arrays import BOOST_BLOCK, CATEGORY_BLOCK, EXTRA_BLOCK, WITHDRAWN_BLOCK
from model_repo.headrace.contexts import Contexts, UnknownBlocks
from model_repo.headrace.scorer import ServedScorer
from streams.serving.catalogue.context_blocks import Block, Blocks, CatalogueContext, block_of, named
from tests.unit.trainer.publishing.test_scorer import WIDTH, request, scorer

ENCODER = 77


def context(extra: int = 3, withdrawn: tuple[int, ...] = (12, 15)) -> list[Block]:
    """New items from 1000 on, that like every history; item 20 is popular."""
    new = Blocks(EXTRA_BLOCK)
    for number in range(1_000, 1_000 + extra):
        new.put(number, (np.ones(WIDTH, np.float32) * (number - 990)).tobytes())
    return [
        block_of(WITHDRAWN_BLOCK, np.array(withdrawn)),
        *new.blocks(),
        block_of(BOOST_BLOCK, np.array([20]), np.array([3.0], np.float32)),
    ]


def whole(blocks: list[Block]) -> dict[str, torch.Tensor]:
    return tensors(named(blocks, {block.name for block in blocks})._replace(context_block=np.zeros(1, np.int64)))


def tensors(shop: CatalogueContext) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in shop._asdict().items()}


def block_request(
    blocks: list[Block], sent: "set[int] | None" = None, encoder: int = ENCODER
) -> dict[str, torch.Tensor]:
    return request([[11, 13], [14]], **tensors(named(blocks, sent or (), encoder)))


def names(blocks: list[Block]) -> set[int]:
    return {block.name for block in blocks}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name].nan_to_num(9), other[name].nan_to_num(9)) for name in one)


@pytest.fixture
def made() -> ServedScorer:
    return scorer()


def test_a_named_context_answers_as_a_whole_one(made: ServedScorer):
    held, blocks = Contexts(made.items, ENCODER), context()
    inline = made.score(request([[11, 13], [14]], **whole(blocks)))
    first = block_request(blocks, names(blocks))
    assert same(made.score(first, held.of(first)), inline)
    again = block_request(blocks)
    assert same(made.score(again, held.of(again)), inline)
    assert 1_000 in inline["rec_item"]
    assert 12 not in inline["rec_item"]


def test_what_is_not_held_is_asked_for_by_name(made: ServedScorer):
    held, blocks = Contexts(made.items, ENCODER), context()
    with pytest.raises(UnknownBlocks) as unknown:
        held.of(block_request(blocks))
    assert set(unknown.value.names) == names(blocks)
    held.of(block_request(blocks, names(blocks)))
    changed = context(withdrawn=(12,))
    with pytest.raises(UnknownBlocks) as unknown:
        held.of(block_request(changed))
    assert set(unknown.value.names) == names(changed) - names(blocks)


def test_what_came_along_is_held_though_more_was_missing(made: ServedScorer):
    held, blocks = Contexts(made.items, ENCODER), context()
    some = {blocks[0].name}
    with pytest.raises(UnknownBlocks):
        held.of(block_request(blocks, some))
    with pytest.raises(UnknownBlocks) as unknown:
        held.of(block_request(blocks))
    assert set(unknown.value.names) == names(blocks) - some


def test_a_request_that_names_no_block_is_complete_in_itself(made: ServedScorer):
    held = Contexts(made.items, ENCODER)
    assert held.of(request([[11]])) is None
    assert held.of(request([[11]], **whole(context()))) is None


def test_vectors_of_another_encoder_are_left_out(made: ServedScorer):
    held, blocks = Contexts(made.items, ENCODER), context()
    without = made.score(request([[11, 13], [14]], **whole([b for b in blocks if b.kind != EXTRA_BLOCK])))
    others = block_request(blocks, names(blocks), encoder=78)
    assert same(made.score(others, held.of(others)), without)
    ours = block_request(blocks)
    assert 1_000 in made.score(ours, held.of(ours))["rec_item"]


def test_vectors_of_another_width_by_another_encoder_are_no_error(made: ServedScorer):
    held = Contexts(made.items, ENCODER)
    wide = [block_of(EXTRA_BLOCK, np.array([1_000]), np.ones((1, WIDTH + 3), np.float32))]
    others = block_request(wide, names(wide), encoder=78)
    assert 1_000 not in made.score(others, held.of(others))["rec_item"]


def test_blocks_that_nobody_names_any_more_make_room(made: ServedScorer):
    held = Contexts(made.items, ENCODER, most_bytes=20_000)
    for round in range(50):
        blocks = context(extra=100 + round, withdrawn=(12, 15 + round % 7))
        request = block_request(blocks, names(blocks))
        assert held.of(request) is not None
        assert held.bytes <= 20_000


def test_a_context_larger_than_what_is_kept_is_answered_all_the_same(made: ServedScorer):
    held, blocks = Contexts(made.items, ENCODER, most_bytes=100), context(extra=500)
    sent = block_request(blocks, names(blocks))
    assert 1_499 in made.score(sent, held.of(sent))["rec_item"]


def test_a_block_that_lies_about_its_rows_is_an_error(made: ServedScorer):
    blocks = context()
    sent = block_request(blocks, names(blocks))
    sent["block_sent"][:, 2] += 50
    with pytest.raises(ValueError, match="fewer rows"):
        Contexts(made.items, ENCODER).of(sent)


def test_categories_by_the_names_of_their_blocks_answer_as_those_that_come_whole(made: ServedScorer):
    placed = Blocks(CATEGORY_BLOCK)
    for number in range(10, 70):
        placed.put(number, np.array([100 + number % 2, 300], np.int64).tobytes())
    held, blocks = Contexts(made.items, ENCODER), [*context(0), *placed.blocks()]
    kept = {"kept_category": torch.tensor([[101], [300]])}
    inline = made.score({**request([[11, 13], [14]], **whole(blocks)), **kept})
    for sent in (names(blocks), set[int]()):
        again = {**block_request(blocks, sent), **kept}
        assert same(made.score(again, held.of(again)), inline)
    assert (inline["rec_item"][0] % 2 == 1).all()
    assert (inline["rec_item"][1] % 2 == 0).any()
