"""Several chunks, one call: what comes while the model is at work is asked together, once it has answered."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

_AT_ONCE: Final = 2
"""Calls under way when there is plenty to ask: while the model computes one, the next is sent and the last taken."""


class _Waiting(NamedTuple, Generic[Q, A]):
    questions: Sequence[Q]
    answers: "asyncio.Future[Sequence[A]]"


class Gathering(Generic[Q, A]):
    """Asks for many callers at once. A call has a price of its own, which eight small chunks would pay eight times.

    A caller's questions stay together and in order; which of them share a call is chance, so `ask` must answer each
    as if it were alone.

    Args:
        ask: answers in order, one for each question.
        enough: questions that make a call worth its price: so many do not wait for others.
    """

    def __init__(self, ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], enough: int) -> None:
        self._ask = ask
        self._enough = enough
        self._line: deque[_Waiting[Q, A]] = deque()
        self._calls: set[asyncio.Task[None]] = set()

    async def answer(self, questions: Sequence[Q]) -> Sequence[A]:
        """One answer a question, in order; raises what the call raised."""
        waiting = _Waiting[Q, A](questions, asyncio.get_running_loop().create_future())
        self._line.append(waiting)
        self._begin()
        return await waiting.answers

    def _begin(self) -> None:
        while self._line and (not self._calls or (len(self._calls) < _AT_ONCE and self._is_enough())):
            call = asyncio.create_task(self._call(self._next()))
            self._calls.add(call)
            call.add_done_callback(self._ended)

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._begin()

    def _is_enough(self) -> bool:
        return sum(len(waiting.questions) for waiting in self._line) >= self._enough

    def _next(self) -> list[_Waiting[Q, A]]:
        """Whole callers, first come first, until there are enough questions."""
        together, count = list[_Waiting[Q, A]](), 0
        while self._line and count < self._enough:
            together.append(self._line.popleft())
            count += len(together[-1].questions)
        return together

    async def _call(self, together: Sequence[_Waiting[Q, A]]) -> None:
        try:
            answers = await self._ask([question for waiting in together for question in waiting.questions])
        except Exception as error:
            for waiting in together:
                if not waiting.answers.done():
                    waiting.answers.set_exception(error)
            return
        at = 0
        for waiting in together:
            end = at + len(waiting.questions)
            if not waiting.answers.done():  # its chunk was given up meanwhile
                waiting.answers.set_result(answers[at:end])
            at = end
