"""What the folds promise of any events: how a stream is cut, repeated or interleaved leaves no trace."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.items import item
from feature_repo.items.item import ItemActivity
from feature_repo.shoppers import shopper
from feature_repo.shoppers.shopper import ShopperState
from feature_repo.store.row_store import StoredRow
from headrace.messages.events import NEEDED, Event, EventType
from headrace.messages.internal import ItemUpdate
from headrace.settings.model import Settings
from streams.kafka.transport import RawRecord
from streams.pipeline.shoppers.decode import Accepted, RecordPosition
from streams.pipeline.shoppers.fold import BatchFold
from streams.pipeline.shoppers.rows import ShopperRow, SourceRow
from streams.scenarios.ctr import CTR
from streams.scenarios.recommend.scenario import RECOMMEND

HOUR = 3_600_000
few_examples = settings(max_examples=60)
EMPTY = StoredRow(b"", b"", (b"", b""))
SETTINGS = Settings()
ITEMS = st.sampled_from(["tea", "mate", "cup"])
FILLED = {
    "item_id": ITEMS,
    "items": st.lists(ITEMS, min_size=1, max_size=4),
    "query": st.text(max_size=8),
    "user_ids": st.lists(st.sampled_from(["u", "v", "w"]), max_size=3),
}


@st.composite
def streams(draw, users=("u", "v", "w")):
    """Events as a partition would hold them; an id may come again."""
    events: list[Event] = []
    for number in range(draw(st.integers(1, 25))):
        kind = draw(st.sampled_from(list(EventType)))
        retried = draw(st.booleans()) and number > 0
        events.append(
            Event(
                event_id=f"e{number - retried}",
                type=kind,
                user_id=draw(st.sampled_from(users)),
                timestamp=draw(st.integers(0, 60)) * HOUR // 7,
                quantity=draw(st.integers(1, 3)),
                price=draw(st.none() | st.floats(0, 500, allow_nan=False)),
                channel=draw(st.sampled_from(["web", "app"])),
                **{NEEDED[kind]: draw(FILLED[NEEDED[kind]])},
            )
        )
    return events


class Shop:
    """Rows that live through batches as they would in the store."""

    def __init__(self) -> None:
        self.rows: dict[str, StoredRow] = {}
        self.queried: list[str] = []
        self._source = EMPTY

    def take(self, events: Sequence[Event], first: int = 0) -> "Shop":
        records = [_taken(event, first + n) for n, event in enumerate(events)]
        rows = {t.input.user_id: ShopperRow(t.input.user_id, self.rows.get(t.input.user_id, EMPTY)) for t in records}
        source = SourceRow(0, self._source)
        fold = BatchFold((CTR, RECOMMEND), SETTINGS, rows, source, lambda _: ())
        for record in records:
            fold.fold(record)
        self.rows |= {
            w.key: StoredRow(w.fence, w.seen, tuple(state or b"" for state in w.states))
            for w in (row.to_write() for row in rows.values() if row.newest >= 0)
        }
        [mark] = source.to_writes()
        self._source = StoredRow(mark.fence, mark.seen, (mark.states[0] or b"", b""))
        self.queried += [queried.output_id for queried in fold.folded.queries]
        return self


def _taken(event: Event, offset: int) -> Accepted:
    return Accepted(
        event, RecordPosition("events", 0, offset), RawRecord("events", 0, offset, 24 * HOUR, None, b"{}", ())
    )


def _states(shop: Shop) -> dict[str, tuple[bytes, ...]]:
    return {user: row.states for user, row in shop.rows.items()}


@few_examples
@given(streams(), st.integers(0, 25))
def test_the_fold_of_a_concatenation_is_the_fold_of_folds(events, cut):
    whole, parts = Shop().take(events), Shop().take(events[:cut]).take(events[cut:], first=cut)
    assert parts.rows == whole.rows
    assert parts.queried == whole.queried


@few_examples
@given(streams(), st.integers(0, 25))
def test_what_a_prefix_asks_is_a_prefix_of_what_all_ask(events, cut):
    assert Shop().take(events).queried[: len(queried := Shop().take(events[:cut]).queried)] == queried


@few_examples
@given(streams(), st.integers(0, 25))
def test_what_comes_again_changes_and_asks_nothing(events, cut):
    once, again = Shop().take(events), Shop().take(events).take(events[cut:], first=cut)
    assert (again.rows, again.queried) == (once.rows, once.queried)


@few_examples
@given(streams(), st.randoms(use_true_random=False))
def test_how_shoppers_interleave_leaves_no_trace(events, random):
    lanes = {user: [event for event in events if event.user_id == user] for user in "uvw"}
    mixed: list[Event] = []
    while any(lanes.values()):
        mixed.append(lanes[random.choice([user for user, lane in lanes.items() if lane])].pop(0))
    assert _states(Shop().take(mixed)) == _states(Shop().take(events))


@few_examples
@given(streams(users=("u",)))
def test_a_row_packed_after_every_event_is_the_row_packed_once(events):
    at_once, packed = ShopperState(), b""
    for event in events:
        shopper.fold(at_once, event)
        state = shopper.unpack(packed)
        shopper.fold(state, event)
        packed = shopper.pack(state)
    assert packed == shopper.pack(at_once)


DELTAS = st.builds(
    ItemUpdate,
    offset=st.just(0),
    item_id=st.just("tea"),
    action=st.integers(0, 9),
    timestamp=st.integers(0, 500).map(lambda n: n * HOUR // 3),
    quantity=st.integers(1, 5),
    price_cents=st.integers(-1, 900),
    late=st.booleans(),
    shard=st.just(-1),
)


@few_examples
@given(st.lists(DELTAS, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_an_items_deltas_leaves_no_trace(updates, random):
    shuffled = list(updates)
    random.shuffle(shuffled)
    rows = []
    for order in (updates, shuffled):
        state = ItemActivity()
        for update in order:
            item.fold(state, update, HOUR)
            state = item.unpack(item.pack(state))
        rows.append(item.pack(state))
    assert rows[0] == rows[1]
