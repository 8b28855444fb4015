"""Feast sources: the Parquet that `headrace features parquet` writes, one file a view."""

from pathlib import Path
from typing import Final

from feast import FileSource

EVENT_TIMESTAMP: Final = "event_timestamp"
CREATED: Final = "created"


def parquet_path(home: Path, view: str) -> Path:
    """Where a view's point-in-time rows lie."""
    return home / "offline" / f"{view}.parquet"


def parquet_source(home: Path, view: str) -> FileSource:
    """A view's rows as they stood after each event."""
    return FileSource(
        name=f"{view}_offline",
        path=str(parquet_path(home.absolute(), view)),
        timestamp_field=EVENT_TIMESTAMP,
        created_timestamp_column=CREATED,
    )
