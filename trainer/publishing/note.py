"""What publishing writes beside a version: when it was trained and published, and how it measured."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

NOTE: Final = "published.json"
_METRICS: Final = "metrics.json"
#: What a version is told apart by, and where `metrics.json` has it.
_IN_SHORT: Final = {
    "recall@20": ("recall_at_20", "model"),
    "ndcg@20": ("recall_at_20", "accuracy", "ndcg"),
    "click_logloss": ("click", "log_loss"),
    "click_ece": ("click", "ece"),
    "demand_loss": ("demand", "quantile_loss"),
}


class Note(Struct, frozen=True):
    """What publishing writes beside a version. Times are ISO 8601, UTC; metrics are of the training."""

    published_at: str | None = None
    trained_at: str | None = None
    metrics: dict[str, float] = {}


def note_of(trained: Path) -> Note:
    """What to write beside a version that is published now from a trained folder."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        metrics: dict[str, Any] = msgspec.json.decode((trained / _METRICS).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):  # the models alone may have been copied here
        return Note(now)
    found = {name: _at(metrics, path) for name, path in _IN_SHORT.items()}
    return Note(
        now, metrics.get("trained_at") or None, {name: round(f, 4) for name, f in found.items() if f is not None}
    )


def read_note(version: Path) -> Note:
    """The note of a version; an empty one where it has none."""
    try:
        return msgspec.json.decode((version / NOTE).read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError):
        return Note()


def _at(metrics: Any, path: tuple[str, ...]) -> float | None:
    for name in path:
        metrics = metrics.get(name) if isinstance(metrics, dict) else None
    return float(metrics) if isinstance(metrics, int | float) else None
