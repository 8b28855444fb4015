"""Turn the UCI file "Online Retail" into a recorded stream.

Every line of the file is counted under exactly one of `Outcome`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from msgspec import Struct

from headrace.errors import UsageError
from headrace.messages.events import EventType
from headrace.recording.writing import RecordingWriter
from streams.recordings import OnProgress, no_progress
from streams.recordings.importing.dates import DateOrder, Dates
from streams.recordings.importing.sources import Cell, read_columns
from streams.recordings.outgoing import NewEvent, NewItem, event_record, item_record

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
_MOST: Final = 1e9  # of pieces, and of money a piece
_UNREADABLE: Final = 0.1
"""Share of lines that may be without sense: more, and the file is another than we take it for."""
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
    dates: DateOrder | None = None,
    on_progress: OnProgress = no_progress,
) -> Imported:
    """Write purchases and returns, and before them the items they name, as a recorded stream.

    Args:
        source: `.csv`, `.csv.xz` or `.xlsx`.
        out: the recorded stream.
        since: first moment to take in.
        until: first moment to leave out.
        dates: what comes first in dates like 01/12/2010; None finds it out.
        report: progress in lines.

    Raises:
        UsageError: the source is not this file, much of it cannot be understood, or it holds nothing in the period.
    """
    counts: Counter[Outcome] = Counter()
    kept: list[Line] = []
    first, end = _milliseconds(since, 0), _milliseconds(until, 1 << 62)
    unreadable = 0
    for number, (place, line) in enumerate(read_lines(source, dates), 1):
        outcome = judge(line, first, end)
        counts[outcome] += 1
        unreadable = unreadable or (place if line is None else 0)
        if line is not None and outcome in {Outcome.PURCHASE, Outcome.RETURN}:
            kept.append(line)
        if number % _REPORT_EVERY == 0:
            on_progress(number, 0)
    if counts[Outcome.UNREADABLE] > _UNREADABLE * counts.total():
        raise UsageError(
            f"{source}: {counts[Outcome.UNREADABLE]:,} of {counts.total():,} lines cannot be understood, the first is "
            f"line {unreadable}: its date is none, or a number is none"
        )
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


def read_lines(source: Path, dates: DateOrder | None = None) -> Iterator[tuple[int, Line | None]]:
    """Yield where each of the file's lines stands, and what it says: None where it cannot be understood.

    Raises:
        UsageError: the file is another, or damaged, or does not tell how its dates are written.
    """
    seen: Counter[str] = Counter()
    parse_date = Dates(dates, lambda: _dates_of(source)).parse
    for place, cells in read_columns(source, _COLUMNS):
        invoice = _text(cells[0])
        seen[invoice] += 1
        try:
            yield place, _parse(cells, invoice, seen[invoice], parse_date)
        except UsageError as error:
            raise UsageError(f"{source}: {error}") from error


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


def _dates_of(source: Path) -> Iterator[tuple[int, str]]:
    return ((place, _text(date)) for place, (date,) in read_columns(source, ("InvoiceDate",)))


def _parse(cells: tuple[Cell, ...], invoice: str, number: int, parse_date: Callable[[str], datetime]) -> Line | None:
    _, code, description, quantity, date, price, customer, country = cells
    try:
        moment = date if isinstance(date, datetime) else parse_date(_text(date))
        return Line(
            invoice=invoice,
            number=number,
            stock_code=_text(code),
            description=" ".join(_text(description).split()),
            quantity=_whole(_text(quantity)),
            timestamp=int(moment.replace(tzinfo=UTC).timestamp() * 1000),
            price=_number(_text(price)),
            customer=_text(customer) or f"invoice:{invoice}",
            country=_text(country),
        )
    except (ValueError, OverflowError):
        return None


def _text(cell: Cell) -> str:
    """A cell as text; spreadsheets and pandas write the customer 17850 as 17850.0."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = "" if cell is None else str(cell).strip()
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def _number(text: str) -> float:
    number = float(text)
    if not -_MOST <= number <= _MOST:  # NaN, too
        raise ValueError(text)
    return number


def _whole(text: str) -> int:
    number = _number(text)
    if not number.is_integer():
        raise ValueError(text)
    return int(number)


def _milliseconds(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1000)
