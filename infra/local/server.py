"""What the stack needs to know of a server to start it, wait for it and stop it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

Tell = Callable[[str], None]

HOST = "127.0.0.1"


class Launch(NamedTuple):
    """The command that runs a server in the foreground, and its whole environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


class Server(Protocol):
    """One local server.

    Attributes:
        key: its name in `headrace up --json`, and of its log and record.
        title: its name for people.
        variable: the setting that replaces it by a server run elsewhere.
        ports: everything it listens on, first the one that clients use.
        packages: importable packages it is started from.
    """

    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def variable(self) -> str: ...
    @property
    def ports(self) -> tuple[int, ...]: ...
    @property
    def packages(self) -> tuple[str, ...]: ...

    def prepare(self, tell: Tell) -> Launch:
        """Write what it needs on disk and say how to run it."""
        ...

    def ready(self) -> bool:
        """Whether it answers a client now; takes at most a second or two."""
        ...

    def clean(self) -> None:
        """Remove what it leaves behind outside of its data, once it has ended."""
        ...


class Places(NamedTuple):
    """Where a server's files are under `HEADRACE_HOME`."""

    log: Path
    record: Path


def places(home: Path, key: str) -> Places:
    """The log and the record of the server `key`."""
    return Places(home / "logs" / f"{key}.log", home / "run" / f"{key}.json")
