"""NVIDIA Triton, which serves the model, from the server inside `nvidia-pytriton`."""

import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import StackError
from infra.local.server import HOST, Launch, OnProgress, Server

#: Shared memory of one model instance to begin with, and the step it grows by.
_SHM_BYTES = 4 << 20
_SHM = Path("/dev/shm")
#: glibc before 2.38 cuts small pieces off every aligned block, as torch's are, and keeps them in a cache of the thread,
#: where they part the free memory around them: a model's process that answers requests of many sizes grew to 1.9 GB.
_NO_THREAD_CACHE = "glibc.malloc.tcache_count=0"
#: Exit status of a program whose shared libraries cannot be found.
_NOT_LOADABLE = 127


@dataclass(frozen=True)
class TritonServer(Server):
    """The local Triton; its ports are gRPC, HTTP and metrics.

    Attributes:
        models: the model repository.
    """

    key = "triton"
    title = "Triton"
    variable = "HEADRACE_TRITON"
    packages = ("pytriton",)

    models: Path

    def prepare(self, on_progress: OnProgress) -> Launch:
        self.models.mkdir(parents=True, exist_ok=True)
        self.clean()
        site = Path(sysconfig.get_path("purelib"))
        tritonserver = site / "pytriton" / "tritonserver"
        backends = self.home / "triton" / "backends"
        stub = _lay_out_backends(tritonserver, backends)
        environment = _environment(site)
        _require_loadable(stub, environment)
        return Launch((str(tritonserver / "bin" / "tritonserver"), *self._options(backends)), environment)

    def ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.ports[1], timeout=1)
        try:
            connection.request("GET", "/v2/health/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def clean(self) -> None:
        """Remove the shared memory that a killed Triton leaves behind."""
        for region in _SHM.glob(f"{self._shm_prefix}*"):
            region.unlink(missing_ok=True)

    @property
    def _shm_prefix(self) -> str:
        return f"headrace_{hashlib.sha256(str(self.home).encode()).hexdigest()[:12]}_"

    def _options(self, backends: Path) -> tuple[str, ...]:
        grpc, http, metrics = self.ports
        python = {
            "shm-default-byte-size": _SHM_BYTES,
            "shm-growth-byte-size": _SHM_BYTES,
            "shm-region-prefix-name": self._shm_prefix,
        }
        return (
            f"--model-repository={self.models}",
            f"--backend-directory={backends}",
            *(f"--backend-config=python,{name}={value}" for name, value in python.items()),
            "--model-control-mode=explicit",
            *(f"--load-model={config.parent.name}" for config in sorted(self.models.glob("*/config.pbtxt"))),
            # A model that does not load is reported by whoever asks for it; the others are served.
            "--exit-on-error=false",
            "--strict-readiness=false",
            "--exit-timeout-secs=5",
            *(f"--{kind}-address={HOST}" for kind in ("http", "grpc", "metrics")),
            f"--grpc-port={grpc}",
            f"--http-port={http}",
            f"--metrics-port={metrics}",
            "--http-thread-count=2",
            "--model-load-thread-count=2",
        )


def _lay_out_backends(tritonserver: Path, target: Path) -> Path:
    """Copy the wheel's backends and put the stub for this Python beside the Python backend's library.

    The stub embeds a Python: it is built for one minor version, and comes without its run bit.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = tritonserver / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.exists():
        raise StackError(
            f"Triton cannot start: nvidia-pytriton has no stub for Python {version}; use Python 3.11 or 3.12."
        )
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(tritonserver / "backends", target)
    placed = Path(shutil.copy(stub, target / "python"))
    placed.chmod(0o755)
    return placed


def _require_loadable(stub: Path, environment: Mapping[str, str]) -> None:
    """Without its shared libraries the stub would fail at every model, far from the cause."""
    done = subprocess.run([stub], env=environment, capture_output=True, text=True, check=False)
    if done.returncode == _NOT_LOADABLE:
        raise StackError(
            f"Triton cannot start: its Python backend finds no library of this Python ({done.stderr.strip()}). "
            "Install the system's libpython package for it, use a Python that was built with --enable-shared, "
            "or set HEADRACE_TRITON."
        )


def _environment(site: Path) -> dict[str, str]:
    """The models' Python is this one, with its installed packages.

    The stub takes no PYTHONHOME and no PYTHONPATH: it goes by the first `python3` on the PATH.
    """
    # Half of the cores for the model, the other half for the workers that ask it.
    threads = str(max(1, (os.cpu_count() or 1) // 2))
    return {
        "OMP_NUM_THREADS": threads,
        "GLIBC_TUNABLES": _NO_THREAD_CACHE,
        **os.environ,
        "LD_LIBRARY_PATH": _before(
            os.environ.get("LD_LIBRARY_PATH"), site / "nvidia_pytriton.libs", sysconfig.get_config_var("LIBDIR")
        ),
        "PATH": _before(os.environ.get("PATH"), Path(sys.executable).parent),
    }


def _before(rest: str | None, *folders: Path | str) -> str:
    return ":".join([*map(str, folders), *([rest] if rest else [])])
