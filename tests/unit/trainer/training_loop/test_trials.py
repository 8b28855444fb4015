"""A study goes on where it stood, also after a kill, and suggests what an unbroken one would have."""

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import Trial, TrialState

from headrace.errors import UsageError
from trainer.tracking.trials import Best, search

KILLED_IN_THE_THIRD_TRIAL = """
import os, signal, sys
from pathlib import Path
from trainer.tracking.trials import search

def objective(trial):
    x = trial.suggest_float("x", -5, 5)
    if trial.number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return x * x

search(Path(sys.argv[1]), "squares", objective, 5, 1, lambda n, note: None)
"""


def square(trial: Trial) -> float:
    return trial.suggest_float("x", -5, 5) ** 2


def searched(study: Path, trials: int) -> Best:
    return search(study, "squares", square, trials, 1, lambda n, note: None)


def trials_of(study: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="headrace", storage=f"sqlite:///{study}").trials


def test_the_trial_that_a_kill_left_running_is_run_again_and_the_number_adds_up(tmp_path: Path):
    study = tmp_path / "study.db"
    root = str(Path(__file__).parents[4])
    done = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_THIRD_TRIAL, str(study)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr[-2000:]
    assert [t.state for t in trials_of(study)] == [TrialState.COMPLETE] * 2 + [TrialState.RUNNING]
    best = searched(study, 5)
    trials = trials_of(study)
    assert best.finished == 5
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 2 + [TrialState.FAIL] + [TrialState.COMPLETE] * 3
    assert trials[3].params == trials[2].params
    assert best.loss == min(t.value for t in trials if t.value is not None)


def test_a_study_in_two_parts_tries_what_one_in_one_part_tries(tmp_path: Path):
    searched(tmp_path / "parts.db", 4)
    searched(tmp_path / "parts.db", 14)
    searched(tmp_path / "whole.db", 14)
    parts, whole = ([t.params["x"] for t in trials_of(tmp_path / f"{name}.db")] for name in ("parts", "whole"))
    assert parts == whole
    assert len(set(whole)) == 14


def test_a_study_that_has_its_trials_tries_nothing(tmp_path: Path):
    first = searched(tmp_path / "study.db", 3)
    assert searched(tmp_path / "study.db", 2) == first


def test_a_study_serves_one_purpose(tmp_path: Path):
    searched(tmp_path / "study.db", 1)
    with pytest.raises(UsageError, match="was made for another stream"):
        search(tmp_path / "study.db", "cubes", square, 2, 1, lambda n, note: None)


def test_a_study_is_searched_by_one_process(tmp_path: Path):
    def again(trial: Trial) -> float:
        with pytest.raises(UsageError, match="being searched by another process"):
            searched(tmp_path / "study.db", 2)
        return square(trial)

    assert search(tmp_path / "study.db", "squares", again, 1, 1, lambda n, note: None).finished == 1


def test_a_file_that_is_no_study_is_wrong_usage(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("not a database, but rather long" * 200)
    with pytest.raises(UsageError, match=r"notes\.txt: no study"):
        searched(tmp_path / "notes.txt", 1)
