"""The worker's client of Redis or Valkey: retries, and errors that say what to do."""

from collections.abc import Generator
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from feature_repo.store.refusals import is_refusal, refusal
from headrace.connections.redis import RedisConnection
from headrace.errors import StoreError, StoreRefused

_RETRIES = 4
_TIMEOUT_S = 30.0
"""Longer than any script or wait for the disk; a server silent for so long is taken for lost."""


def connect(connection: RedisConnection) -> Redis:
    """A client that tries a command again a few times over about a second; every command of ours may be repeated."""
    return Redis(
        **connection.options(),
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=2.0,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _RETRIES),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )


@contextmanager
def store_errors(address: str) -> Generator[None, None, None]:
    """Turn the client's errors into StoreError: StoreRefused where the server has answered."""
    try:
        yield
    except RedisError as error:
        if is_refusal(error):
            raise StoreRefused(f"The online store at {address} refuses: {refusal(error)}") from error
        raise StoreError(
            f"The online store at {address} does not answer ({error}): start it with `headrace up`, "
            "or set HEADRACE_REDIS."
        ) from error
