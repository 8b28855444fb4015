"""Files of labelled texts: what is read, and how a bad one is named."""

import json

import pytest

from headrace.errors import UsageError
from trainer.text.labelled import read_clinc, read_labelled
from trainer.text.matching.shop import read_shops

GOOD = 'text,category\nWhere is my card?,card\n"A loan, please",loan\n'


def write(tmp_path, name: str, content: str | bytes):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_csv_gives_texts_and_numbers_of_sorted_classes(tmp_path):
    rows = read_labelled(write(tmp_path, "a.csv", GOOD))
    assert rows.texts == ["Where is my card?", "A loan, please"]
    assert [rows.classes[i] for i in rows.label] == ["card", "loan"]


def test_plain_lines_are_a_label_and_a_text(tmp_path):
    rows = read_labelled(write(tmp_path, "a.train", "1 a fine film .\n0 a bore .\n"))
    assert (rows.texts, rows.label.tolist(), rows.classes) == (["a fine film .", "a bore ."], [1, 0], ["0", "1"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "a.csv: the file is empty"),
        ("a.csv", "text,label\n", "a.csv: it holds no labelled text"),
        ("a.csv", "text,label\nhello,x\nhi,x\n", "every text has the label 'x'"),
        ("a.csv", "words,label\nhello,x\n", "a.csv, line 1: columns words, label"),
        ("a.csv", "text,label\nhello,x\nhi\n", "a.csv, line 3: 1 fields, the header has 2"),
        ("a.csv", "text,label\nhello,x\n ,y\n", "a.csv, line 3: text is missing"),
        ("a.csv", 'text,label\n"two\nlines",x\nhi,\n', "a.csv, line 4: label is missing"),
        ("a.csv", b"text,label\nhello,x\ncaf\xe9,y\n", "a.csv, line 3: not UTF-8"),
        ("a.train", "1 good\n0 bad\n7 worse\n", "a.train, line 3: label 7, but none is 2"),
        ("a.train", "1 good\ngood 1\n", "a.train, line 2: 'good' is no label"),
        ("a.train", "1 good\n0\n", "a.train, line 2: text is missing"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, name: str, content: str | bytes, message: str):
    with pytest.raises(UsageError) as error:
        read_labelled(write(tmp_path, name, content))
    assert message in str(error.value)


def test_a_test_label_that_training_does_not_have_is_named(tmp_path):
    with pytest.raises(UsageError, match="line 3: label 'loan' does not occur in training"):
        read_labelled(write(tmp_path, "a.csv", GOOD), ["card", "rate"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_labelled(tmp_path / "nowhere.csv")


def clinc(**changed: object) -> str:
    parts = {name: [["where is my card", "card"], ["a loan", "loan"]] for name in ("train", "val", "test")}
    return json.dumps({**parts, "oos_val": [["hello", "oos"]], "oos_test": [["bye", "oos"]], **changed})


def test_clinc_has_five_parts(tmp_path):
    found = read_clinc(write(tmp_path, "a.json", clinc()))
    assert found.test.classes == ["card", "loan"]
    assert (found.oos_valid, found.oos_test) == (["hello"], ["bye"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (clinc(test=[["x", "rate"]]), "a.json, test, entry 1: label 'rate' does not occur in training"),
        (clinc(val=[["x"]]), "val, entry 1: ['x'] is not a [text, label] pair"),
        ('{"train": []}', "it holds no labelled text"),
        ('{"train"', "line 1: not JSON"),
        ("[]", "no part 'train'"),
    ],
)
def test_a_bad_clinc_file_is_named(tmp_path, content: str, message: str):
    with pytest.raises(UsageError) as error:
        read_clinc(write(tmp_path, "a.json", content))
    assert message in str(error.value)


SHOP = "id|name|description\n" + "".join(f'{n}|lamp {n}|5" wide\n' for n in range(5))
PAIRS = "D1|D2\n0|4\n1|3\n2|2\n3|1\n"


def test_shops_are_joined_by_ids_and_an_inch_mark_is_a_plain_character(tmp_path):
    shop, pairs = write(tmp_path, "s.csv", SHOP), write(tmp_path, "p.csv", PAIRS)
    shops = read_shops(shop, shop, pairs)
    assert shops.first[0] == 'lamp 0 5" wide'
    assert shops.pair_n2.tolist() == [[0, 4], [1, 3], [2, 2], [3, 1]]


@pytest.mark.parametrize(
    ("shop", "pairs", "message"),
    [
        (SHOP, "D1|D2\n0|9\n", "p.csv, line 2: id '9' is not in"),
        (SHOP, "D1|D2\n0|1\n", "p.csv: 1 pairs; four are needed"),
        ("id|title\n1|x\n", PAIRS, "s.csv, line 1: columns id, title; needed are id and name"),
        (SHOP + "1|again|\n", PAIRS, "s.csv, line 7: id '1' has occurred before"),
        (SHOP + "7|short\n", PAIRS, "s.csv, line 7: 2 fields, the header has 3"),
        ("", PAIRS, "s.csv: the file is empty"),
    ],
)
def test_a_bad_shop_file_is_named_with_its_line(tmp_path, shop: str, pairs: str, message: str):
    path = write(tmp_path, "s.csv", shop)
    with pytest.raises(UsageError) as error:
        read_shops(path, path, write(tmp_path, "p.csv", pairs))
    assert message in str(error.value)
