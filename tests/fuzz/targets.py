"""Coverage-guided fuzzing of what takes bytes from outside: only the declared errors may come out.

    python tests/fuzz/targets.py decode|fold|recording [libFuzzer's options]

`scripts/fuzz` runs it for as long as one likes; what it finds lies in `crash-*`.
"""

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["streams", "feature_repo"]):
    from feature_repo.items import item
    from feature_repo.items.item import ItemActivity
    from feature_repo.shoppers import shopper, watermark
    from feature_repo.shoppers.item_updates import derive_updates
    from feature_repo.shoppers.shopper import ShopperState
    from feature_repo.shoppers.watermark import SourceWatermark
    from headrace.errors import BadRecord, UsageError
    from headrace.messages.decoding import decode_event, decode_item, decode_request
    from headrace.messages.internal import ItemUpdate
    from headrace.recording.reading import read_recording
    from headrace.settings.model import Settings

NOW_MS = 1_767_571_200_000
HOUR_MS = 3_600_000
SETTINGS = Settings()  # pyright: ignore[reportCallIssue]  (fields come from the environment)


def decode(data: bytes) -> None:
    """Any bytes are a message or a bad record, on every input."""
    for read in (decode_event, decode_request):
        with suppress(BadRecord):
            read(data, appended_ms=NOW_MS, settings=SETTINGS)
    with suppress(BadRecord):
        decode_item(data[:64], data, appended_ms=NOW_MS, settings=SETTINGS)


def fold(data: bytes) -> None:
    """Any events that keep the contract fold into rows that survive being packed."""
    state, mark, activity = ShopperState(), SourceWatermark(), ItemActivity()
    for offset, line in enumerate(data.split(b"\n")):
        with suppress(BadRecord):
            event = decode_event(line, appended_ms=NOW_MS, settings=SETTINGS)
            shopper.fold(state, event)
            for entry in derive_updates(mark, event, offset, NOW_MS, HOUR_MS, HOUR_MS, lambda _: ("a", "b")):
                if isinstance(entry, ItemUpdate):
                    item.fold(activity, entry, HOUR_MS)
    assert shopper.unpack(shopper.pack(state)) == state
    assert watermark.unpack(watermark.pack(mark)) == mark
    assert item.unpack(item.pack(activity)) == activity


def recording(data: bytes) -> None:
    """Any file is a recorded stream or none."""
    path = _FOLDER / f"stream{('.jsonl', '.jsonl.gz', '.jsonl.zst')[len(data) % 3]}"
    path.write_bytes(data)
    with suppress(UsageError):
        for record in read_recording(path):
            assert record.topic


TARGETS: dict[str, Callable[[bytes], None]] = {"decode": decode, "fold": fold, "recording": recording}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        _FOLDER = Path(scratch)
        name, *options = sys.argv[1:]
        atheris.Setup([sys.argv[0], *options], TARGETS[name])
        atheris.Fuzz()
