"""Extra candidates follow the catalogue and the served version."""

import numpy as np

from feature_repo.basics.identity import item_hash
from feature_repo.items import catalogue as rows
from feature_repo.store.row_store import StoredRow
from headrace.arrays import DescribeAnswer
from headrace.messages.items import Item
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.catalogue.new_items import NewItems, describe


class Version:
    """Answers as a served version that knows some items; its vectors say who made them and of how long a text."""

    def __init__(self, name, width, *known, encoder=None):
        self.name, self.width, self.known = name, width, {item_hash(item) for item in known}
        self.encoder = encoder or int(name)
        self.encoded = []

    async def infer(self, _model, tensors, _rows, _kind):
        known = np.array([key in self.known for key in tensors.probe_item.tolist()], np.uint8)
        vectors = np.ones((len(tensors.text_length), self.width), np.float32) * self.encoder
        vectors[:, -1] = tensors.text_length
        self.encoded += [length for length in tensors.text_length.tolist() if length > 1]
        popular = np.zeros(100, np.int64)
        return DescribeAnswer(known, vectors, popular, np.ones(1, np.uint8), np.array([self.encoder])), self.name


class Triton:
    """Versions that answer in turns."""

    def __init__(self, *versions):
        self.versions = list(versions)
        self.requests = 0

    async def infer(self, *requested):
        self.requests += 1
        return await self.versions[self.requests % len(self.versions)].infer(*requested)


class Rows:
    """The store, with the vectors that some items have."""

    def __init__(self, **vectors):
        self.vectors = vectors

    async def read(self, _kind, keys):
        return [StoredRow(b"", b"", (self.row(key), b"", b"")) for key in keys]

    def row(self, key):
        vector, stamp = self.vectors.get(key, (b"", ""))
        return rows.pack(rows.CatalogueItem(text_vector=vector, encoder_version=stamp))


def held(new_items):
    """Vectors of the extra candidates by item hash."""
    return {
        key: vector.tolist()
        for block in new_items.blocks()
        for key, vector in zip(block.item.tolist(), block.value, strict=True)
    }


def put(catalogue, **titles):
    for item_id, title in titles.items():
        catalogue.put(Item(item_id=item_id, title=title))


class RepeatAware(Version):
    """Tells which items are bought again, as versions of the first release do not."""

    def __init__(self, name, *again):
        super().__init__(name, 4, *again)
        self.again = {item_hash(item) for item in again}

    async def infer(self, _model, tensors, _rows, _kind):
        answer, name = await super().infer(_model, tensors, _rows, _kind)
        reported = [key in self.again for key in tensors.probe_item.tolist()]
        return answer._replace(repeats=np.array(reported, np.uint8)), name


async def test_what_is_bought_again_is_learnt_from_the_version_as_the_catalogue_grows():
    catalogue, triton = Catalogue(), Triton(RepeatAware("1", "soap", "ink"))
    new_items = NewItems(catalogue, Rows(), triton)
    assert new_items.repeats.tolist() == []
    put(catalogue, soap="Soap", lamp="Lamp")
    await new_items.refresh()
    assert new_items.repeats.tolist() == [item_hash("soap")]
    put(catalogue, ink="Ink")
    await new_items.refresh()
    assert new_items.repeats.tolist() == sorted([item_hash("soap"), item_hash("ink")])
    triton.versions = [RepeatAware("2", "lamp")]
    await new_items.refresh("2", 2)
    assert (new_items.repeats.tolist(), new_items.supports_rules) == ([item_hash("lamp")], True)


async def test_a_version_that_does_not_tell_is_said_so_once(caplog):
    catalogue = Catalogue()
    new_items = NewItems(catalogue, Rows(), Triton(Version("1", 4)))
    for name in ("soap", "lamp"):
        put(catalogue, **{name: name})
        await new_items.refresh()
    assert (new_items.repeats, new_items.supports_rules) == (None, False)
    assert [record.message for record in caplog.records] == [
        "model version 1 has no repeat purchases: bought items stay in its lists"
    ]


def test_a_title_of_blanks_makes_no_empty_tensor():
    requested = describe([], [""])
    assert requested.text_bytes.size == requested.text_length.sum() == 1


