"""Turn the UCI file "Online Retail" into a recorded stream.

Every line of the file is counted under exactly one of `Outcome`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from msgspec import Struct

from streams.errors import UsageError
from streams.messages.events import EventType
from streams.recordings import Report, say_nothing
from streams.recordings.importing.sources import Cell, read_table
from streams.recordings.outgoing import NewEvent, NewItem, event_record, item_record
from streams.recordings.writing import RecordingWriter

_COLUMNS: Final = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
#: Goods have a code of five digits, or a sister shop's; POST, D, M, gift_0001_20 and the like are no goods.
_GOODS: Final = re.compile(r"^(\d{5}|DCGS)", re.IGNORECASE)
_CARRIAGE: Final = "23444"  # "Next Day Carriage" has a code like goods have
_DATE_FORMATS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M")
_REPORT_EVERY: Final = 2_000


class Outcome(StrEnum):
    """What became of a line."""

    PURCHASE = "purchases"
    RETURN = "returns"
    FEE = "fees"  # postage, discount, commission, voucher, manual entry: no goods
    ADJUSTMENT = "adjustments"  # stock written off or found, bad debt: no shopper
    OUTSIDE = "outside_period"
    UNREADABLE = "unreadable"


class Line(NamedTuple):
    """A line of an invoice; `number` counts from 1 within it, so that ids do not depend on the period."""

    invoice: str
    number: int
    stock_code: str
    description: str
    quantity: int
    timestamp: int  # ms, the invoice's minute read as UTC
    price: float
    customer: str
    country: str


class Imported(Struct, frozen=True, kw_only=True):
    """What was read and written; the outcomes add up to `lines`."""

    lines: int
    purchases: int
    returns: int
    fees: int
    adjustments: int
    outside_period: int
    unreadable: int
    events: int
    items: int
    users: int
    out: str


def import_online_retail(
    source: Path,
    out: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    report: Report = say_nothing,
) -> Imported:
    """Write purchases and returns, and before them the items they name, as a recorded stream.

    Args:
        source: `.csv`, `.csv.xz` or `.xlsx`.
        out: the recorded stream.
        since: first moment to take in.
        until: first moment to leave out.
        report: progress in lines.

    Raises:
        UsageError: the source is not this file, or holds nothing in the period.
    """
    counts: Counter[Outcome] = Counter()
    kept: list[Line] = []
    first, end = _milliseconds(since, 0), _milliseconds(until, 1 << 62)
    for number, line in enumerate(read_lines(source), 1):
        outcome = judge(line, first, end)
        counts[outcome] += 1
        if line is not None and outcome in {Outcome.PURCHASE, Outcome.RETURN}:
            kept.append(line)
        if number % _REPORT_EVERY == 0:
            report(number, 0)
    if not kept:
        raise UsageError(f"{source} has no purchase or return in this period: change --since or --until")
    kept.sort(key=lambda line: line.timestamp)
    items = _describe_items(kept)
    with RecordingWriter(out) as writer:
        for item in items:
            writer.write(item_record(item, kept[0].timestamp), trusted=True)
        for line in kept:
            writer.write(event_record(to_event(line)), trusted=True)
    return Imported(
        lines=counts.total(),
        **{outcome.value: counts[outcome] for outcome in Outcome},
        events=len(kept),
        items=len(items),
        users=len({line.customer for line in kept}),
        out=str(out),
    )


def read_lines(source: Path) -> Iterator[Line | None]:
    """Yield the file's lines, None for one that cannot be understood."""
    seen: Counter[str] = Counter()
    for cells in read_table(source, _COLUMNS):
        invoice = _text(cells[0])
        seen[invoice] += 1
        yield _parse(cells, invoice, seen[invoice])


def judge(line: Line | None, first: int, end: int) -> Outcome:
    """What a line counts as; a period of `first` ≤ time < `end`, both ms."""
    if line is None:
        return Outcome.UNREADABLE
    if not first <= line.timestamp < end:
        return Outcome.OUTSIDE
    if not _GOODS.match(line.stock_code) or line.stock_code == _CARRIAGE:
        return Outcome.FEE
    if line.invoice.startswith("C") and line.quantity < 0 and line.price >= 0:
        return Outcome.RETURN
    free_to_nobody = line.price == 0 and line.customer.startswith("invoice:")
    if line.quantity <= 0 or line.price < 0 or free_to_nobody:
        return Outcome.ADJUSTMENT
    return Outcome.PURCHASE


def to_event(line: Line) -> NewEvent:
    """The purchase or return that a line tells of."""
    return NewEvent(
        event_id=f"{line.invoice}-{line.number}",
        type=EventType.PURCHASE if line.quantity > 0 else EventType.RETURN,
        user_id=line.customer,
        timestamp=line.timestamp,
        item_id=line.stock_code,
        quantity=abs(line.quantity),
        price=line.price,
        session_id=line.invoice,
        context={"country": line.country},
    )


def _describe_items(lines: list[Line]) -> list[NewItem]:
    titles: dict[str, Counter[str]] = {}
    prices: dict[str, list[float]] = {}
    for line in lines:
        titles.setdefault(line.stock_code, Counter())
        if line.description:
            titles[line.stock_code][line.description] += 1
        if line.price > 0:
            prices.setdefault(line.stock_code, []).append(line.price)
    return [
        NewItem(
            item_id=code,
            title=found.most_common(1)[0][0] if found else code,
            price=round(median(prices[code]), 4) if code in prices else None,
            timestamp=lines[0].timestamp,
        )
        for code, found in titles.items()
    ]


def _parse(cells: tuple[Cell, ...], invoice: str, number: int) -> Line | None:
    _, code, description, quantity, date, price, customer, country = cells
    try:
        moment = date if isinstance(date, datetime) else _parse_date(_text(date))
        return Line(
            invoice=invoice,
            number=number,
            stock_code=_text(code),
            description=" ".join(_text(description).split()),
            quantity=int(float(_text(quantity))),
            timestamp=int(moment.replace(tzinfo=UTC).timestamp() * 1000),
            price=float(_text(price)),
            customer=_text(customer) or f"invoice:{invoice}",
            country=_text(country),
        )
    except ValueError:
        return None


def _text(cell: Cell) -> str:
    """A cell as text; spreadsheets and pandas write the customer 17850 as 17850.0."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = "" if cell is None else str(cell).strip()
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


@lru_cache(maxsize=1_024)
def _parse_date(text: str) -> datetime:
    for layout in _DATE_FORMATS:
        try:
            return datetime.strptime(text, layout)
        except ValueError:
            continue
    raise ValueError(text)


def _milliseconds(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1000)
