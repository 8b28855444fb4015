"""What a scenario is declared with, and how the scenarios of all installed packages are found."""

from headrace.scenarios.declaration import InputTopic, LoggedFeatures, OutputTopic, QueryResult, Row, Scenario, View
from headrace.scenarios.scoring import BatchScorer, Result, Scorer, Serving, TritonScorer
from headrace.scenarios.timers import TimerFired, Timers

__all__ = [
    "BatchScorer",
    "InputTopic",
    "LoggedFeatures",
    "OutputTopic",
    "QueryResult",
    "Result",
    "Row",
    "Scenario",
    "Scorer",
    "Serving",
    "TimerFired",
    "Timers",
    "TritonScorer",
    "View",
]
