"""Shoppers' recent events as rows of the history tensors."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.basics.identity import item_hash
from feature_repo.shoppers.context import ACTION_BITS
from feature_repo.shoppers.history import cells, write_histories
from feature_repo.shoppers.recent import RECENT, Recent, RecentEvent
from headrace.arrays import HISTORY

EVENTS = st.builds(
    RecentEvent,
    timestamp=st.integers(0, 10_000),
    action=st.integers(1, 9),
    item_id=st.sampled_from(["mug", "pot", "cup"]),
    quantity=st.just(1),
    price_cents=st.just(-1),
    channel=st.integers(0, 31),
)
SHOPPERS = st.lists(st.lists(EVENTS, max_size=RECENT + 2).map(Recent.of), min_size=1, max_size=6)


@given(SHOPPERS)
def test_each_row_ends_with_its_own_shoppers_newest_event(recents):
    items, times = (np.zeros((len(recents), HISTORY), np.int64) for _ in range(2))
    actions = np.zeros((len(recents), HISTORY), np.int32)
    write_histories(recents, items, actions, times)
    for row, recent in enumerate(recents):
        events = list(recent)
        padding = [0] * (HISTORY - len(events))
        assert items[row].tolist() == padding + [item_hash(event.item_id) for event in events]
        assert actions[row].tolist() == padding + [event.action | event.channel << ACTION_BITS for event in events]
        assert times[row].tolist() == padding + [event.timestamp for event in events]


def test_what_rows_hold_is_counted_off_row_by_row():
    row, place = cells([2, 0, 3])
    assert row.tolist() == [0, 0, 2, 2, 2]
    assert place.tolist() == [0, 1, 0, 1, 2]
