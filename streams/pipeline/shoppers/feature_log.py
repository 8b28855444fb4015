"""`feature.log`: the features each answer was made from, thinned by a setting."""

from feature_repo.basics.identity import event_tie
from headrace.messages.events import Event
from headrace.messages.outputs import FeatureLog, ModelRef
from streams.pipeline.shoppers.fold import PendingQuery

_SCALE = 1_000_000


def is_logged(output_id: str, share: float) -> bool:
    """Whether an output is in the thinned log: decided by its id, so the same in every replay."""
    return share >= 1 or event_tie(output_id) % _SCALE < share * _SCALE


def feature_log(pending: PendingQuery, model: ModelRef) -> FeatureLog:
    """The record for one answer of a scenario that declares its features. Pure."""
    input_, scenario = pending.input, pending.scenario
    assert scenario.features is not None
    logged = scenario.features(input_, pending.query)
    return FeatureLog(
        output_id=pending.output_id,
        scenario=scenario.name,
        user_id=input_.user_id,
        timestamp=input_.timestamp,
        features=logged.features,
        model=model,
        event_id=input_.event_id if isinstance(input_, Event) else None,
        request_id=getattr(input_, "request_id", None),
        items=logged.items,
    )
