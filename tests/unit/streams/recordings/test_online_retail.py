"""Every line of the UCI file becomes a purchase, a return, or is counted as what it is."""

import csv
import lzma
from datetime import UTC, datetime

import msgspec
import openpyxl
import pytest

from headrace.errors import UsageError
from headrace.messages.events import Event
from headrace.messages.items import Item
from headrace.recording.reading import read_recording
from streams.recordings.importing.dates import DateOrder
from streams.recordings.importing.online_retail import import_online_retail

HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
LINES = [
    ["536365", "85123A", "WHITE  HANGING HEART ", "6", "2010-12-01 08:26:00", "2.55", "17850.0", "United Kingdom"],
    ["536365", "POST", "POSTAGE", "1", "2010-12-01 08:26:00", "18.0", "17850.0", "United Kingdom"],
    ["536365", "71053", "", "2", "2010-12-01 08:26:00", "3.39", "17850.0", "United Kingdom"],
    ["536366", "85123A", "WHITE HANGING HEART", "1", "2010-12-01 08:28:00", "2.95", "", "France"],
    ["536367", "85123A", "wet", "3", "2010-12-01 08:30:00", "4.00", "13047", "France"],
    ["C536379", "85123A", "WHITE HANGING HEART", "-1", "2010-12-02 09:41:00", "2.55", "17850.0", "United Kingdom"],
    ["C536379", "D", "Discount", "-1", "2010-12-02 09:41:00", "27.5", "14527.0", "United Kingdom"],
    ["536589", "21777", "", "-10", "2010-12-02 16:50:00", "0.0", "", "United Kingdom"],
    ["536590", "21777", "found", "10", "2010-12-02 16:51:00", "0.0", "", "United Kingdom"],
    ["536591", "21777", "GIFT", "1", "2010-12-02 16:52:00", "0.0", "12345", "United Kingdom"],
    ["A563185", "B", "Adjust bad debt", "1", "2010-12-02 16:53:00", "-11062.06", "", "United Kingdom"],
    ["536592", "23444", "Next Day Carriage", "1", "2010-12-02 16:54:00", "15.0", "12345", "United Kingdom"],
    ["536593", "gift_0001_20", "Gift Voucher", "1", "2010-12-02 16:55:00", "17.0", "12345", "United Kingdom"],
    ["536594", "DCGSSGIRL", "GIRLS PARTY BAG", "1", "2010-12-03 10:00:00", "3.3", "12345", "United Kingdom"],
    ["536595", "71053", "LANTERN", "many", "2010-12-03 10:01:00", "3.3", "12345", "United Kingdom"],
]  # fmt: skip


def write_csv(path, opener=open):
    with opener(path, "wt", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *LINES])


def write_workbook(path):
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    for invoice, code, text, quantity, date, price, customer, country in LINES:
        book.active.append([
            int(invoice) if invoice.isdigit() else invoice,
            int(code) if code.isdigit() else code,
            text or None,
            int(quantity) if quantity != "many" else quantity,
            datetime.fromisoformat(date),
            float(price),
            float(customer) if customer else None,
            country,
        ])  # fmt: skip
    book.save(path)


@pytest.fixture(params=["o.csv", "o.csv.xz", "o.xlsx"])
def source(tmp_path, request):
    path = tmp_path / request.param
    if path.suffix == ".xlsx":
        write_workbook(path)
    else:
        write_csv(path, lzma.open if path.suffix == ".xz" else open)
    return path


def read(path):
    records = list(read_recording(path))
    items = {r.key: msgspec.json.decode(r.value, type=Item) for r in records if r.topic == "items"}
    events = {e.event_id: e for r in records if r.topic == "events" for e in [msgspec.json.decode(r.value, type=Event)]}
    return records, items, events


def test_every_line_is_counted_once(source, tmp_path):
    done = import_online_retail(source, tmp_path / "out.jsonl")
    assert (done.purchases, done.returns, done.fees, done.adjustments, done.unreadable) == (6, 1, 5, 2, 1)
    counted = done.purchases + done.returns + done.fees + done.adjustments + done.outside_period + done.unreadable
    assert done.lines == len(LINES) == counted
    assert done.events == done.purchases + done.returns


def test_lines_become_events_of_shoppers(source, tmp_path):
    import_online_retail(source, tmp_path / "out.jsonl")
    records, _, events = read(tmp_path / "out.jsonl")
    first = events["536365-1"]
    assert (first.type, first.user_id, first.item_id, first.quantity, first.price) == (
        "purchase",
        "17850",
        "85123A",
        6,
        2.55,
    )
    assert first.timestamp == 1_291_191_960_000
    assert first.context == {"country": "United Kingdom"}
    assert events["536365-3"].item_id == "71053"
    assert events["536366-1"].user_id == "invoice:536366"
    back = events["C536379-1"]
    assert (back.type, back.quantity) == ("return", 1)
    assert [r.topic for r in records] == sorted((r.topic for r in records), reverse=True)
    times = [r.timestamp for r in records]
    assert times == sorted(times)


