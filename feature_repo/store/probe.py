"""Whether a server can be an online store: asked at start, and again when it has refused something."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from feature_repo.store.refusals import LEAST_VERSION
from headrace.errors import StoreRefused

RESTORE: Final = (
    "Restore a backup that holds what was folded, or set HEADRACE_GROUP to a new name and HEADRACE_ANSWER_AGAIN=on, "
    "which folds and answers the topics again."
)


class ServerFacts(NamedTuple):
    """What a server says of itself (INFO).

    Attributes:
        name: product and version, for people.
        run_id: another one after each start, and on each node.
        primary: of which it is a replica; "" where it is none.
        policy: what it does when its memory is full.
        evicted: rows, of anybody, that it has dropped for want of memory since its start.
        keeps_a_file: whether it writes an append-only file.
    """

    name: str
    run_id: str
    primary: str
    policy: str
    evicted: int
    keeps_a_file: bool

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """The facts in an answer to INFO; services that hide some of it are taken at their best."""
        product = "Valkey" if "valkey_version" in info else "Redis"
        version = info.get("valkey_version") or info.get("redis_version", "of no version")
        is_replica = info.get("role") == "slave"
        return cls(
            name=f"{product} {version}",
            run_id=str(info.get("run_id", "")),
            primary=f"{info.get('master_host')}:{info.get('master_port')}" if is_replica else "",
            policy=str(info.get("maxmemory_policy", "")),
            evicted=int(info.get("evicted_keys", 0)),
            keeps_a_file=bool(info.get("aof_enabled", 0)),
        )

    @property
    def evicts_rows(self) -> bool:
        """Whether a full memory costs rows. The `volatile` policies drop what is to go anyway."""
        return self.policy.startswith("allkeys")


def verify(facts: ServerFacts, address: str) -> None:
    """Refuse a server that would lose rows, or take none.

    Raises:
        StoreRefused: with what to do about it.
    """
    verify_primary(facts, address)
    if facts.evicts_rows:
        raise StoreRefused(
            f"The online store at {address} drops rows when its memory is full (maxmemory-policy {facts.policy}): set "
            "`maxmemory-policy noeviction` there."
        )


def verify_primary(facts: ServerFacts, address: str) -> None:
    """Refuse a replica: what it takes is gone when it hears of its primary, and what it lacks may be there.

    Raises:
        StoreRefused: with what to do about it.
    """
    if facts.primary:
        raise StoreRefused(
            f"The online store at {address} is a replica (of {facts.primary}): HEADRACE_REDIS must name the primary."
        )


def evicted_since(before: ServerFacts, now: ServerFacts) -> int:
    """How many rows the server has dropped since, where some of this group's may be among them.

    Another server, or one that has started again, counts from nothing: whether it has all that was folded shows in
    the fences.
    """
    dropped = now.evicted - before.evicted if now.run_id == before.run_id else 0
    return max(dropped, 0) if now.evicts_rows or not now.policy.startswith("volatile") else 0


def lacks_waitaof(error: Exception) -> bool:
    """Whether the server knows no WAITAOF."""
    message = str(error).lower()
    return "unknown command" in message and "waitaof" in message


def without_waitaof(facts: ServerFacts, address: str) -> StoreRefused:
    """What there is to say of a server that keeps a file, and cannot be asked whether a write is in it."""
    return StoreRefused(
        f"The online store at {address} ({facts.name}) keeps an append-only file, but cannot be asked whether a write "
        f"is in it (WAITAOF): it must be {LEAST_VERSION} or later. With HEADRACE_DURABLE=off nothing is waited for, "
        "and its crash may lose features."
    )
