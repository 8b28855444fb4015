"""Extra candidates follow the catalogue and the served version."""

import numpy as np

from feature_repo.identity import item_hash
from feature_repo.row_store import StoredRow
from streams.engine.catalogue import Catalogue
from streams.engine.new_items import NewItems, describe
from streams.messages.items import Item
from streams.messages.wire import DescribeAnswer


class Version:
    """Answers as a served version that knows some items and makes vectors of some width."""

    def __init__(self, name, width, *known):
        self.name, self.width, self.known = name, width, {item_hash(item) for item in known}

    async def ask(self, _model, tensors, _rows, _kind):
        known = np.array([key in self.known for key in tensors.probe_item.tolist()], np.uint8)
        vectors = np.ones((len(tensors.text_length), self.width), np.float32)
        return DescribeAnswer(known, vectors, np.zeros(100, np.int64), np.ones(1, np.uint8)), self.name


class NoRows:
    async def read(self, _kind, keys):
        return [StoredRow(b"", b"", (b"", b"", b"")) for _ in keys]


def test_a_title_of_blanks_makes_no_empty_tensor():
    asked = describe([], [""])
    assert asked.text_bytes.size == asked.text_length.sum() == 1


async def test_a_version_that_comes_with_a_change_of_the_catalogue_is_asked_about_every_item():
    catalogue, served = Catalogue(), {"": Version("1", 4, "old")}

    class Triton:
        async def ask(self, *asked):
            return await served[""].ask(*asked)

    new_items = NewItems(catalogue, NoRows(), Triton())
    catalogue.put(Item(item_id="old", title="Old"))
    await new_items.refresh()
    served[""] = Version("2", 8, "new")
    catalogue.put(Item(item_id="new", title="New"))
    await new_items.refresh()
    assert new_items.version == "2"
    assert new_items.items.tolist() == [item_hash("old")]
    assert new_items.matrix.shape == (1, 8)


async def test_a_version_that_refused_the_last_one_s_vectors_is_heard_of_after_a_doubt():
    catalogue, served = Catalogue(), {"": Version("1", 4)}

    class Triton:
        async def ask(self, *asked):
            return await served[""].ask(*asked)

    new_items = NewItems(catalogue, NoRows(), Triton())
    catalogue.put(Item(item_id="a", title="A"))
    await new_items.refresh()
    served[""] = Version("2", 8)
    new_items.doubt()
    await new_items.refresh()
    assert (new_items.version, new_items.matrix.shape) == ("2", (1, 8))
