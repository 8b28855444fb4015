"""What Triton says: whether it is ready, and which versions answer."""

from typing import Final

from msgspec.structs import replace
from tritonclient.utils import InferenceServerException

from headrace.settings.model import Settings
from headrace_cli.status.status_report import ModelPart
from trainer.publishing.inventory import inventory
from trainer.publishing.triton_server import connect

_ANSWER_S: Final = 5.0


def check_models(settings: Settings, part: ModelPart) -> ModelPart:
    """Ask Triton, and hold its versions against those of the repository where this machine sees it.

    Raises:
        ModelUnavailable: it does not answer.
    """
    client = connect(settings)
    try:
        ready = bool(client.is_server_ready(client_timeout=_ANSWER_S))
    except InferenceServerException:
        ready = False
    found = inventory(settings)
    trouble = found.trouble if ready else f"Triton at {part.address} answers, and is not ready: see its log"
    return replace(part, answers=True, ready=ready, served=found.served or {}, trouble=trouble)
