"""Rule 12: the breaker trips on refusal, asks after the server by itself, and closes when that is ready."""

import asyncio

import pytest

from streams.serving.triton.breaker import Breaker


class Server:
    """Says whether it is ready, when it is let."""

    def __init__(self) -> None:
        self.requests = 0
        self.answers: asyncio.Queue[bool] = asyncio.Queue()

    async def ready(self) -> bool:
        self.requests += 1
        return await self.answers.get()


@pytest.fixture
def server():
    return Server()


async def turn_over():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_calls_go_through_until_one_is_refused(server):
    breaker = Breaker(server.ready, 0)
    assert breaker.closed
    breaker.trip()
    assert not breaker.closed
    breaker.cancel()


async def test_it_stays_open_while_nobody_answers_its_probe(server):
    breaker = Breaker(server.ready, 0)
    breaker.trip()
    await turn_over()
    assert (server.requests, breaker.closed) == (1, False)
    breaker.cancel()


async def test_it_asks_until_the_server_is_ready_then_closes(server):
    breaker = Breaker(server.ready, 0)
    breaker.trip()
    for answer in (False, False, True):
        assert not breaker.closed
        server.answers.put_nowait(answer)
        await turn_over()
    assert (server.requests, breaker.closed) == (3, True)


async def test_a_second_refusal_asks_no_twice(server):
    breaker = Breaker(server.ready, 0)
    breaker.trip()
    breaker.trip()
    await turn_over()
    assert server.requests == 1
    breaker.cancel()
