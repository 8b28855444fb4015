"""The model's process gives back memory that it no longer uses."""

import ctypes

import psutil
import pytest

from model_repo.headrace.memory import Trimmed, trim_heap

MB = 2**20
PIECE = 4_096


class Clock:
    """Shows what it is set to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_memory_is_given_back_once_a_minute():
    clock, times = Clock(), list[float]()
    memory = Trimmed(lambda: times.append(clock.now), clock)
    for clock.now in (101.0, 159.0, 160.0, 161.0, 219.0, 230.0, 289.0, 290.0):
        memory.now_and_then()
    assert times == [160.0, 230.0, 290.0]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="of glibc")
def test_what_is_free_between_pieces_that_are_not_goes_back_to_the_system():
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    trim_heap()
    before = resident()
    pieces = [libc.malloc(PIECE) for _ in range(64 * MB // PIECE)]
    for piece in pieces:
        ctypes.memset(piece, 1, PIECE)
    for piece in pieces[:-1]:
        libc.free(piece)
    assert resident() > before + 48 * MB
    trim_heap()
    assert resident() < before + 16 * MB
    libc.free(pieces[-1])


def resident() -> int:
    return psutil.Process().memory_info().rss
