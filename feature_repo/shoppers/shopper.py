"""A shopper's features: the packed row, and the fold that updates it online and builds it offline.

The fold sees the event and the row, nothing else (rule 6): no clock, no catalogue, no I/O. What needs the catalogue
(category affinity, price level against catalogue prices) is computed when the row is read, in `joined`.
"""

from typing import Final

import msgspec
from msgspec import Struct

from feature_repo.basics import money
from feature_repo.basics.actions import ACTION_CODE, ITEM_ACTIONS
from feature_repo.basics.identity import packed_hash
from feature_repo.basics.schema import reader
from feature_repo.shoppers.context import channel_bucket
from feature_repo.shoppers.recent import RECENT, Recent, RecentEvent, in_order
from headrace.messages.events import Event, EventType

REMEMBERED: Final = 1_024
"""Items a row remembers as bought, and as seen before its recent events; beyond it the oldest are forgotten."""
ALIASES: Final = 16
CHANNELS: Final = 32
CHANNEL_LENGTH: Final = 64
SESSION_GAP_MS: Final = 30 * 60_000


class Session(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """The current session: ended by 30 minutes of event time without an event."""

    start: int = -1
    last: int = -1
    events: int = 0
    items: int = 0
    carts: int = 0
    count: int = 0  # sessions so far, this one included


class ShopperState(Struct, array_like=True, forbid_unknown_fields=True):
    """All features of a shopper. Times are event time in ms, money as in `money`."""

    unused: list[int] = []  # holds the place: fields are known by their order
    counts: list[int] = []  # events by action code; as long as the newest code seen
    last: list[int] = []  # newest timestamp by action code, 0 for never
    session: Session = msgspec.field(default_factory=Session)
    price_sum: int = 0  # of the prices that views, carts and purchases carried
    price_count: int = 0
    spent: int = 0
    channels: dict[str, int] = {}
    bought: bytes = b""  # item hashes, 8 bytes each, oldest first
    seen: bytes = b""  # likewise, of items of which an event has left `recent`
    aliases: list[str] = []
    last_query: str = ""
    recent: Recent = Recent()
    price_rest: int = 0  # of `price_sum`, in millionths: less than one hundredth
    spent_rest: int = 0  # likewise, of `spent`


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_read = reader(ShopperState)


def pack(state: ShopperState) -> bytes:
    """The row's bytes: equal states give equal bytes."""
    return _encoder.encode(state)


def unpack(packed: bytes) -> ShopperState:
    """The inverse of `pack`; no bytes give a shopper of whom nothing is known."""
    return _read(packed)


def seen_items(state: ShopperState) -> bytes:
    """Hashes of all items that the row remembers as seen, 8 bytes each; one may be there twice."""
    lately = dict.fromkeys(state.recent.items)
    return state.seen + b"".join([packed_hash(item_id) for item_id in lately])


def fold(state: ShopperState, event: Event) -> None:
    """Fold one event into a shopper's row, in place."""
    code = ACTION_CODE[event.type]
    missing = code + 1 - len(state.counts)
    if missing > 0:
        state.counts += [0] * missing
        state.last += [0] * missing
    state.counts[code] += 1
    state.last[code] = max(state.last[code], event.timestamp)
    _fold_channel(state.channels, event.channel)
    _fold_session(state.session, event)
    if event.type in ITEM_ACTIONS and event.item_id is not None:
        _fold_item(state, event, event.item_id, code)
    elif event.type is EventType.SEARCH:
        state.last_query = (event.query or "")[:256]
    elif event.type is EventType.IDENTIFY:
        state.aliases = _with_aliases(state.aliases, event)


def _fold_channel(channels: dict[str, int], channel: str) -> None:
    """Count the platform; a row has room for so many, and no more, so that a careless producer cannot swell it."""
    name = channel[:CHANNEL_LENGTH]
    if name in channels or len(channels) < CHANNELS:
        channels[name] = channels.get(name, 0) + 1


def _fold_session(session: Session, event: Event) -> None:
    if session.last < 0 or event.timestamp - session.last > SESSION_GAP_MS:
        session.start = event.timestamp
        session.events = session.items = session.carts = 0
        session.count += 1
    session.last = max(session.last, event.timestamp)
    session.events += 1
    session.items += event.item_id is not None
    session.carts += event.type is EventType.ADD_TO_CART


def _fold_item(state: ShopperState, event: Event, item_id: str, code: int) -> None:
    price = money.held(event.price)
    _remember_event(
        state, RecentEvent(event.timestamp, code, item_id, event.quantity, price, channel_bucket(event.channel))
    )
    if price != money.NO_PRICE and event.type is not EventType.RETURN:
        state.price_sum, state.price_rest = money.plus(state.price_sum, state.price_rest, price)
        state.price_count += 1
    if event.type is EventType.PURCHASE:
        state.bought = _remember(state.bought, packed_hash(item_id))
        state.spent, state.spent_rest = money.plus(state.spent, state.spent_rest, price, event.quantity)


def _remember_event(state: ShopperState, event: RecentEvent) -> None:
    if len(state.recent) >= RECENT:
        leaving = min(event, state.recent.oldest, key=in_order)
        state.seen = _remember(state.seen, packed_hash(leaving.item_id))
    state.recent = state.recent.having(event)


def _remember(known: bytes, packed: bytes) -> bytes:
    at = known.find(packed)
    while at >= 0 and at % 8:  # a match across two neighbours is no match
        at = known.find(packed, at + 1)
    return known if at >= 0 else (known + packed)[-8 * REMEMBERED :]


def _with_aliases(aliases: list[str], event: Event) -> list[str]:
    new = [a for a in event.user_ids or [] if a != event.user_id and a not in aliases]
    return (aliases + new)[-ALIASES:]
