"""`headrace evaluate demand`: honest figures, and one clear line where there is too little."""

import json
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from headrace.errors import TooLittleData, UsageError
from headrace_cli import app
from trainer.demand import fitting
from trainer.demand.accuracy import MethodForecast, accuracy, naive_errors
from trainer.demand.baselines import baseline_forecasts
from trainer.demand.evaluation import DemandEvaluation, evaluate_demand
from trainer.demand.interval import coverage80, interval80

DAY = 86_400_000
START = 1_672_531_200_000
"""The first of January 2023."""
DAYS, ITEMS, SPLIT = 150, 6, 120
WEEK = [8, 8, 8, 8, 20, 20, 0]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Items that sell by the day of the week, and one that comes after the split."""
    random = np.random.default_rng(0)
    lines = [
        msgspec.json.encode(
            {
                "topic": "events",
                "key": "u",
                "timestamp": START + day * DAY,
                "value": {
                    "event_id": f"{item}/{day}",
                    "type": "purchase",
                    "user_id": "u",
                    "item_id": f"item-{item}",
                    "timestamp": START + day * DAY + 1,
                    "quantity": int(units),
                },
            }
        )
        for day in range(DAYS)
        for item in range(ITEMS + 1)
        if (item < ITEMS or day > SPLIT + 5) and (units := random.poisson(WEEK[day % 7] * (1 + item) / 3))
    ]
    path = tmp_path_factory.mktemp("stream") / "stream.jsonl"
    path.write_bytes(b"\n".join(lines))
    return path


@pytest.fixture(scope="module")
def done(stream: Path) -> DemandEvaluation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "_TRAINED_ON", 6_000)
        return evaluate(stream)


def evaluate(stream: Path, split: datetime = datetime(2023, 5, 1), **changed: int) -> DemandEvaluation:
    options = {"windows": DAY, "horizon": 7, "items": 500, "seed": 0} | changed
    return evaluate_demand(stream, split, on_progress=lambda *_: None, **options)


def test_every_method_is_scored_on_the_same_windows(done: DemandEvaluation):
    methods = ["headrace", "seasonal_naive", "moving_average", "auto_ets", "croston_sba", "tsb"]
    assert list(done.methods) == methods
    assert done.headrace.quantiles.shape == (ITEMS, DAYS - SPLIT, 3)  # the late item is not scored


def test_a_weekly_shape_is_learnt_and_beats_what_does_not_know_it(done: DemandEvaluation):
    assert done.methods["headrace"].wql < 0.8 * done.methods["moving_average"].wql
    assert done.methods["headrace"].mase < 0.8 * done.methods["moving_average"].mase
    assert 0.65 < done.methods["headrace"].coverage80 < 0.95


def test_what_comes_after_an_origin_changes_no_forecast_made_there(
    stream: Path, done: DemandEvaluation, tmp_path: Path
):
    changed = tmp_path / "changed.jsonl"
    first_of_second_week = START + (SPLIT + 7) * DAY
    lines = [
        line.replace(b'"quantity":', b'"quantity":9') if json.loads(line)["timestamp"] >= first_of_second_week else line
        for line in stream.read_bytes().splitlines()
    ]
    changed.write_bytes(b"\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "_TRAINED_ON", 6_000)
        other = evaluate(changed)
    np.testing.assert_array_equal(other.headrace.quantiles[:, :7], done.headrace.quantiles[:, :7])
    assert (other.headrace.quantiles[:, 7:] != done.headrace.quantiles[:, 7:]).any()


def test_the_command_prints_json_and_draws(stream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fitting, "_TRAINED_ON", 2_000)
    monkeypatch.setattr(fitting, "_EPOCHS", 2)
    plot = tmp_path / "demand.svg"
    arguments = ["--stream", str(stream), "--split", "2023-05-01", "--plot", str(plot), "--plot-items", "item-0,item-5"]
    ran = CliRunner().invoke(app, ["evaluate", "demand", *arguments, "--items", "6", "--json"])
    assert ran.exit_code == 0, ran.stderr
    assert set(json.loads(ran.stdout.splitlines()[-1])["headrace"]) == {"wql", "mase", "coverage80"}
    assert plot.read_text().count("item-") >= 2


def test_a_split_outside_the_stream_or_items_not_scored_say_so(stream: Path, done: DemandEvaluation):
    with pytest.raises(UsageError, match="no purchase from then on"):
        evaluate(stream, datetime(2024, 1, 1))
    with pytest.raises(
        TooLittleData, match="holds 9 windows before it, and --horizon 7 takes 21 to learn from; choose"
    ):
        evaluate(stream, datetime(2023, 1, 10))
    with pytest.raises(TooLittleData, match="holds 77 windows before it, and --horizon 24 takes 78 "):
        evaluate(stream, datetime(2023, 3, 19), horizon=24)


@pytest.mark.parametrize("horizon", [4, 7, 24, 84])
def test_the_least_windows_suffice_and_one_less_does_not(horizon: int):
    def trained_windows(windows: int) -> int:
        return len(fitting._parts(range(windows - horizon + 1), horizon)[0])

    least = fitting.least_windows(horizon)
    assert trained_windows(least) >= horizon > trained_windows(least - 1)


def test_two_weeks_of_days_are_enough_for_every_method():
    units = np.random.default_rng(0).poisson(2, (5, 15)).astype(np.float32)
    units[3, :13] = 0  # sells since yesterday
    for name, made in baseline_forecasts(units, 7, 4).items():
        assert np.isfinite(made.quantiles).all(), name


def test_perfect_forecasts_score_0_and_known_errors_their_size():
    units = np.array([[2.0, 4.0], [0.0, 6.0]], np.float32)
    perfect = MethodForecast(np.repeat(units[:, :, None], 3, 2), units, units)
    assert msgspec.structs.astuple(accuracy(perfect, units, np.ones(2, np.float32))) == (0, 0, 1)
    nothing = MethodForecast(np.zeros((2, 2, 3), np.float32), np.zeros((2, 2)), np.zeros((2, 2)))
    found = accuracy(nothing, units, np.array([1.0, 0.0], np.float32))
    assert found.wql == pytest.approx(2 * (0.1 + 0.5 + 0.9) / 3)
    assert found.mase == pytest.approx(3.0)  # the second item has no scale
    assert found.coverage80 == 0.25


def test_the_naive_error_begins_with_the_first_sale():
    units = np.array([[0, 0, 3, 5, 4, 4], [1, 1, 1, 1, 1, 1]], np.float32)
    assert naive_errors(units, 2).tolist() == pytest.approx([1.0, 0.0])


def test_an_interval_is_one_sided_where_nothing_lies_below():
    quantiles = np.array([[0, 0.2, 0.4, 0.6, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]], np.float32)
    lower, upper = interval80(quantiles)
    assert lower.tolist() == [0, 2]
    assert upper.tolist() == [2, 7]
    assert coverage80(quantiles, np.array([0.0, 8.0], np.float32)) == 0.5
