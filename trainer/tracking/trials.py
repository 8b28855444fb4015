"""A hyper-parameter study that can be stopped at any moment and gone on with: Optuna over a SQLite file.

Trial n draws from a generator seeded by n, so a study that was stopped suggests what an unbroken one would have.
"""

import fcntl
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from headrace.errors import ModelError, UsageError

_NAME: Final = "headrace"
_ENDED: Final = (TrialState.COMPLETE, TrialState.PRUNED)
_FOR: Final = "trained for"

Objective = Callable[[Trial], float]


class Best(NamedTuple):
    """What a study found, and how many of its trials have come to an end."""

    parameters: dict[str, Any]
    loss: float
    finished: int
    pruned: int


def search(
    study_file: Path,
    purpose: str,
    objective: Objective,
    trials: int,
    seed: int,
    on_progress: Callable[[int, str], None],
) -> Best:
    """Run trials until the study has so many that came to an end, those of earlier calls among them.

    A trial that a killed process left behind is failed, and what it tried is tried again.

    Args:
        study_file: a SQLite file; made where there is none.
        purpose: what the trials' losses depend on beside the parameters; a study serves one purpose only.
        objective: the loss of a trial, lower is better; may report per epoch and be pruned.
        on_progress: called with the number of finished trials and the best loss so far.

    Raises:
        UsageError: the file is another purpose's study, no study at all, or in use.
        ModelError: no trial came to its end.
    """
    with _held(study_file):
        study = _open(study_file, purpose)
        _requeue(study)
        while len(_ended(study)) < trials:
            number = len(study.get_trials(deepcopy=False))
            study.sampler = optuna.samplers.TPESampler(seed=seed * 1_000_003 + number)
            study.optimize(objective, n_trials=1)
            on_progress(len(_ended(study)), _note(study))
    ended = _ended(study)
    if not any(trial.state is TrialState.COMPLETE for trial in ended):
        raise ModelError(f"{study_file}: no trial came to its end; raise --trials")
    pruned = sum(trial.state is TrialState.PRUNED for trial in ended)
    return Best(study.best_params, study.best_value, len(ended), pruned)


def _open(study_file: Path, purpose: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    try:
        study = optuna.create_study(
            storage=f"sqlite:///{study_file.absolute()}",
            study_name=_NAME,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2),
        )
    except Exception as error:  # whatever the database driver makes of a file that is no database
        raise UsageError(f"--study {study_file}: no study ({str(error).splitlines()[0]}); name another file") from error
    if study.user_attrs.get(_FOR, purpose) != purpose:
        raise UsageError(f"--study {study_file} was made for another stream, seed or text encoder; name another file")
    study.set_user_attr(_FOR, purpose)
    return study


def _requeue(study: optuna.Study) -> None:
    """Nobody else holds the study, so a trial that runs was left behind."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if trial.params:
            study.enqueue_trial(trial.params)


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=_ENDED)


def _note(study: optuna.Study) -> str:
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return f"best loss {study.best_value:.4f}" if done else ""


@contextmanager
def _held(study_file: Path) -> Generator[None]:
    """Keep a second process from the study: it would take this one's trial for one left behind."""
    lock = study_file.with_name(f"{study_file.name}.lock")
    try:
        study_file.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError as error:
        raise UsageError(f"--study {study_file} is being searched by another process; wait for it") from error
