"""Tracking of runs: MLflow holds parameters, curves, fingerprint and card; TensorBoard's curves lie with the model."""

import logging
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from torch.utils.tensorboard import SummaryWriter

from headrace.errors import ModelError, UsageError
from trainer.training_loop.complete import cannot_write, write_whole

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT: Final = "headrace"


class Tracker:
    """Takes a run's curves while it lasts, and its results at the end. A `Watch` of fits."""

    def __init__(self, client: "MlflowClient", run_id: str, boards: Path) -> None:
        self.run_id = run_id
        self._client = client
        self._writer = SummaryWriter(str(boards))

    def __call__(self, what: str, epoch: int, curves: Mapping[str, float]) -> None:
        """Take an epoch's points."""
        named = {f"{what.replace(' ', '_')}/{name}": value for name, value in curves.items()}
        try:
            for name, value in named.items():
                self._writer.add_scalar(name, value, epoch)
            self._writer.flush()
        except OSError as error:
            raise cannot_write(Path(self._writer.log_dir), error) from error
        self._log(named, epoch)

    def results(self, metrics: Mapping[str, float], files: list[Path]) -> None:
        """Note the run's final figures, and keep copies of the files that describe it."""
        self._log(metrics, 0)
        with _tracking_errors():
            for path in files:
                self._client.log_artifact(self.run_id, str(path))

    def close(self) -> None:
        """End the run well."""
        self._writer.close()
        with _tracking_errors():
            self._client.set_terminated(self.run_id, "FINISHED")

    def _log(self, metrics: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        with _tracking_errors():
            self._client.log_batch(self.run_id, metrics=[Metric(name, v, now, step) for name, v in metrics.items()])


@contextmanager
def _tracking_errors(first: BaseException | None = None) -> Generator[None]:
    """Turn the store's refusal into one line; where something failed before it, that is the line to see."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        raise first or ModelError(
            f"the tracking store refuses ({str(error).splitlines()[0]}); repair it and go on with --resume"
        ) from error


@contextmanager
def tracked(
    home: Path, out: Path, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]
) -> Generator[Tracker]:
    """Track a run for as long as the block lasts; a run that is resumed in `out` goes on under its old id.

    Args:
        home: the store is `home/mlflow`, unless MLFLOW_TRACKING_URI names another.
        out: TensorBoard's curves go to `out/tensorboard`.

    Raises:
        UsageError: the store that MLFLOW_TRACKING_URI names does not answer.
        ModelError: the disk or the store refuses.
    """
    client, run_id = _open(home, out, name, parameters, tags)
    try:
        tracker = Tracker(client, run_id, out / "tensorboard")
        yield tracker
    except BaseException as error:
        with _tracking_errors(first=error):
            client.set_terminated(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    tracker.close()


def _open(
    home: Path, out: Path, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]
) -> "tuple[MlflowClient, str]":
    client = _client(home)
    from mlflow.exceptions import MlflowException

    note = out / "checkpoints" / "mlflow_run"
    try:
        known = client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else client.create_experiment(EXPERIMENT, _artifacts(home))
        if note.exists():
            run_id = note.read_text("utf-8")
            client.update_run(run_id, status="RUNNING")
            return client, run_id
        run_id = client.create_run(experiment, run_name=name, tags=dict(tags)).info.run_id
        for key, value in parameters.items():
            client.log_param(run_id, key, value)
    except (MlflowException, OSError) as error:
        raise UsageError(f"no run can be tracked: {str(error).splitlines()[0]}; see MLFLOW_TRACKING_URI") from error
    write_whole(note, run_id.encode())
    return client, run_id


def _client(home: Path) -> "MlflowClient":
    # Read when mlflow is first imported: it should neither call home nor talk to our users.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    logging.getLogger("alembic").setLevel(logging.ERROR)
    from mlflow import MlflowClient

    named = os.environ.get("MLFLOW_TRACKING_URI")
    if named:
        return MlflowClient(named)
    store = _store(home)
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(store, error) from error
    return MlflowClient(f"sqlite:///{store / 'mlflow.db'}")


def _store(home: Path) -> Path:
    return home.absolute() / "mlflow"


def _artifacts(home: Path) -> str | None:
    """Where files of the embedded store go; another store decides for itself."""
    return None if os.environ.get("MLFLOW_TRACKING_URI") else (_store(home) / "artifacts").as_uri()
