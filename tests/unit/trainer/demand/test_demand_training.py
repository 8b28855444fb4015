"""The demand forecaster learns a daily shape and is served as it was trained."""

import json
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
import torch

from feature_repo.basics.identity import item_hash
from feature_repo.basics.windows import LocalDays
from headrace.arrays import DEMAND_QUANTILES
from headrace.errors import ModelError
from model_repo.headrace.programs import load_program
from trainer.demand.describing import describe
from trainer.demand.evaluation import _column
from trainer.demand.fitting import quantile_loss
from trainer.demand.network import DemandNetwork
from trainer.demand.series import DemandSeries, carried_on, read_series, sample
from trainer.demand.train import train_demand

HOUR = 3_600_000
START = 1_704_067_200_000
"""A midnight."""
HORIZON = 4
MEDIAN = DEMAND_QUANTILES.index(0.5)
NIGHT, DAY = 1.0, 9.0
PRICE = 2.5
ITEMS = [f"item-{n}" for n in range(3)]
INPUTS = ("units", "window_start", "window_ms", "item", "category", "price")


def purchase(item, at, quantity=1):
    value = {"event_id": f"{item}/{at}", "type": "purchase", "user_id": "u", "item_id": item, "timestamp": at}
    value |= {"quantity": quantity, "price": PRICE}
    return msgspec.json.encode({"topic": "events", "key": "u", "timestamp": at, "value": value})


def described(item, category="drinks"):
    value = {"item_id": item, "title": f"title of {item}", "categories": ["all", category]}
    return msgspec.json.encode({"topic": "items", "key": item, "timestamp": START, "value": value})


