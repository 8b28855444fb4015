"""What the stack needs to know of a server to start it, wait for it and stop it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

#: Told, in a few words each time, what is being done or waited for.
OnProgress = Callable[[str], None]

HOST: Final = "127.0.0.1"


class Launch(NamedTuple):
    """The command that runs a server in the foreground, and its whole environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Server(ABC):
    """One local server of one `HEADRACE_HOME`.

    Attributes:
        key: its name in `headrace up --json`, and of its log and record.
        title: its name for people.
        variable: the setting that replaces it by a server run elsewhere.
        packages: importable packages that bring it.
        home: `HEADRACE_HOME`, absolute.
        ports: everything it listens on, first the one that clients use.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    variable: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]

    home: Path
    ports: tuple[int, ...]

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"{HOST}:{self.ports[0]}"

    @property
    def log(self) -> Path:
        """What it has printed since its last start."""
        return self.home / "logs" / f"{self.key}.log"

    @property
    def record(self) -> Path:
        """Which process it is."""
        return self.home / "run" / f"{self.key}.json"

    @abstractmethod
    def prepare(self, on_progress: OnProgress) -> Launch:
        """Write what it needs on disk and say how to run it."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers a client now; takes a second or two at most."""

    def clean(self) -> None:  # noqa: B027  (most servers leave nothing behind)
        """Remove what it leaves outside of its data, once it has ended."""
