"""Files of sequences are read as they stand, or refused by name and line."""

from pathlib import Path

import pytest

from headrace.errors import UsageError
from trainer.sequences.reading import read_attributes, read_sequences


def file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "sequences.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_users_keep_their_order_and_items_become_rows(tmp_path: Path):
    source = read_sequences(file(tmp_path, "ann b a b\n\nbob c\n"))
    assert source.user_ids == ["ann", "bob"]
    assert source.item_ids == ["a", "b", "c"]
    assert [q.tolist() for q in source.taken] == [[1, 0, 1], [2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no sequence"),
        ("\n \n", "holds no sequence"),
        ("ann a b\nbob\n", "line 2: user bob has no items"),
        ("ann a b\nbob c\nann d\n", "line 3: user ann"),
        (b"ann \xff\xfe\n", "line 1: not UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str | bytes, message: str):
    with pytest.raises(UsageError, match=message) as refused:
        read_sequences(file(tmp_path, text))
    assert "sequences.txt" in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"nowhere\.txt: No such file"):
        read_sequences(tmp_path / "nowhere.txt")


def test_attributes_are_those_of_the_items_at_hand(tmp_path: Path):
    path = file(tmp_path, '{"a": [7, 9], "b": [9], "elsewhere": [1]}')
    bag = read_attributes(path, ["a", "b", "c"])
    assert bag.kinds == 2
    assert bag.start.tolist() == [0, 2, 3]
    assert bag.flat.tolist() == [0, 1, 1]


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 3}', '{"a": [1.5]}'])
def test_attributes_of_another_form_are_refused(tmp_path: Path, text: str):
    with pytest.raises(UsageError, match="it must be JSON like"):
        read_attributes(file(tmp_path, text), ["a"])


@pytest.mark.parametrize(
    "header", ["user_id:token\titem_id:token\ttimestamp:float", "user_id item_id rating", "userId itemId", "user item"]
)
def test_the_header_of_a_table_of_interactions_is_no_user(tmp_path: Path, header: str):
    with pytest.raises(UsageError, match=r"line 1: .* is the header of a table of interactions; write the items of"):
        read_sequences(file(tmp_path, f"{header}\n1\t2\t3\n"))


def test_a_byte_order_mark_is_no_part_of_the_first_user(tmp_path: Path):
    assert read_sequences(file(tmp_path, b"\xef\xbb\xbfann a\r\nbob b\r\n")).user_ids == ["ann", "bob"]
