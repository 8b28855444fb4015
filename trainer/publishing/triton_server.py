"""What the Triton that versions are published to has: whether it answers, which folder it serves, which versions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from headrace.errors import ModelError, ModelUnavailable
from headrace.settings.model import Settings

_ANSWER_S: Final = 10.0
_PROBE: Final = "headrace-probe-"
_READY: Final = "READY"


def connect(settings: Settings) -> InferenceServerClient:
    """A client of the Triton that the settings name, which answers.

    Raises:
        ModelUnavailable: it does not.
    """
    connection = settings.triton_connection
    client = InferenceServerClient(**connection.options())
    connection.prepare(client)
    try:
        client.is_server_live(client_timeout=_ANSWER_S)
    except InferenceServerException as error:
        raise ModelUnavailable(
            f"No Triton answers at {settings.triton_address} ({error.message()}); start one with `headrace up` or set "
            "HEADRACE_TRITON"
        ) from error
    return client


def require_folder(client: InferenceServerClient, settings: Settings) -> None:
    """See that Triton serves the folder that is published to, by an empty folder in it that Triton has to list.

    Another folder would answer, too: with a version of its own of the same number, trained by the same command. Nothing
    is loaded for this, and what Triton serves goes on.

    Raises:
        ModelError: it serves another one; OSError: the folder cannot be written.
    """
    models, made = settings.models, not settings.models.exists()
    probe = models / f"{_PROBE}{uuid4().hex}"
    probe.mkdir(parents=True)
    try:
        listed = {model.name for model in _index(client, settings)}
    finally:
        probe.rmdir()
    if probe.name not in listed:
        if made:
            models.rmdir()
        raise ModelError(
            f"Triton at {settings.triton_address} serves another folder than {models.resolve()}: set "
            "HEADRACE_MODEL_REPO to the folder that it was started with (--model-repository), as this machine sees it; "
            "nothing was changed"
        )


def ready_versions(client: InferenceServerClient, settings: Settings) -> dict[str, list[int]]:
    """The versions that answer, oldest first, of each model.

    Raises:
        ModelUnavailable: Triton does not answer.
    """
    found: dict[str, list[int]] = {}
    for model in _index(client, settings):
        if model.state == _READY and model.version.isdigit():
            found.setdefault(model.name, []).append(int(model.version))
    return {name: sorted(versions) for name, versions in found.items()}


def require_ready(client: InferenceServerClient, name: str, version: int, models: Path) -> None:
    """See that a version that was just loaded is there.

    Raises:
        ModelError: Triton has loaded the model, and not this version of it.
    """
    if not client.is_model_ready(name, str(version)):
        raise ModelError(
            f"Triton has loaded {name} and not its version {version}, which lies in {models / name / str(version)}: "
            "its log says why"
        )


def _index(client: InferenceServerClient, settings: Settings) -> Sequence[Any]:
    try:
        answer: Any = client.get_model_repository_index(client_timeout=_ANSWER_S)
    except InferenceServerException as error:
        raise ModelUnavailable(
            f"Triton at {settings.triton_address} does not say what it serves ({error.message()})"
        ) from error
    return answer.models
