"""The versions in the model repository: which is served, when each was trained and published, and how it measured."""

from pathlib import Path
from typing import Final

from msgspec import Struct

from headrace.arrays import DEMAND_MODEL, MODEL
from headrace.errors import ModelUnavailable
from headrace.settings.model import Settings
from trainer.publishing import repository, triton_server
from trainer.publishing.note import read_note

_NAMES: Final = (MODEL, DEMAND_MODEL)


class Version(Struct, frozen=True):
    """A version; the note's fields are null where it was published by a release that wrote none."""

    version: int
    served: bool | None
    models: list[str]
    trained_at: str | None
    published_at: str | None
    metrics: dict[str, float]


class Inventory(Struct, frozen=True):
    """All versions, oldest first.

    Attributes:
        served: by Triton, of each model; None where it does not answer.
        trouble: why not, or what does not agree; "" where all is well.
    """

    model_repo: str
    triton: str
    served: dict[str, list[int]] | None
    versions: list[Version]
    trouble: str = ""


def inventory(settings: Settings) -> Inventory:
    """Read the repository, and ask Triton which versions answer."""
    models = settings.models
    try:
        client = triton_server.connect(settings)
        ready = triton_server.ready_versions(client, settings)
        served, trouble = {name: ready.get(name, []) for name in _NAMES}, ""
    except ModelUnavailable as error:
        served, trouble = None, str(error)
    numbers = sorted({number for name in _NAMES for number in repository.versions(models, name)})
    versions = [_version(models, number, served) for number in numbers]
    if served is not None:
        trouble = _disagreement(settings, served)
    return Inventory(str(models.resolve()), settings.triton_address, served, versions, trouble)


def _disagreement(settings: Settings, served: dict[str, list[int]]) -> str:
    for name in _NAMES:
        wanted = repository.served_version(settings.models, name)
        if wanted is not None and wanted not in served[name]:
            answers = f"version {served[name][-1]}" if served[name] else "no version"
            return (
                f"{settings.models / name} names version {wanted} to be served, and Triton answers with {answers}: "
                "publish again, or see that HEADRACE_MODEL_REPO is the folder that Triton serves"
            )
    return ""


def _version(models: Path, number: int, served: dict[str, list[int]] | None) -> Version:
    holders = [name for name in _NAMES if number in repository.versions(models, name)]
    note = read_note(models / holders[0] / str(number))
    ready = None if served is None else any(number in served[name] for name in holders)
    return Version(number, ready, holders, note.trained_at, note.published_at, note.metrics)
