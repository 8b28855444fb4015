"""A context's blocks are named by their content, and one item more changes one of them."""

import numpy as np

from feature_repo.basics.identity import item_hash
from headrace.arrays import BOOST_BLOCK, EXTRA_BLOCK, WITHDRAWN_BLOCK, ScoreTensors
from headrace.messages.items import Item
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.catalogue.context import ShopContext
from streams.serving.catalogue.context_blocks import EMPTY, Blocks, block_of, named

WIDTH = 64


def vector(number: int) -> bytes:
    return np.full(WIDTH, number, np.float32).tobytes()


def blocks_of(numbers: "range | list[int]") -> Blocks:
    made = Blocks(EXTRA_BLOCK)
    for number in numbers:
        made.put(item_hash(str(number)), vector(number))
    return made


def names(made: Blocks) -> set[int]:
    return {block.name for block in made.blocks()}


def test_the_same_items_have_the_same_blocks_in_whatever_order_they_came():
    assert names(blocks_of(range(2_000))) == names(blocks_of(list(reversed(range(2_000)))))


def test_every_item_stands_in_one_block_with_its_vector():
    found = {
        key: value[0]
        for block in blocks_of(range(2_000)).blocks()
        for key, value in zip(block.item.tolist(), block.value.tolist(), strict=True)
    }
    assert found == {item_hash(str(number)): float(number) for number in range(2_000)}


def test_one_item_more_of_twenty_thousand_sends_a_hundredth_part_of_them_again():
    made = blocks_of(range(20_000))
    before = names(made)
    made.put(item_hash("new"), vector(1))
    sent = named(made.blocks(), names(made) - before)
    assert len(names(made) - before) == 1
    assert item_hash("new") in sent.extra_item.tolist()
    assert 0 < sent.extra_vector.nbytes < 20_000 * WIDTH * 4 // 100
    assert sum(array.nbytes for array in named(made.blocks())) < 8_000


def test_an_item_a_second_sends_little_also_while_the_blocks_are_parted_anew():
    made, known, sent = Blocks(EXTRA_BLOCK), set(), 0
    for number in range(5_000):
        made.put(item_hash(str(number)), vector(number))
        new = [block for block in made.blocks() if block.name not in known]
        known |= {block.name for block in new}
        sent += sum(len(block.item) for block in new)
    assert sent < 5_000 * 128 * 2


def test_what_is_taken_out_is_gone_and_what_comes_back_has_its_old_name():
    made = blocks_of(range(500))
    before = names(made)
    made.discard(item_hash("7"))
    assert item_hash("7") not in made
    assert len(made) == 499
    assert names(made) != before
    made.put(item_hash("7"), vector(7))
    assert names(made) == before


def test_another_vector_is_another_block():
    made = blocks_of(range(3))
    before = names(made)
    made.put(item_hash("1"), vector(9))
    assert not names(made) & before


def test_kinds_never_share_a_name():
    item = np.array([1, 2])
    assert block_of(WITHDRAWN_BLOCK, item).name != block_of(BOOST_BLOCK, item).name


def test_a_context_of_nothing_is_named_as_well():
    assert named([]).context_block.tolist() == [EMPTY.name] != [0]


def test_every_tensor_of_a_context_is_one_of_a_request_and_none_but_categories_is_empty():
    for context in (named([]), named(blocks_of(range(300)).blocks(), names(blocks_of(range(300))))):
        assert set(context._fields) <= set(ScoreTensors._fields)
        empty = {name for name, array in context._asdict().items() if not array.size}
        assert empty == {"category_item", "category"}  # not sent, as no list is held to any


class Nothing:
    """Nothing is new, nothing trends."""

    items = np.array([0])
    boost = np.zeros(1, np.float32)

    def blocks(self):
        return []


def withdrawn(context: ShopContext) -> set[int]:
    return {key for block in context.blocks() for key in block.item.tolist()}


def test_withdrawn_items_follow_the_catalogue():
    catalogue = Catalogue()
    context = ShopContext(catalogue, Nothing(), Nothing())
    for number in range(300):
        catalogue.put(Item(item_id=str(number), title="T"))
    assert withdrawn(context) == set()
    for number in range(200):
        catalogue.withdraw(str(number))
    assert withdrawn(context) == {item_hash(str(number)) for number in range(200)}
    catalogue.put(Item(item_id="7", title="Back"))
    assert withdrawn(context) == {item_hash(str(number)) for number in range(200)} - {item_hash("7")}


def test_what_only_a_version_knows_is_delisted_until_the_catalogue_tells_of_it():
    catalogue = Catalogue()
    context = ShopContext(catalogue, Nothing(), Nothing())
    context.delist([item_hash("ghost")])
    assert withdrawn(context) == {item_hash("ghost")}
    catalogue.put(Item(item_id="ghost", title="There"))
    assert withdrawn(context) == set()


def test_items_that_a_version_makes_up_without_end_do_not_fill_the_context():
    context = ShopContext(Catalogue(), Nothing(), Nothing())
    context.delist(range(1, 100_000))
    assert len(withdrawn(context)) == 65_536
