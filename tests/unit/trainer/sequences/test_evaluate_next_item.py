"""The evaluation finds what was planted, learns from nothing it is tested on, and says the same again for a seed."""

import json
import random
from pathlib import Path

import msgspec
import pytest
import torch
from typer.testing import CliRunner

from headrace.errors import ModelError
from headrace_cli import app
from trainer.behaviour.config import BehaviourConfig
from trainer.sequences.evaluate import NextItemReport, evaluate_next_item

SMALL = BehaviourConfig(width=16, dropout=0.1, id_dropout=0.2, learning_rate=1e-2, epochs=2, schedule="cosine")
ITEMS = 40


def chains(path: Path, users: int, *, last: int | None = None) -> Path:
    """Users who walk round a circle of items; `last` replaces each one's last item."""
    dice = random.Random(5)
    lines: list[str] = []
    for user in range(users):
        at = dice.randrange(ITEMS)
        items = [(at + step) % ITEMS for step in range(dice.randrange(5, 9))]
        items[-1] = items[-1] if last is None else last
        lines.append(f"u{user} " + " ".join(f"i{i}" for i in items))
    path.write_text("\n".join(lines))
    return path


def evaluated(path: Path, *, attributes: Path | None = None, seed: int = 0) -> NextItemReport:
    cpu = torch.device("cpu")
    return evaluate_next_item(path, attributes, seed=seed, device=cpu, on_progress=lambda *_: None, config=SMALL)


def test_what_follows_what_is_learnt_and_popularity_cannot_know_it(tmp_path: Path):
    report = evaluated(chains(tmp_path / "circle.txt", 150))
    assert report.strict["ndcg@10"] > 0.7
    assert report.refit["ndcg@10"] > 0.7
    assert report.popularity["ndcg@10"] < 0.2
    assert (report.users, report.tested, report.items) == (150, 150, ITEMS)


def test_test_items_change_no_fit_and_validation_items_not_the_strict_one(tmp_path: Path):
    honest = evaluated(chains(tmp_path / "a.txt", 60))
    spoilt = evaluated(chains(tmp_path / "b.txt", 60, last=0))
    assert honest.validation == spoilt.validation
    assert honest.strict != spoilt.strict


def test_a_seed_decides(tmp_path: Path):
    path = chains(tmp_path / "circle.txt", 25)
    first, again, other = (evaluated(path, seed=seed) for seed in (1, 1, 2))
    assert (first.strict, first.refit) == (again.strict, again.refit)
    assert first.refit != other.refit


def test_an_item_nobody_trained_on_is_ranked_by_its_attributes(tmp_path: Path):
    dice = random.Random(1)
    kinds = [[f"k{k}n{n}" for n in range(15)] for k in range(6)]
    lines = [f"u{u} " + " ".join(dice.sample(kinds[u % 6], 5)) for u in range(120)]
    lines = [f"{line} new{u % 6}" if u < 6 else line for u, line in enumerate(lines)]
    known = {item: [k] for k in range(6) for item in [*kinds[k], f"new{k}"]}
    path, attributes = tmp_path / "shop.txt", tmp_path / "attributes.json"
    path.write_text("\n".join(lines))
    attributes.write_text(json.dumps(known))
    [unseen] = [
        s for s in evaluated(path, attributes=attributes).beyond_accuracy["strict"].by_popularity if s.name == "unseen"
    ]
    assert unseen.pairs == 6
    assert unseen.hit > 0.5


@pytest.mark.parametrize("text", ["ann a b c d", "ann a\nbob b\ncid c", "ann a a a a", "ann a b\nbob b a"])
def test_too_little_is_told_in_one_line(tmp_path: Path, text: str):
    path = tmp_path / "little.txt"
    path.write_text(text)
    if text == "ann a b c d":
        assert evaluated(path).tested == 1
    else:
        with pytest.raises(ModelError, match=r"little\.txt has"):
            evaluated(path)


def test_a_sequence_of_ten_thousand_items_is_taken_in_windows(tmp_path: Path):
    path = tmp_path / "long.txt"
    dice = random.Random(0)
    path.write_text("ann " + " ".join(f"i{dice.randrange(500)}" for _ in range(10_000)))
    report = evaluated(path)
    assert report.tested == 1
    assert 0 <= report.refit["ndcg@10"] <= 1


def test_the_command_prints_one_object(tmp_path: Path):
    path = tmp_path / "one.txt"
    path.write_text("ann a b c d e")
    done = CliRunner().invoke(app, ["evaluate", "next-item", "--sequences", str(path), "--json"])
    report = msgspec.json.decode(done.stdout.splitlines()[-1])
    assert {"hr@10", "ndcg@10"} <= set(report["strict"]) & set(report["refit"]) & set(report["popularity"])
    assert (report["users"], report["items"]) == (1, 5)
