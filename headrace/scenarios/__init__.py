"""What a scenario is declared with, and how the scenarios of all installed packages are found."""

from headrace.scenarios.declaration import InputTopic, LoggedFeatures, OutputTopic, QueryResult, Row, Scenario, View
from headrace.scenarios.scoring import BatchScorer, Result, Scorer, Serving, TritonScorer
from headrace.scenarios.series import ClosedKey, ItemSeries, Series, SeriesClosing, SeriesWindow, WindowEvaluator
from headrace.scenarios.timers import TimerFired, Timers

__all__ = [
    "BatchScorer",
    "ClosedKey",
    "InputTopic",
    "ItemSeries",
    "LoggedFeatures",
    "OutputTopic",
    "QueryResult",
    "Result",
    "Row",
    "Scenario",
    "Scorer",
    "Series",
    "SeriesClosing",
    "SeriesWindow",
    "Serving",
    "TimerFired",
    "Timers",
    "TritonScorer",
    "View",
    "WindowEvaluator",
]
