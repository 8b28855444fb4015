"""Rules 2 and 5: what a row has folded, and which event ids it has seen."""

from feature_repo.basics.fences import SEEN_IDS, Fence, SeenIds


def test_a_record_at_or_under_the_fence_is_passed():
    fence = Fence()
    fence.advance("events/0", 5)
    assert [fence.passed("events/0", offset) for offset in (4, 5, 6)] == [True, True, False]


def test_origins_are_fenced_apart():
    fence = Fence()
    fence.advance("events/0", 5)
    assert not fence.passed("events/1", 5)


def test_a_fence_never_goes_back():
    fence = Fence()
    fence.advance("events/0", 5)
    fence.advance("events/0", 3)
    assert fence.passed("events/0", 5)


def test_each_record_enters_once_and_none_that_was_passed():
    fence = Fence()
    fence.advance("events/0", 5)
    entered = [fence.enter(*place) for place in [("events/0", 5), ("events/0", 7), ("events/0", 6), ("events/1", 0)]]
    assert entered == [False, True, False, True]
    assert fence.passed("events/0", 7)
    assert not fence.passed("events/0", 8)


def test_equal_fences_pack_equal_whatever_the_order_of_origins():
    one, other = Fence(), Fence()
    for fence, origins in ((one, ("a/0", "b/0")), (other, ("b/0", "a/0"))):
        for origin in origins:
            fence.advance(origin, 9)
    assert one.pack() == other.pack()
    assert Fence(one.pack()).passed("b/0", 9)


def test_the_last_256_ids_are_seen_and_no_older():
    assert SEEN_IDS == 256
    seen = SeenIds()
    for tie in range(SEEN_IDS + 1):
        seen.add(tie)
    restored = SeenIds(seen.pack())
    assert 0 not in restored
    assert all(tie in restored for tie in range(1, SEEN_IDS + 1))
    assert len(restored.pack()) == 1 + 6 * SEEN_IDS


def test_the_64_ids_that_version_3_kept_are_seen_still_and_make_room_for_more():
    stored = SeenIds()
    for tie in range(64):
        stored.add(tie)
    seen = SeenIds(stored.pack())
    for tie in range(64, SEEN_IDS):
        seen.add(tie)
    assert all(tie in seen for tie in range(SEEN_IDS))


def test_no_id_takes_no_bytes():
    assert SeenIds().pack() == b""
