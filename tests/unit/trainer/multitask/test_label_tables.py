"""A table with a column a task: an empty cell is no label, and every other fault is named with its line."""

from pathlib import Path

import numpy as np
import pytest

from headrace.errors import UsageError
from trainer.multitask.label_tables import table_tasks
from trainer.multitask.tasks import MISSING, ClassTask


def write(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Topic is known of all rows, mood of every other."""
    rows = [f"text {n},{('card', 'loan')[n // 2 % 2]},{('', ('good', 'bad')[n // 4 % 2])[n % 2]}" for n in range(40)]
    return write(tmp_path / "train.csv", "text,topic,mood", *rows)


def test_each_column_is_a_task_and_an_empty_cell_no_label(train: Path, tmp_path: Path):
    test = write(tmp_path / "test.csv", "mood,text,topic", "good,one,card", ",two,loan")
    topic, mood = table_tasks(train, test, 0)
    assert isinstance(topic, ClassTask)
    assert isinstance(mood, ClassTask)
    assert (topic.name, topic.train.classes, mood.train.classes) == ("topic", ["card", "loan"], ["bad", "good"])
    assert (len(topic.train.texts), len(topic.valid.texts), len(topic.test.texts)) == (36, 4, 2)
    assert (np.count_nonzero(mood.train.label == MISSING), len(mood.valid.texts), mood.test.texts) == (20, 2, ["one"])
    assert MISSING not in {*mood.valid.label, *mood.test.label}
    assert not set(mood.valid.texts) & {t for t, c in zip(mood.train.texts, mood.train.label, strict=True) if c >= 0}


def test_faults_are_named_with_their_line(train: Path, tmp_path: Path):
    def refused(*lines: str) -> str:
        with pytest.raises(UsageError) as error:
            table_tasks(train, write(tmp_path / "bad.csv", *lines), 0)
        return str(error.value)

    assert "bad.csv, line 1: column mood is missing" in refused("text,topic", "a,card")
    assert "bad.csv, line 1: columns topic, mood; needed are text" in refused("topic,mood", "card,good")
    assert "bad.csv, line 3: mood 'odd' does not occur" in refused("text,topic,mood", "a,card,good", "b,card,odd")
    assert "bad.csv, line 2: 2 fields, the header has 3" in refused("text,topic,mood", "a,card")
    assert "bad.csv, line 2: text is missing" in refused("text,topic,mood", ",card,good")
    assert "column mood: two classes" in refused("text,topic,mood", "a,card,")


def test_a_constant_label_is_refused(tmp_path: Path):
    path = write(tmp_path / "flat.csv", "text,topic", *[f"text {n},card" for n in range(20)])
    with pytest.raises(UsageError, match=r"flat\.csv, column topic: two classes"):
        table_tasks(path, path, 0)
