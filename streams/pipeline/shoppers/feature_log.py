"""`feature.log`: the features each answer was made from, thinned by a setting."""

from feature_repo.basics.actions import ACTIONS
from feature_repo.basics.identity import event_tie
from headrace.messages.events import Event
from headrace.messages.outputs import FeatureLog, ModelRef
from streams.serving.shopper_scorer.queries import Query

_SCALE = 1_000_000


def is_logged(output_id: str, share: float) -> bool:
    """Whether an output is in the thinned log: decided by its id, so the same in every replay."""
    return share >= 1 or event_tie(output_id) % _SCALE < share * _SCALE


def feature_log(query: Query, model: ModelRef) -> FeatureLog:
    """The record for one answer. Pure."""
    input_ = query.input
    event = input_ if isinstance(input_, Event) else None
    return FeatureLog(
        output_id=query.output_id,
        scenario=query.scenario.name,
        user_id=input_.user_id,
        timestamp=input_.timestamp,
        features={
            "recent_items": query.recent.items,
            "recent_actions": [ACTIONS[action] for action in query.recent.actions],
            "recent_times": query.recent.times,
            "channel": query.channel,
            "context": input_.context or {},
        },
        model=model,
        event_id=event.event_id if event else None,
        request_id=input_.request_id,
        items=list(query.candidates) or None,
    )
