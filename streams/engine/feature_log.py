"""`feature.log`: the features each answer was made from, thinned by a setting."""

from feature_repo.actions import ACTIONS
from feature_repo.identity import event_tie
from streams.engine.questions import Question
from streams.messages.events import Event
from streams.messages.outputs import FeatureLog, ModelRef

_SCALE = 1_000_000


def is_logged(output_id: str, share: float) -> bool:
    """Whether an output is in the thinned log: decided by its id, so the same in every replay."""
    return share >= 1 or event_tie(output_id) % _SCALE < share * _SCALE


def feature_log(question: Question, model: ModelRef) -> FeatureLog:
    """The record for one answer. Pure."""
    cause = question.cause
    event = cause if isinstance(cause, Event) else None
    return FeatureLog(
        output_id=question.output_id,
        scenario=question.scenario.name,
        user_id=cause.user_id,
        timestamp=cause.timestamp,
        features={
            "recent_items": question.recent.items,
            "recent_actions": [ACTIONS[action] for action in question.recent.actions],
            "recent_times": question.recent.times,
            "channel": question.channel,
            "context": cause.context or {},
        },
        model=model,
        event_id=event.event_id if event else None,
        request_id=cause.request_id,
        items=list(question.candidates) or None,
    )
