"""What the online store says, and whether it takes a write."""

from typing import Any, Final

import redis
from msgspec.structs import replace
from redis.backoff import NoBackoff
from redis.retry import Retry

from feature_repo.store.probe import ServerFacts, verify
from feature_repo.store.refusals import is_refusal, refusal
from headrace.errors import StoreRefused
from headrace.settings.model import Settings
from headrace_cli.status.status_report import StorePart

_ANSWER_S: Final = 5
_PROBE: Final = "headrace:status"
_PROBE_MS: Final = 1_000


def check_store(settings: Settings, part: StorePart) -> StorePart:
    """Ask the store, and write a key that is gone after a second.

    Raises:
        SettingsError: a PEM file does not hold what it should.
    """
    options: dict[str, Any] = settings.redis_connection.options()
    patience = Retry(NoBackoff(), 0)
    limits: dict[str, Any] = {"socket_timeout": _ANSWER_S, "socket_connect_timeout": _ANSWER_S, "retry": patience}
    with redis.Redis(**options, **limits) as client:
        try:
            client.ping()
            part = replace(part, answers=True)
            info: Any = client.info()
            facts = ServerFacts.of(info)
            part = replace(part, product=facts.name, keeps_a_file=facts.keeps_a_file)
            verify(facts, part.address)
            client.set(_PROBE, "", px=_PROBE_MS)
        except redis.RedisError as error:
            refuses = is_refusal(error)
            reply = f"refuses ({refusal(error)})" if refuses else f"does not answer ({error})"
            return replace(part, answers=refuses, trouble=f"The online store at {part.address} {reply}")
        except StoreRefused as error:
            return replace(part, trouble=str(error))
    return replace(part, writable=True)
