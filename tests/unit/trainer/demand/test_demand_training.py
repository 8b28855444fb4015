"""The demand forecaster learns a daily shape and is exported as it was trained."""

import json

import msgspec
import numpy as np
import pytest
import torch

from streams.errors import ModelError
from streams.messages.wire import DEMAND_QUANTILES
from trainer.demand.fitting import quantile_loss
from trainer.demand.network import DemandNetwork
from trainer.demand.series import read_series, sample
from trainer.demand.train import train_demand

HOUR = 3_600_000
HORIZON = 4
MEDIAN = DEMAND_QUANTILES.index(0.5)
NIGHT, DAY = 1.0, 9.0


def purchase(item, at, quantity=1):
    value = {"type": "purchase", "item_id": item, "timestamp": at, "quantity": quantity}
    return msgspec.json.encode({"topic": "events", "key": "u", "timestamp": at, "value": value})


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Twelve days of three items that sell by day far more than by night."""
    random = np.random.default_rng(1)
    lines = [
        purchase(f"item-{item}", hour * HOUR, int(units))
        for hour in range(288)
        for item in range(3)
        if (units := random.poisson(DAY if 8 <= hour % 24 < 20 else NIGHT))
    ]
    path = tmp_path_factory.mktemp("shop") / "stream.jsonl"
    path.write_bytes(b"\n".join(lines))
    return path


@pytest.fixture(scope="module")
def trained(shop, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    told: list[str] = []
    metrics = train_demand(shop, out, window_ms=HOUR, horizon=HORIZON, seed=3, tell=told.append)
    return out / "headrace_demand", metrics, told


def test_it_learns_more_than_a_constant(trained):
    _, metrics, told = trained
    assert metrics["quantile_loss"] < 0.7 * metrics["quantile_loss_constant"]
    assert told


def test_the_exported_program_answers_its_reference_request(trained):
    folder, _, _ = trained
    with np.load(folder / "reference.npz") as reference:
        inputs = [torch.from_numpy(reference[name]) for name in ("units", "window_start", "window_ms")]
        expected = reference["out_quantiles"]
    program = torch.export.load(folder / "program.pt2").module()
    np.testing.assert_allclose(program(*inputs).numpy(), expected, atol=1e-5)
    single = program(inputs[0][:1], inputs[1][:1], inputs[2])
    np.testing.assert_allclose(single.numpy(), expected[:1], atol=1e-4)
    assert json.loads((folder / "meta.json").read_text())["window_ms"] == HOUR


def test_it_expects_more_by_day_than_by_night(trained, shop):
    folder, _, _ = trained
    program = torch.export.load(folder / "program.pt2").module()
    series = read_series(shop, HOUR)
    noon, midnight = 168 + 24 * 10 + 10, 168 + 24 * 10 + 22
    medians = []
    for target in (noon, midnight):
        units = torch.from_numpy(series.units[:, target - 168 : target].copy())
        start = torch.full((3,), series.first + target * HOUR)
        medians.append(float(program(units, start, torch.tensor([HOUR]))[:, 0, MEDIAN].mean()))
    assert medians[0] == pytest.approx(DAY, rel=0.4)
    assert medians[1] < 3


def test_quantiles_never_cross_and_are_never_negative():
    torch.manual_seed(0)
    quantiles = DemandNetwork(24, HORIZON)(torch.rand(50, 168) * 100, torch.arange(50) * HOUR, torch.tensor([HOUR]))
    assert quantiles.shape == (50, HORIZON, len(DEMAND_QUANTILES))
    assert (quantiles >= 0).all()
    assert (quantiles.diff(dim=2) >= 0).all()


def test_the_loss_is_least_at_the_true_quantiles():
    counts = torch.poisson(torch.full((20_000, 1), 5.0), generator=torch.Generator().manual_seed(0))
    even = torch.ones(len(counts))
    right = torch.quantile(counts, torch.tensor(DEMAND_QUANTILES)).expand(len(counts), 1, -1)
    assert quantile_loss(right, counts, even) < quantile_loss(right + 2, counts, even)
    assert quantile_loss(right, counts, even) < quantile_loss(right - 2, counts, even)


def test_empty_windows_are_zeros_and_a_history_of_zeros_comes_first(shop):
    series = read_series(shop, HOUR)
    assert series.units[:, : series.targets(HORIZON).start].sum() == 0
    samples = sample(series, series.targets(HORIZON), HORIZON, 300, np.random.default_rng(0))
    assert samples.units.shape[1] == 168
    assert samples.target.shape == (len(samples.units), HORIZON)
    assert (samples.window_start % HOUR == 0).all()


def test_a_stream_without_purchases_says_what_is_missing(tmp_path):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(purchase("tea", HOUR))
    with pytest.raises(ModelError, match="purchases"):
        train_demand(path, tmp_path, window_ms=HOUR, horizon=HORIZON, tell=print)
