"""The search trains the real next-item head, and its settings give that loss again."""

from pathlib import Path

import pytest
from next_item_cases import small_shop

from headrace.errors import UsageError
from trainer.behaviour import next_item
from trainer.behaviour.config import read_settings
from trainer.data.popularity import measure_popularity
from trainer.data.split import time_split
from trainer.text.encoder import load_text_model
from trainer.text.matching.item_tuning import fine_tune
from trainer.text.matching.pairs import session_pairs
from trainer.tracking.search import search_settings
from trainer.train import make_model
from trainer.training_loop.device import make_deterministic, pick_device


def test_the_best_settings_are_written_and_train_to_the_loss_that_was_found(
    tmp_path: Path, tiny_encoder: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(next_item, "_LEAST_STEPS", 1)
    shop, out = small_shop(tmp_path), tmp_path / "best.json"
    best = search_settings(
        tmp_path / "shop.jsonl",
        tmp_path / "study.db",
        out,
        trials=2,
        on_progress=lambda *_: None,
        device="cpu",
        text_encoder=tiny_encoder,
        epochs=1,
    )
    settings = read_settings(out)
    assert (best.finished, settings.epochs) == (2, 1)
    assert settings.learning_rate == best.parameters["learning_rate"]

    sequences, split, cpu = shop.sequences, time_split(shop.sequences), pick_device("cpu")
    make_deterministic(0)
    pairs = session_pairs(sequences, split)
    tuned = fine_tune(load_text_model(tiny_encoder, cpu), shop.texts, pairs, 0, lambda *_: None)
    wanted = sequences.wanted
    popularity = measure_popularity(sequences.item[wanted], sequences.time[wanted], len(shop.item_ids))
    make_deterministic(0)
    model = make_model(shop, tuned, popularity, split, settings)
    assert next_item.fit_next_item(model, sequences, popularity, split, 0, lambda *_: None).loss == best.loss


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"width": 65}', "width 65 must be a multiple of heads 2"),
        ('{"wdith": 64}', "unknown field `wdith`"),
        ('{"dropout": "much"}', "Expected `float`, got `str`"),
        ("", "truncated"),
    ],
)
def test_settings_that_no_training_can_use_are_named(tmp_path: Path, content: str, complaint: str):
    path = tmp_path / "settings.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=rf"--settings .*settings\.json: .*{complaint}"):
        read_settings(path)


def test_a_settings_file_that_is_not_there_is_wrong_usage(tmp_path: Path):
    with pytest.raises(UsageError, match="No such file or directory; give a JSON file"):
        read_settings(tmp_path / "none.json")
