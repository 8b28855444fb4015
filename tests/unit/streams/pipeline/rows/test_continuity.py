"""What of a partition must be in the store, and when its fence says that it is not."""

import pytest

from feature_repo.basics.fences import Fence
from feature_repo.store.row_store import StoredRow
from headrace.errors import RowsLost
from headrace.topics import Topic, item_updates, rekeyed
from streams.pipeline.rows.continuity import Continuity

GROUP = "shop"


def fence(**offsets: int) -> Fence:
    made = Fence()
    for origin, offset in offsets.items():
        made.advance(origin, offset)
    return made


@pytest.mark.parametrize(
    ("topic", "row"),
    [
        (Topic.EVENTS, "events/2"),
        (rekeyed(GROUP), "events/2"),
        (item_updates(GROUP), "items/2"),
        (Topic.ITEMS, "catalogue/2"),
    ],
)
def test_the_row_of_every_partition_that_is_folded_holds_its_place(topic, row):
    continuity = Continuity(GROUP)
    continuity.assign({(topic, 2): 40})
    continuity.verify(row, fence(**{f"{topic}/2": 40}))
    continuity.verify(row, fence(**{f"{topic}/2": 41}))
    with pytest.raises(RowsLost, match=rf"{topic} partition 2: offset 40 was folded, and its rows reach 39\."):
        continuity.verify(row, fence(**{f"{topic}/2": 39}))
    with pytest.raises(RowsLost, match="its rows are gone"):
        continuity.verify(row, fence(**{f"{topic}/1": 99}))


def test_offsets_that_nobody_has_noted_ask_nothing_of_the_store():
    continuity = Continuity(GROUP)
    continuity.assign({(Topic.EVENTS, 0): -1, (Topic.SCORE_REQUESTS, 0): 7})
    continuity.verify("events/0", Fence())
    continuity.mark_written(Topic.EVENTS, 0, 0)
    with pytest.raises(RowsLost):
        continuity.verify("events/0", Fence())


def test_what_this_worker_has_written_must_be_there_as_well():
    continuity = Continuity(GROUP)
    continuity.assign({(Topic.EVENTS, 0): 5})
    continuity.mark_written(Topic.EVENTS, 0, 9)
    continuity.mark_written(Topic.EVENTS, 0, 8)  # a batch that came again
    with pytest.raises(RowsLost, match="offset 9 was folded, and its rows reach 5"):
        continuity.verify("events/0", fence(**{"events/0": 5}))


def test_of_two_origins_that_share_a_row_each_counts():
    continuity = Continuity(GROUP)
    continuity.assign({(Topic.EVENTS, 0): 5, (rekeyed(GROUP), 0): 3})
    with pytest.raises(RowsLost, match="rekeyed partition 0"):
        continuity.verify("events/0", fence(**{"events/0": 5}))


def test_partitions_that_went_to_another_worker_are_its_business():
    continuity = Continuity(GROUP)
    continuity.assign({(Topic.EVENTS, 0): 5, (Topic.EVENTS, 1): 5})
    with pytest.raises(RowsLost):
        continuity.verify("events/0", Fence())
    continuity.assign({(Topic.EVENTS, 1): 6})
    continuity.verify("events/0", Fence())


class Rows:
    """A store whose worker writes while its rows are read."""

    def __init__(self, continuity):
        self.continuity = continuity

    async def read(self, _kind, keys):
        rows = [StoredRow(fence(**{key: 5}).pack(), b"", ()) for key in keys]
        self.continuity.mark_written(Topic.EVENTS, 0, 6)
        return rows


async def test_what_is_written_while_rows_are_read_raises_no_alarm():
    continuity = Continuity(GROUP)
    continuity.assign({(Topic.EVENTS, 0): 5, (Topic.EVENTS, 1): 5})
    await continuity.verify_all(Rows(continuity))
    with pytest.raises(RowsLost, match="events partition 0: offset 6"):
        await continuity.verify_all(Rows(continuity))
