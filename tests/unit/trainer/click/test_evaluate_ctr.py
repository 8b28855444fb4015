"""`headrace evaluate ctr` on small files: it learns what is planted, and copes with what files hold."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from headrace.errors import UsageError
from headrace_cli import app
from trainer.click.tables.evaluate import Evaluation, evaluate_clicks

ROWS = 1500


def impressions(seed: int, rows: int = ROWS) -> list[list[str]]:
    """Who likes which half of the items, and a number that matters, decide; a rare page and new ids come along."""
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, 12, rows), rng.integers(0, 12, rows)
    price = rng.lognormal(3, 1, rows)
    logit = np.where(user % 2 == item % 2, 1.5, -2.5) - 0.8 * (np.log(price) - 3)
    clicked = rng.random(rows) < 1 / (1 + np.exp(-logit))
    page = rng.choice(["home", "search", "offer, of the day"], rows)
    cells = zip(user, item, page, price, clicked, strict=True)
    return [[f"u{u}", f"i{i}", f'"{p}"', f"{cost:.2f}", str(int(c))] for u, i, p, cost, c in cells]


def write(path: Path, rows: list[list[str]], header: str = "user,item,page,price,clicked") -> Path:
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return path


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("clicks") / "train.csv", impressions(1))


def evaluate(train: Path, test: Path, valid: Path | None = None, seed: int = 0) -> Evaluation:
    return evaluate_clicks(
        train, test, valid, label="clicked", user="user", item="item", seed=seed, on_progress=lambda *_: None
    )


@pytest.fixture(scope="module")
def done(train: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluate(train, write(tmp_path_factory.mktemp("clicks") / "test.csv", impressions(2)))


def test_what_is_planted_is_learnt(done: Evaluation):
    figures = done.figures
    assert figures.auc is not None
    assert figures.auc > 0.85  # the planted probabilities reach 0.90; without who meets what, 0.64
    assert figures.logloss < 0.7 * figures.base_logloss
    assert figures.ece < 0.07


def test_the_seed_decides_and_test_labels_only_score(done: Evaluation, train: Path, tmp_path: Path):
    rows = [[*row[:-1], "1"] for row in impressions(2)]
    other = evaluate(train, write(tmp_path / "other.csv", rows))
    assert np.array_equal(other.probability, done.probability)
    assert other.figures.auc is None
    assert math.isfinite(other.figures.logloss)


def test_unseen_shoppers_items_pages_and_broken_numbers_get_a_probability(tmp_path: Path):
    train = write(tmp_path / "train.csv", impressions(9, 300))
    rows = [["new", "new", "new", cost, "0"] for cost in ("", "free", "1e300", "-5", "nan")]
    done = evaluate(train, write(tmp_path / "test.csv", rows))
    assert ((done.probability > 0.02) & (done.probability < 0.98)).all()


def test_a_validation_file_may_decide(tmp_path: Path):
    train = write(tmp_path / "train.csv", impressions(9, 600))
    valid, test = write(tmp_path / "valid.csv", impressions(3, 300)), write(tmp_path / "test.csv", impressions(4, 300))
    figures = evaluate(train, test, valid).figures
    assert figures.train_rows == 600 + 300
    assert figures.auc is not None
    assert figures.auc > 0.7


def test_labels_that_are_all_the_same_teach_nothing(train: Path, tmp_path: Path):
    same = write(tmp_path / "same.csv", [[*row[:-1], "0"] for row in impressions(6, 100)])
    with pytest.raises(UsageError, match=r"same\.csv: clicked is 0 in every row"):
        evaluate(same, train)
    with pytest.raises(UsageError, match=r"short\.csv: 5 rows"):
        evaluate(write(tmp_path / "short.csv", impressions(7, 5)), train)
    with pytest.raises(UsageError, match=r"valid\.csv: 1 rows"):
        evaluate(train, train, write(tmp_path / "valid.csv", impressions(7, 1)))


def test_the_command_prints_the_contracts_object_of_one_shopper_in_a_file_sorted_by_label(tmp_path: Path):
    rows = sorted(([*["only"], *row[1:]] for row in impressions(5, 200)), key=lambda row: row[-1])
    train, test = write(tmp_path / "train.csv", rows), write(tmp_path / "test.csv", rows[50:150])
    plot = tmp_path / "plot.svg"
    arguments = ["evaluate", "ctr", "--train", str(train), "--test", str(test), "--label", "clicked"]
    done = CliRunner().invoke(app, [*arguments, "--user", "user", "--item", "item", "--plot", str(plot), "--json"])
    assert done.exit_code == 0
    found = json.loads(done.stdout.splitlines()[-1])
    assert {"auc", "logloss", "ece", "seconds"} <= found.keys()
    assert math.isfinite(found["logloss"])
    assert plot.exists()