async def test_a_version_that_comes_with_a_change_of_the_catalogue_is_asked_about_every_item():
    catalogue, triton = Catalogue(), Triton(Version("1", 4, "old"))
    new_items = NewItems(catalogue, Rows(), triton)
    put(catalogue, old="Old")
    await new_items.refresh()
    triton.versions = [Version("2", 8, "new")]
    put(catalogue, new="New")
    await new_items.refresh()
    assert new_items.version == "2"
    assert {key: len(vector) for key, vector in held(new_items).items()} == {item_hash("old"): 8}


async def test_a_version_that_refused_the_last_one_s_vectors_is_heard_of_after_a_doubt():
    catalogue, triton = Catalogue(), Triton(Version("1", 4))
    new_items = NewItems(catalogue, Rows(), triton)
    put(catalogue, a="A title")
    await new_items.refresh()
    triton.versions = [Version("2", 8)]
    new_items.mark_stale()
    await new_items.refresh()
    assert (new_items.version, held(new_items)) == ("2", {item_hash("a"): [2.0] * 7 + [7.0]})


async def test_a_stored_vector_is_taken_where_the_same_encoder_made_it_of_the_same_text():
    vector = np.full(4, 9, np.float32)
    catalogue, served = Catalogue(), Version("1", 4, encoder=5)
    stored = {
        "same": (vector.tobytes(), rows.stamp(5, "Same")),
        "other_text": (vector.tobytes(), rows.stamp(5, "Another title")),
        "other_weights": (vector.tobytes(), rows.stamp(6, "Other weights")),
        "by_number": (vector.tobytes(), "1"),
    }
    put(catalogue, same="Same", other_text="Other text", other_weights="Other weights", by_number="By number")
    new_items = NewItems(catalogue, Rows(**stored), Triton(served))
    await new_items.refresh()
    accepted = {key for key, found in held(new_items).items() if found == vector.tolist()}
    assert accepted == {item_hash("same")}
    assert len(held(new_items)) == 4


async def test_a_changed_title_is_encoded_again_and_no_other_is():
    catalogue, served = Catalogue(), Version("1", 4)
    new_items = NewItems(catalogue, Rows(), Triton(served))
    put(catalogue, a="Red", b="Green")
    await new_items.refresh()
    served.encoded.clear()
    put(catalogue, a="Crimson")
    await new_items.refresh()
    assert served.encoded == [len("Crimson")]
    assert held(new_items)[item_hash("a")] == [1.0, 1.0, 1.0, 7.0]
    assert held(new_items)[item_hash("b")] == [1.0, 1.0, 1.0, 5.0]


async def test_weights_that_changed_under_the_same_number_are_another_version():
    """A repository that was restored, or a rollback and a publish: version 2 is not the version 2 of before."""
    catalogue, triton = Catalogue(), Triton(Version("2", 4, encoder=5))
    new_items = NewItems(catalogue, Rows(), triton)
    put(catalogue, a="A title")
    await new_items.refresh()
    triton.versions = [Version("2", 4, "a", encoder=6)]
    await new_items.refresh("2", 6)
    assert (new_items.encoder, held(new_items)) == (6, {})


async def test_of_two_versions_that_answer_in_turns_each_gets_its_own_vectors():
    catalogue, triton = Catalogue(), Triton(Version("1", 4), Version("2", 8, "b"))
    new_items = NewItems(catalogue, Rows(), triton)
    put(catalogue, a="A title", b="B")
    for _ in range(3):
        await new_items.refresh("1", 1)
        first = held(new_items)
        await new_items.refresh("2", 2)
        second = held(new_items)
    assert all(vector[0] == 1.0 for vector in first.values())
    assert all(vector[0] == 2.0 for vector in second.values())
    assert set(second) <= {item_hash("a")}
    assert triton.requests <= 6 * 3 * 6


async def test_a_batch_of_withdrawn_items_alone_needs_no_vector():
    triton = Triton(Version("1", 4))
    assert await NewItems(Catalogue(), Rows(), triton).vectors_of_unknown({}) == {}
    assert triton.requests == 0


async def test_vectors_for_the_store_are_stamped_by_whoever_made_them():
    triton = Triton(Version("1", 4, encoder=5), Version("1", 4, encoder=6))
    texts = {f"i{n}": f"title {n}" for n in range(130)}
    found = await NewItems(Catalogue(), Rows(), triton).vectors_of_unknown(texts)
    assert set(found) == set(texts)
    for item_id, made in found.items():
        assert made.stamp == rows.stamp(int(np.frombuffer(made.vector, np.float32)[0]), texts[item_id])
