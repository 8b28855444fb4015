"""What `headrace status` says, one part a server."""

from msgspec import Struct


class Part(Struct, frozen=True, kw_only=True):
    """A server.

    Attributes:
        state: of its process where it is local: running, starting, stopped; `external` where it is run elsewhere.
        pid, log: of a local process that runs.
        answers: whether it did, just now.
        trouble: why it does not answer, or what keeps it from its work, with what to do; "" where all is well.
    """

    name: str
    address: str
    state: str
    pid: int | None = None
    log: str | None = None
    answers: bool = False
    trouble: str = ""


class WorkerSeen(Struct, frozen=True):
    """A process of the group: its client's name, where it connects from, and the partitions it has, of each topic."""

    client: str
    host: str
    partitions: dict[str, list[int]]


class Letters(Struct, frozen=True):
    """Dead letters that were not sent back.

    Attributes:
        waiting: how many.
        by_reason: the same by reason; empty where they are too many to be read.
        exact: false where they are: then repeated ones count twice.
    """

    waiting: int
    by_reason: dict[str, int] = {}
    exact: bool = True


class KafkaPart(Part, frozen=True, kw_only=True):
    """Kafka, the topics, and the group that works on them.

    Attributes:
        topics: of the contract, that there are.
        missing: and that there are not.
        lag: records that wait for the group, of each topic.
    """

    topics: int = 0
    missing: list[str] = []
    group: str = ""
    workers: list[WorkerSeen] = []
    lag: dict[str, int] = {}
    dead_letters: Letters | None = None


class StorePart(Part, frozen=True, kw_only=True):
    """The online store: its product and version, whether it takes a write, whether it keeps an append-only file."""

    product: str = ""
    writable: bool = False
    keeps_a_file: bool = False


class ModelPart(Part, frozen=True, kw_only=True):
    """Triton: whether it is ready, and the versions that answer, of each model."""

    ready: bool = False
    served: dict[str, list[int]] = {}


class Status(Struct, frozen=True):
    """All of them."""

    kafka: KafkaPart
    redis: StorePart
    triton: ModelPart

    @property
    def troubles(self) -> list[str]:
        """What is wrong, of every server."""
        return [part.trouble for part in (self.kafka, self.redis, self.triton) if part.trouble]
