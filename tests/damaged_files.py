"""Good files, damaged as files get damaged: cut off, flipped, quoted wrongly, saved by another program."""

import gzip
import lzma
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

from headrace.errors import HeadraceError

PACKERS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}
_INSERTED = (
    b'"',
    b"\x00",
    b",",
    b"|",
    b"\n",
    b"\r",
    b"\xff",
    b"\xa3",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b" ",
    b"[" * 2_000,
)
_NUMBERS = (
    b"inf",
    b"-inf",
    b"nan",
    b"1e400",
    b"1" * 400,
    b"1_000",
    b"-1",
    b"12,5",
    b"",
    b'"',
    b"01/12/2010",
    b"20140228",
)


def damaged(good: bytes, seed: int, rounds: int = 25) -> Iterator[bytes]:
    """What may have become of a file; the same for the same seed."""
    dice = random.Random(seed)
    yield from (b"", b"\n", b"\xef\xbb\xbf", good.split(b"\n")[0], good.split(b"\n")[0] + b"\n")
    yield from (good.replace(b"\n", b"\r\n"), good.replace(b"\n", b"\r"), b"\xef\xbb\xbf" + good, good + b"\n\n")
    yield from (good.decode("latin-1").encode("utf-16"), dice.randbytes(300))
    for _ in range(rounds):
        at, to = sorted(dice.randrange(len(good)) for _ in range(2))
        yield good[:at]
        yield good[:at] + good[to:]
        yield good[:to] + good[at:]
        yield good[:at] + dice.choice(_INSERTED) + good[at:]
        yield good[:at] + bytes([good[at] ^ 1 << dice.randrange(8)]) + good[at + 1 :]
        yield _other_number(good, dice)


def read_damaged(read: Callable[[Path], object], good: bytes, folder: Path, name: str, packers: tuple[str, ...]) -> int:
    """Read a file in all its damages; the number of those that were refused.

    Each is either read or refused in one line that names it: any other exception is a traceback for the user.
    """
    refused = 0
    for packer in packers:
        path = folder / f"{name}{packer}"
        plain = [PACKERS[packer](content) for content in damaged(good, seed=1)]
        packed = damaged(PACKERS[packer](good), seed=2) if packer else ()
        for content in (*plain, *packed):
            path.write_bytes(content)
            try:
                read(path)
            except HeadraceError as error:
                refused += 1
                assert path.name in str(error), error
                assert "\n" not in str(error), error
                assert error.exit_code in {1, 2}
    return refused


def _other_number(good: bytes, dice: random.Random) -> bytes:
    """A field of a line replaced."""
    lines = good.split(b"\n")
    row = dice.randrange(len(lines))
    for delimiter in (b",", b"|", b" "):
        fields = lines[row].split(delimiter)
        if len(fields) > 1:
            fields[dice.randrange(len(fields))] = dice.choice(_NUMBERS)
            lines[row] = delimiter.join(fields)
            break
    return b"\n".join(lines)
