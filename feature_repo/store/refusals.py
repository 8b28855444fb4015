"""What an online store says when it answers and refuses, and what to do about it."""

import re
from typing import Final

from redis.exceptions import AuthenticationError, AuthorizationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

LEAST_VERSION: Final = "Redis 7.2 or Valkey 7.2"
"""Since then a client can ask whether what it has written is on disk (WAITAOF)."""

_REMEDIES: Final = {
    "READONLY": "it is a replica: HEADRACE_REDIS must name the primary",
    "MASTERDOWN": "it is a replica: HEADRACE_REDIS must name the primary",
    "OOM": "it is full: raise its maxmemory, or free some of it",
    "MISCONF": "it cannot write to its own disk: see its log",
    "NOREPLICAS": "too few of its replicas are connected (min-replicas-to-write)",
    "NOAUTH": "give HEADRACE_REDIS a user and a password that it knows",
    "WRONGPASS": "give HEADRACE_REDIS a user and a password that it knows",
    "NOPERM": "allow this user what it lacks (ACL SETUSER)",
    "MOVED": "it is a cluster, and rows of one batch must lie on one server: HEADRACE_REDIS must name a single one",
    "CROSSSLOT": "it is a cluster, and rows of one batch must lie on one server: HEADRACE_REDIS must name a single one",
    "unknown command": f"it must be {LEAST_VERSION}, or later",
}
_PIPELINE: Final = re.compile(r"^Command # \d+ \(.*\) of pipeline caused error: \(?['\"]?(.*?)['\"]?,?\)?$", re.DOTALL)
"""How the client wraps an error in a pipeline: a piece of the command before it, and the error as Python writes it."""
_PLACE: Final = re.compile(r" script: \w+, on @user_script:\d+\.?$| script: on @user_script:\d+\.?$")
_NOT_ALLOWED: Final = ("has no permissions", "can't run this command")
"""What servers say, without a code, where the user of a script may not do what the script does."""
_INSIDE_A_SCRIPT: Final = re.compile(rf"-({'|'.join(code for code in _REMEDIES if code.isupper())}) ")
"""Servers before version 7 put the code of what a script's command met behind words of their own."""


def is_refusal(error: RedisError) -> bool:
    """Whether the server has answered: waiting alone brings nothing."""
    if isinstance(error, AuthenticationError | AuthorizationError):
        return True  # to the client they are troubles of the connection
    return not isinstance(error, RedisConnectionError | RedisTimeoutError)


def refusal(error: RedisError) -> str:
    """What the server said, in one line, and what to do where that is known."""
    message = _PLACE.sub("", " ".join(_PIPELINE.sub(r"\1", str(error)).split()))
    code = _code(error, message)
    if code.isupper() and code not in message:
        message = f"{code} {message}"
    remedy = _REMEDIES.get(code)
    return f"{message.rstrip('.')}: {remedy}." if remedy else message


def _code(error: RedisError, message: str) -> str:
    if error.status_code in _REMEDIES:
        return error.status_code
    if any(words in message for words in _NOT_ALLOWED):
        return "NOPERM"
    if inside := _INSIDE_A_SCRIPT.search(message):
        return inside[1]
    first = message.split(" ", 1)[0]
    return first if first in _REMEDIES else "unknown command" if "unknown command" in message.lower() else ""