def test_items_bear_their_usual_name_and_price(source, tmp_path):
    import_online_retail(source, tmp_path / "out.jsonl")
    _, items, events = read(tmp_path / "out.jsonl")
    assert items["85123A"].title == "WHITE HANGING HEART"
    assert items["85123A"].price == 2.75
    assert items["71053"].title == "71053"
    assert {event.item_id for event in events.values()} == set(items)


def test_the_period_cuts_without_changing_ids(source, tmp_path):
    whole, early, late = tmp_path / "w.jsonl", tmp_path / "e.jsonl", tmp_path / "l.jsonl"
    cut = datetime(2010, 12, 2)
    import_online_retail(source, whole)
    done = import_online_retail(source, early, until=cut)
    import_online_retail(source, late, since=cut)
    assert done.outside_period == 9
    assert {**read(early)[2], **read(late)[2]} == read(whole)[2]


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="no column InvoiceNo"):
        import_online_retail(path, tmp_path / "out.jsonl")
    with pytest.raises(UsageError, match=r"none of \.csv"):
        import_online_retail(tmp_path / "x.txt", tmp_path / "out.jsonl")
    with pytest.raises(UsageError, match="No such file"):
        import_online_retail(tmp_path / "x.csv", tmp_path / "out.jsonl")


def dated(path, dates, **fields):
    lines = [[str(n), "85123A", "TEA", "1", date, "2.5", "17850", "France"] for n, date in enumerate(dates)]
    for name, value in fields.items():
        lines[0][HEADER.index(name)] = value
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *lines])
    return path


def days_of(path, tmp_path, **options):
    import_online_retail(path, tmp_path / "out.jsonl", **options)
    events = sorted(read(tmp_path / "out.jsonl")[2].items())
    return [datetime.fromtimestamp(event.timestamp / 1000, UTC).strftime("%m-%d") for _, event in events]


def test_what_is_day_and_what_is_month_is_decided_for_the_whole_file(tmp_path):
    path = tmp_path / "d.csv"
    assert days_of(dated(path, ["01/12/2010 8:26", "13/12/2010 8:26"]), tmp_path) == ["12-01", "12-13"]
    assert days_of(dated(path, ["01/12/2010 8:26", "12/13/2010 8:26"]), tmp_path) == ["01-12", "12-13"]
    assert days_of(dated(path, ["01.12.2010", "31.12.2010"]), tmp_path) == ["12-01", "12-31"]
    assert days_of(dated(path, ["2010-12-01 08:26", "2010-12-13T08:26:05"]), tmp_path) == ["12-01", "12-13"]


def test_dates_that_may_be_either_are_refused_until_the_user_says_which(tmp_path):
    path = dated(tmp_path / "d.csv", ["01/12/2010 8:26", "02/12/2010 8:26"])
    with pytest.raises(
        UsageError, match=r"d\.csv: nothing in the file tells which of .01/12/2010 8:26. is the month: say --dates"
    ):
        days_of(path, tmp_path)
    assert days_of(path, tmp_path, dates=DateOrder.DAY_FIRST) == ["12-01", "12-02"]
    assert days_of(path, tmp_path, dates=DateOrder.MONTH_FIRST) == ["01-12", "02-12"]


def test_dates_of_both_orders_are_refused(tmp_path):
    path = dated(tmp_path / "d.csv", ["01/12/2010", "13/12/2010", "12/14/2010"])
    with pytest.raises(UsageError, match=r"d\.csv: line 3 puts the day first \(13/12/2010\), line 4 the month"):
        days_of(path, tmp_path)


@pytest.mark.parametrize(
    ("column", "value"), [("Quantity", "inf"), ("Quantity", "2.5"), ("UnitPrice", "1e400"), ("UnitPrice", "nan")]
)
def test_a_line_whose_number_is_none_is_unreadable(tmp_path, column, value):
    path = dated(tmp_path / "d.csv", ["2010-12-01"] * 20, **{column: value})
    assert import_online_retail(path, tmp_path / "out.jsonl").unreadable == 1


def test_a_file_of_which_much_is_unreadable_is_refused(tmp_path):
    path = dated(tmp_path / "d.csv", ["2010-12-01"] * 8 + ["1 December"] * 2)
    with pytest.raises(UsageError, match="2 of 10 lines cannot be understood, the first is line 10"):
        import_online_retail(path, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_title_in_a_western_code_page_keeps_its_signs(tmp_path):
    path = dated(tmp_path / "d.csv", ["2010-12-01"], Description="TEA £1 CAFÉ")
    path.write_bytes(path.read_text().encode("cp1252"))
    import_online_retail(path, tmp_path / "out.jsonl")
    assert read(tmp_path / "out.jsonl")[1]["85123A"].title == "TEA £1 CAFÉ"


def test_a_comma_without_quotes_is_named_with_its_line(tmp_path):
    path = dated(tmp_path / "d.csv", ["2010-12-01"] * 2)
    path.write_text(path.read_text().replace("2.5", "2,5"))
    with pytest.raises(UsageError, match=r"d\.csv, line 2: 9 fields, the header has 8"):
        import_online_retail(path, tmp_path / "out.jsonl")
