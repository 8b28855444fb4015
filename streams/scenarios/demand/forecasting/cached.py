"""What forecasts made at earlier closed windows say of windows that are still to be judged.

A forecast sees units and prices of windows that were evaluated when it was made, and those change no more: made again
by the same version, for the same category, it would say the same. So it is kept beside the item's row, in memory alone
and packed, since there are many items.
"""

import msgspec
from msgspec import Struct

from headrace.arrays import DEMAND_SPAN
from streams.scenarios.demand.alerts.anomaly import Moments


class CachedForecasts(Struct, array_like=True, gc=False):
    """What forecasts of one item say, by the start of their first window, ms.

    Attributes:
        category: hash of the category that the model was given.
        one: of their first window.
        span: of their first `DEMAND_SPAN` windows together.
    """

    category: int
    one: dict[int, Moments] = {}
    span: dict[int, Moments] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(CachedForecasts)


def unpack(packed: bytes | None, category: int) -> CachedForecasts:
    """What is kept of an item; nothing where it was made for another category."""
    if packed:
        cached = _decoder.decode(packed)
        if cached.category == category:
            return cached
    return CachedForecasts(category)


def pack(cached: CachedForecasts, judged: int, window_ms: int) -> bytes:
    """What closed windows after that of the window at `judged`, ms, will need."""
    one = {start: moments for start, moments in cached.one.items() if start > judged}
    oldest = judged + window_ms - (DEMAND_SPAN - 1) * window_ms  # what the next window looks back from
    span = {start: moments for start, moments in cached.span.items() if start >= oldest}
    return _encoder.encode(CachedForecasts(cached.category, one, span))
