"""The curve of diversity against accuracy on the small shop, as the command makes it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from small_shop import DAY, START, FittedShop
from typer.testing import CliRunner

from headrace.errors import UsageError
from headrace_cli.evaluate import diversity as evaluate_diversity
from headrace_cli.evaluate import group as evaluate
from model_repo.headrace.scorer import ServedScorer
from trainer.evaluation.lists.trade_off import SETTINGS, TradeOff, known_items, lists, measure_trade_off
from trainer.evaluation.lists.trade_off_report import draw_trade_off, trade_off_table
from trainer.evaluation.moments import next_item_cases
from trainer.evaluation.recall import measure_next_item
from trainer.publishing.exported import load_recommender

QUIET = lambda *_: None  # noqa: E731


@pytest.fixture(scope="module")
def curve(fitted_shop: FittedShop, stream: Path, tiny_encoder: str) -> TradeOff:
    return measure_trade_off(stream, fitted_shop.folder, None, tiny_encoder, QUIET)


def kinds_at_the_top(fitted_shop: FittedShop, diversity: float) -> float:
    """Mean number of kinds among a shopper's first four."""
    names = dict(zip(fitted_shop.shop.item_hash.tolist(), fitted_shop.shop.item_ids, strict=True))
    cases = next_item_cases(fitted_shop.shop, START + 15 * DAY)
    listed = lists(load_recommender(fitted_shop.folder), fitted_shop.shop, cases, diversity)[:, :4]
    return float(np.mean([len({names[int(item)].split("-")[0] for item in row}) for row in listed]))


def test_more_diversity_brings_other_kinds_and_costs_accuracy(curve: TradeOff, fitted_shop: FittedShop):
    assert [point.diversity_setting for point in curve.points] == list(SETTINGS)
    assert curve.moments > 50
    assert curve.points[-1].ndcg < curve.points[0].ndcg  # points between differ by what another CPU changes
    assert kinds_at_the_top(fitted_shop, 0.0) < 2
    assert kinds_at_the_top(fitted_shop, 0.9) > 3


def test_the_first_point_is_the_order_of_the_scores(curve: TradeOff, fitted_shop: FittedShop):
    sequences = fitted_shop.shop.sequences
    split = int(np.quantile(sequences.time[sequences.wanted], 0.9))
    plain = measure_next_item(fitted_shop.trained, fitted_shop.shop, split)
    assert curve.moments == plain.cases
    assert curve.points[0].recall == pytest.approx(plain.model, abs=1e-3)
    assert curve.points[0].ndcg == pytest.approx(plain.accuracy.ndcg, abs=1e-3)


def test_since_decides_what_is_measured(curve: TradeOff, fitted_shop: FittedShop, stream: Path, tiny_encoder: str):
    since = datetime.fromtimestamp(START / 1000 + 10 * 86_400, UTC)
    earlier = measure_trade_off(stream, fitted_shop.folder, since, tiny_encoder, QUIET)
    assert earlier.moments > curve.moments
    assert earlier.since.startswith(since.date().isoformat())


def test_the_drawing_is_the_same_each_time(curve: TradeOff, tmp_path: Path):
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    draw_trade_off(one, curve)
    draw_trade_off(two, curve)
    assert one.read_bytes() == two.read_bytes()
    assert trade_off_table(curve).row_count == len(SETTINGS)
    with pytest.raises(UsageError, match="cannot write"):
        draw_trade_off(tmp_path / "nowhere" / "x.svg", curve)


def test_an_item_that_only_the_version_knows_is_counted_without_a_text(fitted_shop: FittedShop):
    arrays = {**fitted_shop.trained.arrays, "item_hash": torch.tensor([5])}
    vectors = np.ones((len(fitted_shop.shop.item_hash), 3), np.float32)
    known = known_items(
        ServedScorer(arrays, fitted_shop.trained.model.encoder, None), fitted_shop.shop, vectors, 1 << 62
    )
    row = int(np.flatnonzero(known.hash_N == 5)[0])
    assert len(known.hash_N) == len(fitted_shop.shop.item_hash) + 1
    assert (known.count_N[row], known.vector_ND[row].tolist()) == (0, [0, 0, 0])
    assert known.count_N.sum() == fitted_shop.shop.sequences.wanted.sum()


def test_the_command_prints_the_curve_and_draws_it(
    fitted_shop: FittedShop, stream: Path, tiny_encoder: str, tmp_path: Path
):
    app, plot = typer.Typer(), tmp_path / "curve.svg"
    for group in (evaluate, evaluate_diversity):
        group.register(app)
    command = ["evaluate", "diversity", "--stream", str(stream), "--model", str(fitted_shop.folder)]
    done = CliRunner().invoke(app, [*command, "--text-encoder", tiny_encoder, "--plot", str(plot), "--json"])
    assert done.exit_code == 0
    assert len(json.loads(done.stdout.splitlines()[-1])["points"]) == len(SETTINGS)
    assert plot.read_text().startswith("<?xml")


def test_a_folder_without_a_model_and_a_time_without_events_are_wrong_usage(
    fitted_shop: FittedShop, stream: Path, tiny_encoder: str, tmp_path: Path
):
    with pytest.raises(UsageError, match="no trained model"):
        load_recommender(tmp_path)
    with pytest.raises(UsageError, match="--since"):
        measure_trade_off(stream, fitted_shop.folder, datetime(2100, 1, 1, tzinfo=UTC), tiny_encoder, QUIET)
