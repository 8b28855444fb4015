"""Where an event happened stays with it, beside what it was."""

import numpy as np

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.shoppers.context import ACTION_BITS, BUCKETS, action_on_channel, channel_bucket
from feature_repo.shoppers.history import write_histories
from feature_repo.shoppers.shopper import ShopperState, fold, pack, unpack
from headrace.messages.events import Event, EventType

VIEW = ACTION_CODE["view"]


def test_a_channel_has_the_same_bucket_everywhere_and_none_is_nothing():
    assert channel_bucket("web") == channel_bucket("web") != channel_bucket("app")
    assert all(1 <= channel_bucket(f"kiosk-{n}") <= BUCKETS for n in range(200))


def test_every_action_fits_beside_a_channel():
    assert max(ACTION_CODE.values()) < 1 << ACTION_BITS
    [code] = action_on_channel(np.array([VIEW], np.int32), np.array([BUCKETS], np.int32)).tolist()
    assert (code & (1 << ACTION_BITS) - 1, code >> ACTION_BITS) == (VIEW, BUCKETS)


def test_the_history_carries_the_channel_of_each_event():
    state = ShopperState()
    for at, channel in enumerate(("web", "app")):
        fold(
            state,
            Event(event_id=f"e{at}", type=EventType.VIEW, user_id="u", timestamp=at, item_id="mug", channel=channel),
        )
    items, actions, times = np.zeros((1, 50), np.int64), np.zeros((1, 50), np.int32), np.zeros((1, 50), np.int64)
    write_histories([unpack(pack(state)).recent], items, actions, times)
    assert (actions[0, -2:] >> ACTION_BITS).tolist() == [channel_bucket("web"), channel_bucket("app")]
    assert (actions[0, -2:] & (1 << ACTION_BITS) - 1).tolist() == [VIEW, VIEW]