def letter_vectors(texts):
    """Texts with the same letters are alike."""
    counts = np.array([[text.count(chr(n)) for n in range(48, 123)] for text in texts], np.float32)
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def series_of(catalogue):
    units = np.ones((3, 200), np.float32)
    return DemandSeries(ITEMS, units, units * PRICE, 0, HOUR, catalogue)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Twelve days of three items that sell by day far more than by night."""
    random = np.random.default_rng(1)
    lines = [described(item) for item in ITEMS]
    lines += [
        purchase(f"item-{item}", START + hour * HOUR, int(units))
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
    notes: list[str] = []
    metrics = train_demand(
        shop, out, window_ms=HOUR, horizon=HORIZON, vectors=letter_vectors, seed=3, on_progress=notes.append
    )
    return out / "headrace_demand", metrics, notes


def test_it_learns_more_than_a_constant(trained):
    _, metrics, notes = trained
    assert metrics["quantile_loss"] < 0.7 * metrics["quantile_loss_constant"]
    assert notes


def test_the_traced_program_answers_its_reference_request(trained):
    folder, _, _ = trained
    with np.load(folder / "reference.npz") as reference:
        inputs = [torch.from_numpy(reference[name]) for name in INPUTS]
        expected = reference["out_quantiles"]
    program = load_program(folder / "program.ts", torch.device("cpu"))
    np.testing.assert_allclose(program(*inputs).numpy(), expected, atol=1e-5)
    single = program(*(whole if name == "window_ms" else whole[:1] for name, whole in zip(INPUTS, inputs, strict=True)))
    np.testing.assert_allclose(single.numpy(), expected[:1], atol=1e-4)
    assert json.loads((folder / "meta.json").read_text())["window_ms"] == HOUR


def test_the_version_says_where_its_days_begin(trained):
    folder, _, _ = trained
    assert json.loads((folder / "meta.json").read_text())["timezone"] == "UTC"


def test_days_of_a_place_are_counted_as_they_are_there(tmp_path):
    """The last Sunday of March 2026 begins in Berlin at 23:00 UTC and ends at 22:00."""
    begin, end = 1_774_738_800_000, 1_774_821_600_000
    path = tmp_path / "stream.jsonl"
    path.write_bytes(b"\n".join(purchase("tea", at, n + 1) for n, at in enumerate((begin - 1, begin, end - 1, end))))
    series = read_series(path, LocalDays(1, "Europe/Berlin"))
    assert series.units[0, -3:].tolist() == [1, 5, 4]
    assert series.first + (series.units.shape[1] - 2) * series.window_ms == 1_774_742_400_000  # a calendar's Sunday


def test_a_split_without_a_zone_is_a_date_where_the_shop_is(tmp_path):
    berlin, midnight = LocalDays(1, "Europe/Berlin"), 1_774_738_800_000  # of the 29th of March 2026 there
    path = tmp_path / "stream.jsonl"
    path.write_bytes(b"\n".join(purchase("tea", at) for at in (midnight - 60 * 86_400_000, midnight - 1, midnight)))
    series = read_series(path, berlin)
    for split in (datetime(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 28, 1)):
        assert _column(series, split, berlin, HORIZON) == series.units.shape[1] - 1


def test_it_makes_nothing_that_would_stay_on_the_cpu_where_it_was_traced(trained):
    folder, _, _ = trained
    graph = torch.jit.load(folder / "program.ts").inlined_graph
    assert "Device" not in {str(node.output().type()) for node in graph.findAllNodes("prim::Constant")}


def test_it_expects_more_by_day_than_by_night(trained, shop):
    folder, _, _ = trained
    program = load_program(folder / "program.ts", torch.device("cpu"))
    series = read_series(shop, HOUR)
    noon, midnight = 168 + 24 * 10 + 10, 168 + 24 * 10 + 22
    medians = []
    for target in (noon, midnight):
        units = torch.from_numpy(series.units[:, target - 168 : target].copy())
        start = torch.full((3,), series.first + target * HOUR)
        names = [torch.from_numpy(part) for part in series.names()]
        quantiles = program(units, start, torch.tensor([HOUR]), *names, torch.full((3,), PRICE))
        medians.append(float(quantiles[:, 0, MEDIAN].mean()))
    assert medians[0] == pytest.approx(DAY, rel=0.4)
    assert medians[1] < 3


def test_quantiles_never_cross_and_are_never_negative():
    torch.manual_seed(0)
    without_catalogue = DemandNetwork(24, HORIZON, describe(series_of({}), 200, letter_vectors)).eval()
    unknown = torch.zeros(50, dtype=torch.int64)
    quantiles = without_catalogue(
        torch.rand(50, 168) * 100, torch.arange(50) * HOUR, torch.tensor([HOUR]), unknown, unknown, torch.rand(50)
    )
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
    assert samples.tensors.units.shape[1] == 168
    assert samples.target.shape == (len(samples.tensors.units), HORIZON)
    assert (samples.tensors.window_start % HOUR == 0).all()
    assert set(samples.tensors.item) == {item_hash(item) for item in ITEMS}
    assert set(samples.tensors.category) == {item_hash("drinks")}


def test_a_window_knows_the_price_paid_last_when_it_had_closed():
    prices = np.array([[0, 2, 0, 0, 3, 0]], np.float32)
    np.testing.assert_array_equal(carried_on(prices), [[0, 2, 2, 2, 3, 3]])


def test_what_online_is_a_dead_letter_is_no_demand_and_what_is_read_kindly_is(tmp_path):
    path = tmp_path / "odd.jsonl"
    lines = [
        described("tea"),
        purchase("tea", START, 2.0),
        purchase("tea", START + HOUR, -5),
        purchase("tea", START // 1_000),
    ]
    path.write_bytes(b"\n".join(lines))
    series = read_series(path, HOUR)
    assert series.units.sum() == 2
    assert series.units.shape == (1, 169)


def test_a_stream_without_purchases_says_what_is_missing(tmp_path):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(purchase("tea", START))
    with pytest.raises(ModelError, match="purchases"):
        train_demand(path, tmp_path, window_ms=HOUR, horizon=HORIZON, vectors=letter_vectors, on_progress=print)
