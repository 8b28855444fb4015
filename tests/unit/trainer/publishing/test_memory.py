"""The model's process gives back memory that it no longer uses."""

import ctypes
import subprocess
import sys

import psutil

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
        memory.trim_if_due()
    assert times == [160.0, 230.0, 290.0]


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


ROUNDS = 20
THP_DISABLE = 41
"""Of `prctl`: with huge pages a fault brings 512 at once."""
PROGRAM = f"""
import ctypes, resource
from model_repo.headrace.memory import keep_freed
libc = ctypes.CDLL(None)
libc.prctl({THP_DISABLE}, 1, 0, 0, 0)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
%s
for round in range({ROUNDS}):
    pieces = [libc.malloc(8 * {MB}) for _ in range(8)]
    for piece in pieces:
        ctypes.memset(piece, 1, 8 * {MB})
    for piece in pieces:
        libc.free(piece)
    if not round:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_what_one_request_frees_the_next_finds_without_asking_the_system():
    once = 64 * MB // PIECE
    assert faults("") > once * (ROUNDS - 2)
    assert faults("keep_freed()") < once


def faults(prepared: str) -> int:
    """Pages that the kernel gave to a process of its own after its first round."""
    command = [sys.executable, "-c", PROGRAM % prepared]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def resident() -> int:
    return psutil.Process().memory_info().rss
