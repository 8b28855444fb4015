"""The facts of a training run that its model card states beside the measurements."""

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field

from trainer.tracking.provenance import Source


class Facts(Struct, frozen=True, kw_only=True):
    """What was learnt from, how, where, and for how long. Times are ms since 1970 UTC."""

    source: Source
    first: int
    last: int
    split: int
    training_events: int = field(name="learnt_events")
    held_back_events: int
    seed: int
    settings: dict[str, Any]
    text_encoder: str
    code: str
    machine: str
    processes: int
    seconds: float
    """Of this process: after a resume, those since then."""
    tracked_as: str


def facts_markdown(facts: Facts) -> str:
    """The card's sections on data, split and training."""
    settings = "\n".join(f"| {name} | {value} |" for name, value in facts.settings.items())
    return f"""## Data and split
`{facts.source.name}`, {facts.source.bytes:,} bytes, sha256 `{facts.source.sha256}`.
Item events from {_day(facts.first)} to {_day(facts.last)}. Split once, by time, at {_day(facts.split)}: the
{facts.training_events:,} events before are learnt from by every head, the {facts.held_back_events:,} from then on are
held back.

## Training
Seed {facts.seed}, {facts.processes} process(es), {facts.seconds:,.0f} s on {facts.machine}.
Code {facts.code}; text encoder {facts.text_encoder}; tracked in MLflow as run `{facts.tracked_as}`.

| setting | value |
|---|---|
{settings}"""


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
