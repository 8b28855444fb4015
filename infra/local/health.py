"""Waiting for servers, and saying why one does not come up."""

import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from headrace.errors import StackError
from infra.local.process import Record
from infra.local.server import HOST, OnProgress, Server

_PATIENCE_S = 120.0
_LOG_LINES = 8


def require_free_ports(server: Server) -> None:
    """Raise a StackError if another program listens where the server would."""
    for port in server.ports:
        with socket.socket() as probe:
            # As the servers do: connections of a server that has just ended do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise StackError(
                    f"{server.title} cannot start: port {port} is in use{_listener(port)}. Set HEADRACE_PORT_OFFSET to "
                    f"move every local port, or {server.variable} to use a server that runs elsewhere."
                ) from error


def _listener(port: int) -> str:
    for connection in psutil.net_connections("tcp4"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return f" by process {connection.pid}" if connection.pid else ""  # hidden, if another user's
    return ""


def await_ready(servers: Mapping[Server, Record], on_progress: OnProgress) -> None:
    """Wait until every server answers.

    Raises:
        StackError: one has died, or does not answer in time; with the last lines of its log.
    """
    pending = dict(servers)
    if not pending:
        return
    on_progress(f"waiting for {names(pending)}")
    deadline = time.monotonic() + _PATIENCE_S
    while pending:
        for server, record in list(pending.items()):
            if record.process() is None:
                raise StackError(_crash_report(server, "ended at start"))
            if server.ready():
                del pending[server]
                on_progress(f"waiting for {names(pending)}" if pending else f"{server.title} answers")
            elif time.monotonic() > deadline:
                raise StackError(_crash_report(server, f"does not answer after {_PATIENCE_S:.0f} s"))
        if pending:
            time.sleep(0.1)


def names(servers: Iterable[Server]) -> str:
    """The servers' titles as part of a sentence."""
    return " and ".join(server.title for server in servers)


def require_answer(variable: str, addresses: str) -> None:
    """Raise a StackError unless one of the `host:port` addresses, separated by commas, takes a connection."""
    for address in addresses.split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        except OSError:
            continue
        return
    raise StackError(
        f"{variable}={addresses} does not answer: start that server, or unset {variable} to have a local one."
    )


def _crash_report(server: Server, what: str) -> str:
    """One line with the cause and what to change, then the log's last lines."""
    remedy = f"Repair what the log names (moving HEADRACE_HOME aside starts afresh), or set {server.variable}."
    return "\n".join([f"{server.title} {what}. {remedy} Last lines of {server.log}:", *_last_lines(server.log)])


def _last_lines(log: Path) -> list[str]:
    lines = log.read_text(errors="replace").splitlines()
    relevant = [line for line in lines if line.strip() and not line.lstrip().startswith("at ")]
    return [f"  {line}" for line in relevant[-_LOG_LINES:]]
