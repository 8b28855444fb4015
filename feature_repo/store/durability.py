"""What has to have happened to a write before offsets are committed: on the server's disk, and with its replicas."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from headrace.errors import StoreRefused

_TIMEOUT_MS: Final = 10_000


class Durability(NamedTuple):
    """What is waited for, on the connection that has written.

    Attributes:
        on_disk: until the write is in the server's append-only file, on its disk.
        replicas: until so many of its replicas have the write in memory: one of them may be the next primary. Their
            disks are not waited for, since they write theirs once a second.
    """

    on_disk: bool = False
    replicas: int = 0

    def ask(self, pipeline: Any) -> None:
        """Put the questions behind a write."""
        if self.on_disk:
            pipeline.execute_command("WAITAOF", 1, 0, _TIMEOUT_MS)
        if self.replicas:
            pipeline.execute_command("WAIT", self.replicas, _TIMEOUT_MS)

    def verify(self, answers: Sequence[Any]) -> None:
        """Hold the answers to `ask` against what was wanted.

        Raises:
            StoreRefused: with what is not so after ten seconds.
        """
        left = list(answers)
        if self.on_disk and left.pop(0)[0] < 1:
            raise StoreRefused(f"The online store had its writes not on disk after {_TIMEOUT_MS // 1000} s.")
        if self.replicas and (found := left.pop(0)) < self.replicas:
            raise StoreRefused(
                f"Of the online store's replicas {found} had its writes after {_TIMEOUT_MS // 1000} s, and "
                f"HEADRACE_DURABLE_REPLICAS={self.replicas}: start what is missing, or ask for fewer."
            )
