"""The public face of Headrace: messages, settings, errors, the format of recorded streams, and scenarios of one's own.

Names are loaded when they are first used, so that `import headrace` costs next to nothing.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from headrace.errors import HeadraceError
    from headrace.messages.events import Event, EventType
    from headrace.messages.items import Item, Withdrawn
    from headrace.messages.outputs import ModelRef, OutputBase
    from headrace.messages.requests import ScoreRequest
    from headrace.partitioning import partition_of
    from headrace.recording.reading import Record, read_recording
    from headrace.recording.writing import RecordingWriter
    from headrace.scenarios.declaration import (
        InputTopic,
        LoggedFeatures,
        OutputTopic,
        QueryResult,
        Row,
        Scenario,
        View,
    )
    from headrace.scenarios.scoring import Result, TritonScorer
    from headrace.scenarios.series import Series, SeriesClosing, SeriesWindow
    from headrace.scenarios.timers import TimerFired, Timers
    from headrace.settings import Settings, settings
    from headrace.topics import Topic

__version__ = version("headrace")

_MODULE_OF: Final = {
    "QueryResult": "headrace.scenarios.declaration",
    "Event": "headrace.messages.events",
    "EventType": "headrace.messages.events",
    "HeadraceError": "headrace.errors",
    "InputTopic": "headrace.scenarios.declaration",
    "Item": "headrace.messages.items",
    "LoggedFeatures": "headrace.scenarios.declaration",
    "ModelRef": "headrace.messages.outputs",
    "OutputBase": "headrace.messages.outputs",
    "OutputTopic": "headrace.scenarios.declaration",
    "Record": "headrace.recording.reading",
    "RecordingWriter": "headrace.recording.writing",
    "Result": "headrace.scenarios.scoring",
    "Row": "headrace.scenarios.declaration",
    "Scenario": "headrace.scenarios.declaration",
    "ScoreRequest": "headrace.messages.requests",
    "Series": "headrace.scenarios.series",
    "SeriesClosing": "headrace.scenarios.series",
    "SeriesWindow": "headrace.scenarios.series",
    "Settings": "headrace.settings",
    "TimerFired": "headrace.scenarios.timers",
    "Timers": "headrace.scenarios.timers",
    "Topic": "headrace.topics",
    "TritonScorer": "headrace.scenarios.scoring",
    "View": "headrace.scenarios.declaration",
    "Withdrawn": "headrace.messages.items",
    "partition_of": "headrace.partitioning",
    "read_recording": "headrace.recording.reading",
    "settings": "headrace.settings",
}

__all__ = [
    "Event",
    "EventType",
    "HeadraceError",
    "InputTopic",
    "Item",
    "LoggedFeatures",
    "ModelRef",
    "OutputBase",
    "OutputTopic",
    "QueryResult",
    "Record",
    "RecordingWriter",
    "Result",
    "Row",
    "Scenario",
    "ScoreRequest",
    "Series",
    "SeriesClosing",
    "SeriesWindow",
    "Settings",
    "TimerFired",
    "Timers",
    "Topic",
    "TritonScorer",
    "View",
    "Withdrawn",
    "__version__",
    "partition_of",
    "read_recording",
    "settings",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
