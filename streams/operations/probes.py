"""The probes of a worker: `/metrics`, `/livez` and `/readyz` on one port of the loopback."""

import logging
from collections.abc import Callable, Iterable
from errno import EADDRINUSE
from os import getpid
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from headrace.errors import UsageError
from streams.operations.health import Health

logger = logging.getLogger(__name__)

PORTS_TO_TRY: Final = 16
PATHS: Final = ("/metrics", "/livez", "/readyz")
PID_HEADER = "Headrace-Pid"
"""Of the answers to probes: whoever ended a worker would else have to trust a port."""


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """A probe every second is no news."""


def serve_probes(port: int, health: Callable[[], Health]) -> int:
    """Serve from a thread, on the next free port when another worker has this one; 0 serves nothing.

    Args:
        health: asked at each probe, from another thread than the worker's.

    Raises:
        UsageError: none of the ports is free. A worker that nobody can watch is not started.
    """
    if port == 0:
        return 0
    for candidate in range(port, port + PORTS_TO_TRY):
        try:
            server = make_server("127.0.0.1", candidate, _pages(health), ThreadingWSGIServer, _SilentHandler)
        except OSError as error:
            if error.errno != EADDRINUSE:
                raise
            continue
        Thread(target=server.serve_forever, daemon=True).start()
        if candidate != port:
            logger.info("metrics on port %d: port %d is in use", candidate, port)
        return candidate
    last = port + PORTS_TO_TRY - 1
    raise UsageError(
        f"HEADRACE_METRICS_PORT={port}: the ports {port} to {last} are all taken; choose another, or 0 for none"
    )


def _pages(health: Callable[[], Health]) -> Callable[..., Iterable[bytes]]:
    metrics = make_wsgi_app()

    def pages(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = request.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics(request, start)
        if path not in PATHS:  # a probe of a path that is none must fail, whatever it hoped for
            return _text(start, "404 Not Found", f"not found; the paths here are {', '.join(PATHS)}")
        now = health()
        trouble = now.dead if path == "/livez" else now.dead or now.unready
        return _text(start, "503 Service Unavailable" if trouble else "200 OK", trouble or "ok")

    return pages


def _text(start: Callable[..., Any], status: str, text: str) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8"), (PID_HEADER, str(getpid()))])
    return [f"{text}\n".encode()]
