"""Publish a trained folder as the next version, checked against its own answers; or go back one version."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput, InferResult
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from feature_repo.basics.windows import length_of, windows_of, zone_of
from headrace.arrays import DEMAND_MODEL, LATER_OUTPUTS, MODEL, DescribeAnswer, ScoreAnswer
from headrace.errors import ModelError, UsageError
from headrace.settings.model import Settings
from trainer.publishing import repository
from trainer.publishing.note import note_of
from trainer.publishing.triton_server import connect, require_folder, require_ready
from trainer.publishing.version_folder import check_whole

_MODELS: Final = (MODEL, DEMAND_MODEL)
_TOLERANCE: Final = 1e-4
_COARSE: Final = 2e-2
"""The same for text vectors whose products a version's configuration asks for in bfloat16."""
_WARM_UP_S: Final = 60.0

Arrays = Mapping[str, NDArray[np.generic]]


def publish(directory: Path, settings: Settings) -> int:
    """Publish what `headrace train` wrote; Triton serves it when this returns.

    Returns:
        version: the same for every model in the folder.

    Raises:
        UsageError: the folder holds no trained model, one that was not written to its end, one of other days, or one of
            another release.
        ModelError: Triton serves another folder, and nothing is changed; or a version does not load, or does not answer
            as trained, and the versions before are served again.
        ModelUnavailable: Triton does not answer; nothing is changed.
    """
    names = [name for name in _MODELS if (directory / name / "config.pbtxt").exists()]
    if MODEL not in names:
        raise UsageError(f"{directory} holds no trained model; give the folder that `headrace train --out` wrote")
    for name in names:
        check_whole(directory / name)
    if DEMAND_MODEL in names:
        _check_days(directory / DEMAND_MODEL, settings)
    client = connect(settings)
    check_outputs(directory / MODEL)
    _require_folder(client, settings)
    models, note = settings.models, note_of(directory)
    version = repository.next_version(models, names)
    before = {name: repository.served_version(models, name) for name in names}
    try:
        for name in names:
            repository.place_version(models, directory / name, version, note)
        for name in names:
            _serve(client, models, name, version)
    except (InferenceServerException, ModelError, OSError) as error:
        _undo(client, models, before, version)
        raise ModelError(f"Version {version} is not published: {error}") from error
    return version


def _check_days(folder: Path, settings: Settings) -> None:
    """A version that has learnt from other days than this shop's would be asked for what it never saw.

    One of windows of another length says so itself when it is asked.
    """
    meta = json.loads((folder / "meta.json").read_text())
    trained, windows = meta.get("timezone", "UTC"), windows_of(settings.window, settings.timezone)
    if meta["window_ms"] == length_of(windows) and trained != zone_of(windows):
        raise UsageError(
            f"{folder.parent} was trained on days that begin in {trained}, not in {zone_of(windows)}: train again, or "
            f"set HEADRACE_TIMEZONE={trained}"
        )


def check_outputs(folder: Path) -> None:
    """Refuse a version that workers of this release would answer for.

    Raises:
        UsageError: naming the outputs that its configuration lacks.
    """
    config = (folder / "config.pbtxt").read_text("utf-8")
    needed = {*ScoreAnswer._fields, *DescribeAnswer._fields} - LATER_OUTPUTS
    if missing := sorted(name for name in needed if f'name: "{name}"' not in config):
        lacks = f"its configuration has no output {', '.join(missing)}"
        raise UsageError(f"{folder.parent} was trained by another release of Headrace: {lacks}; train again")


def rollback(settings: Settings) -> int:
    """Serve the version before the one that is served now.

    Returns:
        version: of the shopper model that is served now.

    Raises:
        ModelError: there is no version before, or Triton serves another folder.
        ModelUnavailable: Triton does not answer.
    """
    models = settings.models
    current = repository.served_version(models, MODEL)
    before = [v for v in repository.versions(models, MODEL) if current is not None and v < current]
    if not before:
        raise ModelError("There is no version before the one served; publish one with `headrace publish DIR`")
    client = connect(settings)
    _require_folder(client, settings)
    target = before[-1]
    try:
        for name in _MODELS:
            if target in repository.versions(models, name):
                _serve(client, models, name, target)
    except (InferenceServerException, OSError) as error:
        raise ModelError(f"Version {target} does not load: {error}; publish again from its folder") from error
    return target


def disagreement(expected: Arrays, served: Arrays) -> float:
    """Largest difference between the trained model's answers and the served ones, beyond 1e-4 of the value itself.

    Two items of all but equal score may change places; what belongs to a place is compared where its item agrees.
    """
    worst = 0.0
    for name, trained in expected.items():
        right, got = trained, served[name]
        if got.shape != right.shape:
            return np.inf
        if "rec_item" in expected and name in {"rec_ctr", "reason_event", "reason_weight", "reason_part"}:
            same = expected["rec_item"] == served["rec_item"]
            right, got = right[same], got[same]
        if name != "rec_item":
            worst = max(worst, _difference(right, got))
    return worst


def _difference(right: NDArray[np.generic], got: NDArray[np.generic]) -> float:
    a, b = right.astype(np.float64), got.astype(np.float64)
    if (np.isnan(a) != np.isnan(b)).any():
        return np.inf
    gap = np.abs(a - b) / np.maximum(1.0, np.abs(a))
    return float(np.nan_to_num(gap).max(initial=0.0))


def _require_folder(client: InferenceServerClient, settings: Settings) -> None:
    try:
        require_folder(client, settings)
    except OSError as error:
        raise ModelError(
            f"{settings.models} cannot be written ({error.strerror}): set HEADRACE_MODEL_REPO to a folder that Triton "
            "serves and this machine may write"
        ) from error


def _serve(client: InferenceServerClient, models: Path, name: str, version: int) -> None:
    repository.point_at(models, name, version)
    client.load_model(name)
    require_ready(client, name, version, models)
    for path in sorted((models / name / str(version)).glob("reference*.npz")):
        _check(client, name, version, path)


def _check(client: InferenceServerClient, name: str, version: int, path: Path) -> None:
    with np.load(path) as arrays:
        request = {key: arrays[key] for key in arrays.files if not key.startswith("out_")}
        expected = {key.removeprefix("out_"): arrays[key] for key in arrays.files if key.startswith("out_")}
    inputs = [_input(key, array) for key, array in request.items()]
    result = cast(InferResult, client.infer(name, inputs, str(version), client_timeout=_WARM_UP_S))
    served = {key: cast(NDArray[np.generic], result.as_numpy(key)) for key in expected}
    worst = disagreement(expected, served)
    coarse = path.stem == "reference_describe" and repository.parameter(path.parent, "text_precision") == "bfloat16"
    if worst > (_COARSE if coarse else _TOLERANCE):
        raise ModelError(f"{name} as served differs from {name} as trained by {worst:.2g} ({path.stem})")


def _input(name: str, array: NDArray[np.generic]) -> InferInput:
    tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor


def _undo(client: InferenceServerClient, models: Path, before: Mapping[str, int | None], version: int) -> None:
    for name, previous in before.items():
        repository.point_back(models, name, previous)
        # A Triton that died over it reads the configuration when it starts again.
        with suppress(InferenceServerException):
            client.unload_model(name) if previous is None else client.load_model(name)
        repository.remove_version(models, name, version)
