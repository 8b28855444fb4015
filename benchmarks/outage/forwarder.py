"""A name that can be given to another server: what is connected stays where it is, who comes next goes there."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Final

_HOST: Final = "127.0.0.1"
_PIECE: Final = 65_536


class Forwarder:
    """Forwards connections to one server, as a name service or a load balancer leads clients to one.

    Attributes:
        address: where clients connect.
        target: `host:port` of the server that new connections are led to.
        loop: runs in a thread of its own.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.address = ""
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.loop = asyncio.new_event_loop()

    async def listen(self) -> None:
        """Begin to accept connections on a free port."""
        self._server = await asyncio.start_server(self._forward, _HOST, 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    async def close(self) -> None:
        """Break every connection and accept no more."""
        if self._server is not None:
            self._server.close()
        self._cut()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

    def cut(self) -> None:
        """Break every connection."""
        self.loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for writer in self._open:
            writer.close()
        self._open.clear()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.rpartition(":")
        try:
            reader_there, writer_there = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        both = {writer, writer_there}
        self._open |= both
        try:
            await asyncio.gather(_pass_on(reader, writer_there), _pass_on(reader_there, writer))
        finally:
            for side in both:
                side.close()
            self._open -= both


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()


@contextmanager
def forwarding(target: str) -> Generator[Forwarder]:
    """A forwarder in a thread of its own."""
    forwarder = Forwarder(target)
    loop = forwarder.loop
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(forwarder.listen(), loop).result()
        yield forwarder
    finally:
        asyncio.run_coroutine_threadsafe(forwarder.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
