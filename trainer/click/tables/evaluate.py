"""Train on a file of impressions, score another once: what `headrace evaluate ctr` does."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from headrace.arrays import Floats
from headrace.errors import UsageError
from trainer.click.calibration import Calibration, expected_rate, fit_calibration
from trainer.click.losses import log_loss
from trainer.click.tables.models import FitLengths, fit_first, fit_last
from trainer.click.tables.rows import learnable_rows
from trainer.data.click_table import ClickTable, read_click_tables, read_like
from trainer.evaluation.calibration import equal_mass, equal_width
from trainer.training_loop.device import use_cores
from trainer.training_loop.fit import OnProgress

_HELD_BACK: Final = 0.15
_HELD_BACK_ROWS: Final = (2_000, 0.3)
"""Of a short file, as many rows are held back as this, but no larger share than that."""
_LEAST_ROWS: Final = 20
_MANY_ROWS: Final = 200_000
"""From here on batches are large enough for a second thread to do more than wait."""
_LEAST_SEEN: Final = 3
"""Training rows that a value must stand in to be a category of its own."""


class ClickFigures(Struct):
    """How the scored rows turned out. Losses in nats; calibration errors over 15 bins."""

    auc: float | None  # None where all labels are the same
    logloss: float
    ece: float  # bins of equal width
    seconds: float
    ece_equal_mass: float  # bins of equal count
    base_logloss: float  # of training's click rate for every row
    train_rows: int
    test_rows: int
    train_rate: float  # share of clicks
    test_rate: float


class Evaluation(NamedTuple):
    """Figures, and what they are of. M scored rows."""

    figures: ClickFigures
    probability: NDArray[np.float64]  # [M]
    clicked: Floats  # [M]


def evaluate_clicks(
    train: Path, test: Path, valid: Path | None, *, label: str, user: str, item: str, seed: int, on_progress: OnProgress
) -> Evaluation:
    """Train, calibrate and score.

    Without `valid` the end of the training file, whose lines are taken to be in order of time, decides when to stop
    and how to calibrate, one half each; so do the halves of `valid`. After that every labelled row is learnt from.

    Raises:
        UsageError: a file that is broken or too short, or labels to learn from that are all the same.
    """
    began = time.monotonic()
    if len({label, user, item}) < 3:
        raise UsageError(f"--label {label}, --user {user}, --item {item}: name three different columns")
    known = read_click_tables([train] if valid is None else [train, valid], label, user, item)
    torch.set_num_threads(1)
    if len(known.clicked) >= _MANY_ROWS:
        use_cores()
    scored = read_like(test, known, label)
    _require_enough([train] if valid is None else [train, valid], known, label)
    parts = _parts(known, seed)
    ids = (user, item)
    fit_lengths, calibration = _first_fit(parts, ids, seed, on_progress)
    sizes, rows, (later,) = learnable_rows(known, [scored], _LEAST_SEEN, ids)
    logit_M = calibration.apply(fit_last(sizes, rows, fit_lengths, seed, on_progress).score(later))
    return Evaluation(_figures(logit_M, known, scored, began), 1 / (1 + np.exp(-logit_M)), scored.clicked)


class _Parts(NamedTuple):
    train: ClickTable
    stop: ClickTable
    calibrate: ClickTable


def _require_enough(paths: Sequence[Path], known: ClickTable, label: str) -> None:
    for path, rows in zip(paths, known.rows, strict=True):
        if rows < _LEAST_ROWS:
            raise UsageError(f"{path}: {rows} rows; it takes {_LEAST_ROWS} at least")
    if known.clicked.min() == known.clicked.max():
        only = f"{label} is {known.clicked[0]:.0f} in every row"
        raise UsageError(f"{paths[0]}: {only}; there must be both 0 and 1 to learn from")


def _parts(known: ClickTable, seed: int) -> _Parts:
    count, valid_rows = len(known.clicked), sum(known.rows[1:])
    wanted, most = _HELD_BACK_ROWS
    held_back = valid_rows or round(max(count * _HELD_BACK, min(wanted, count * most)))
    train, stop = count - held_back, count - held_back // 2
    parts = _Parts(*(known.pick(rows) for rows in (slice(train), slice(train, stop), slice(stop, count))))
    if all(0 < part.clicked.mean() < 1 for part in parts):
        return parts
    # A file that is sorted by its label, or is very short, says nothing at its end.
    shuffled = np.random.default_rng(seed).permutation(count)
    return _Parts(*(known.pick(np.sort(rows)) for rows in np.split(shuffled, [train, stop])))


def _first_fit(
    parts: _Parts, ids: tuple[str, str], seed: int, on_progress: OnProgress
) -> tuple[FitLengths, Calibration]:
    sizes, rows, (stop, calibrate) = learnable_rows(parts.train, [parts.stop, parts.calibrate], _LEAST_SEEN, ids)
    models, fit_lengths = fit_first(sizes, rows, stop, seed, on_progress)
    rate = expected_rate(np.concatenate([rows.clicked, stop.clicked]), calibrate.clicked)
    return fit_lengths, fit_calibration(models.score(calibrate), calibrate.clicked, rate)


def _figures(logit_M: NDArray[np.float64], known: ClickTable, scored: ClickTable, began: float) -> ClickFigures:
    clicked, rate = scored.clicked, float(known.clicked.mean())
    probability = 1 / (1 + np.exp(-logit_M))
    both = 0 < clicked.mean() < 1
    return ClickFigures(
        auc=float(roc_auc_score(clicked, logit_M)) if both else None,
        logloss=log_loss(logit_M, clicked),
        ece=equal_width(probability, clicked).error,
        seconds=time.monotonic() - began,
        ece_equal_mass=equal_mass(probability, clicked).error,
        base_logloss=log_loss(np.full(len(clicked), np.log(rate / (1 - rate))), clicked),
        train_rows=len(known.clicked),
        test_rows=len(clicked),
        train_rate=rate,
        test_rate=float(clicked.mean()),
    )
