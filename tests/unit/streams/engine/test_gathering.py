"""Questions of several callers share a call, and each caller gets its own answers."""

import asyncio
from collections.abc import Sequence

import pytest

from streams.engine.gathering import Gathering


class Model:
    """Answers with the square, one call at a time when told to."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.may_answer = asyncio.Event()

    async def ask(self, questions: Sequence[int]) -> list[int]:
        self.calls.append(list(questions))
        await self.may_answer.wait()
        if 13 in questions:
            raise ValueError("thirteen")
        return [q * q for q in questions]


async def test_what_comes_while_a_call_is_under_way_goes_into_one_call():
    model = Model()
    gathering = Gathering(model.ask, enough=100)
    callers = [asyncio.create_task(gathering.answer(q)) for q in ([1], [2, 3], [4])]
    await asyncio.sleep(0)
    model.may_answer.set()
    assert await asyncio.gather(*callers) == [[1], [4, 9], [16]]
    assert model.calls == [[1], [2, 3, 4]]


async def test_enough_questions_wait_for_nobody_and_two_calls_are_the_most():
    model = Model()
    gathering = Gathering(model.ask, enough=2)
    callers = [asyncio.create_task(gathering.answer(q)) for q in ([1], [2, 3, 4], [5, 6])]
    while len(model.calls) < 2:  # noqa: ASYNC110  (a step of the loop, no time)
        await asyncio.sleep(0)
    assert model.calls == [[1], [2, 3, 4]]
    model.may_answer.set()
    assert await asyncio.gather(*callers) == [[1], [4, 9, 16], [25, 36]]
    assert model.calls[2:] == [[5, 6]]


async def test_a_call_that_fails_fails_for_those_who_shared_it_and_the_next_goes_on():
    model = Model()
    gathering = Gathering(model.ask, enough=100)
    callers = [asyncio.create_task(gathering.answer(q)) for q in ([1], [13], [4])]
    await asyncio.sleep(0)
    model.may_answer.set()
    found = await asyncio.gather(*callers, return_exceptions=True)
    assert found[0] == [1]
    assert [type(error) for error in found[1:]] == [ValueError, ValueError]
    assert await gathering.answer([5]) == [25]


async def test_a_caller_that_is_given_up_disturbs_no_other():
    model = Model()
    gathering = Gathering(model.ask, enough=100)
    callers = [asyncio.create_task(gathering.answer(q)) for q in ([1], [2], [3])]
    await asyncio.sleep(0)
    callers[1].cancel()
    model.may_answer.set()
    assert await callers[0] == [1]
    assert await callers[2] == [9]
    with pytest.raises(asyncio.CancelledError):
        await callers[1]
