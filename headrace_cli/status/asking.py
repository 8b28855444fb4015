"""Every server asked at once, each with a patience of its own."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from headrace.connections.addresses import parse_endpoint
from headrace.errors import HeadraceError
from headrace.settings.model import Settings
from headrace_cli.status.kafka import check_kafka
from headrace_cli.status.models import check_models
from headrace_cli.status.status_report import KafkaPart, ModelPart, Part, Status, StorePart
from headrace_cli.status.store import check_store

_CONNECT_S: Final = 5.0
_EXTERNAL: Final = "external"
_TITLES: Final = {"kafka": "Kafka", "redis": "The online store", "triton": "Triton"}

P = TypeVar("P", bound=Part)


def status(settings: Settings) -> Status:
    """Ask Kafka, the online store and Triton, as they are set; what does not answer is a part with its trouble."""
    known = _known(settings)
    with ThreadPoolExecutor(3) as threads:
        kafka = threads.submit(_check, check_kafka, settings, KafkaPart(**known["kafka"]))
        store = threads.submit(_check, check_store, settings, StorePart(**known["redis"]))
        triton = threads.submit(_check, check_models, settings, ModelPart(**known["triton"]))
        return Status(kafka.result(), store.result(), triton.result())


def _known(settings: Settings) -> dict[str, dict[str, Any]]:
    """What is known of each before it is asked: of local ones their processes."""
    named = {
        "kafka": (settings.kafka, settings.kafka_address),
        "redis": (settings.redis, settings.redis_address),
        "triton": (settings.triton, settings.triton_address),
    }
    found: dict[str, dict[str, Any]] = {
        name: {"name": name, "address": address, "state": _EXTERNAL}
        for name, (given, address) in named.items()
        if given
    }
    if len(found) < len(named):  # what the local stack needs is not installed where nothing is local
        from infra.local.stack import status as local_status

        for server in local_status(settings):
            found.setdefault(
                server.name,
                {
                    "name": server.name,
                    "address": server.address,
                    "state": server.state.value,
                    "pid": server.pid,
                    "log": server.log,
                },
            )
    return found


def _check(look: Callable[[Settings, P], P], settings: Settings, part: P) -> P:
    if not _listens(part.address):
        where = "start that server" if part.state == _EXTERNAL else "start it with `headrace up`"
        trouble = (
            f"{_TITLES[part.name]} at {part.address} does not answer: {where}, or set HEADRACE_{part.name.upper()}"
        )
        return replace(part, trouble=trouble)
    try:
        return look(settings, part)
    except HeadraceError as error:
        return replace(part, trouble=str(error))


def _listens(addresses: str) -> bool:
    """Whether one of some `host:port` takes a connection: clients try for longer, and say less."""
    for address in addresses.split(","):
        endpoint = parse_endpoint(address, 0)
        try:
            socket.create_connection(endpoint, timeout=_CONNECT_S).close()
        except OSError:
            continue
        return True
    return False
