"""A file of impressions becomes columns of codes, or one line that says what to mend."""

from pathlib import Path

import pytest

from headrace.errors import UsageError
from trainer.data.click_table import ClickTable, read_click_tables, read_like


def write(folder: Path, text: str, name: str = "train.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def read(*paths: Path) -> ClickTable:
    return read_click_tables(paths, "clicked", "user", "item")


def cells(table: ClickTable, name: str) -> list[str]:
    column = table.columns[name]
    return [column.values[code] for code in column.code]


def test_quotes_commas_line_breaks_and_a_byte_order_mark_are_read(tmp_path: Path):
    text = '\ufeffuser,item,title,clicked\nu1,i1,"a, ""b""\nc",1\nu2,i1,,0\n'
    table = read(write(tmp_path, text))
    assert list(table.columns) == ["user", "item", "title"]
    assert cells(table, "title") == ['a, "b"\nc', ""]
    assert table.clicked.tolist() == [1.0, 0.0]


def test_files_are_read_one_after_the_other_whatever_the_order_of_their_columns(tmp_path: Path):
    first = write(tmp_path, "user,item,clicked\nu1,i1,1\n")
    second = write(tmp_path, "clicked,item,user\n0,i2,u1\n", "valid.csv")
    table = read(first, second)
    assert cells(table, "user") == ["u1", "u1"]
    assert cells(table, "item") == ["i1", "i2"]
    assert table.clicked.tolist() == [1.0, 0.0]


def test_a_later_file_may_have_more_columns_but_not_fewer(tmp_path: Path):
    known = read(write(tmp_path, "user,item,page,clicked\nu1,i1,home,1\n"))
    more = read_like(write(tmp_path, "user,item,page,more,clicked\nu2,i2,x,y,0\n", "more.csv"), known, "clicked")
    assert list(more.columns) == ["user", "item", "page"]
    with pytest.raises(UsageError, match=r"fewer\.csv, line 1: no column page; there are user, item, clicked"):
        read_like(write(tmp_path, "user,item,clicked\nu2,i2,0\n", "fewer.csv"), known, "clicked")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"train\.csv, line 1: the file is empty"),
        ("user,item,clicked\n", r"train\.csv, line 2: no impression after the header"),
        ("user,clicked\nu,1\n", r"train\.csv, line 1: no column item; there are user, clicked"),
        ("user,item,item,clicked\nu,i,i,1\n", r"train\.csv, line 1: the column item stands there twice"),
        ("user,item,clicked\nu,i,1\nu,i\n", r"train\.csv, line 3: 2 fields, the header has 3"),
        ("user,item,clicked\nu,i,1\n\nu,i,2\n", r"train\.csv, line 4: clicked is '2'; it must be 0 or 1"),
        ('user,item,clicked\n"u\n\nv",i,1\nu,i,\n', r"train\.csv, line 5: clicked is ''; it must be 0 or 1"),
        ("user,item,clicked\nu,i,yes\n", r"train\.csv, line 2: clicked is 'yes'"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, text: str, message: str):
    with pytest.raises(UsageError, match=message):
        read(write(tmp_path, text))


def test_a_file_that_is_not_there_or_not_text_is_wrong_usage(tmp_path: Path):
    with pytest.raises(UsageError, match=r"none\.csv"):
        read(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"user,item,clicked\n\xff\xfe\x00,i,1\n")
    with pytest.raises(UsageError, match=r"binary\.csv"):
        read(tmp_path / "binary.csv")


def test_a_quote_that_is_never_closed_takes_in_no_impressions(tmp_path: Path):
    path = tmp_path / "train.csv"
    path.write_text('user,item,clicked,note\nu,i,1,a\nu,j,0,"b\nu,k,1,c\nu,l,0,d\n')
    with pytest.raises(UsageError, match=r"train\.csv, line 3: a quote is opened and not closed"):
        read_click_tables([path], "clicked", "user", "item")
    path.write_text('user,item,clicked,note\nu,i,1,a\nu,j,0,"b\nc"\nu,l,0,d\n')
    assert read_click_tables([path], "clicked", "user", "item").rows == [3]
