"""Click probabilities: each impression and each score request is answered item by item, in the order asked."""

from feature_repo.shoppers.shopper import ShopperState
from headrace.messages.events import Event, EventType
from headrace.messages.outputs import CtrScores, ScoredItem
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.shopper_scorer.queries import Input, Query, Result, Scenario


def _accepts(input_: Input, _: Settings) -> bool:
    return not isinstance(input_, Event) or input_.type is EventType.IMPRESSION


def _make_query(scenario: Scenario, input_: Input, output_id: str, state: ShopperState, _: Settings) -> Query:
    return Query(
        scenario=scenario,
        input=input_,
        output_id=output_id,
        recent=state.recent,
        exclude=b"",
        recommend=False,
        candidates=tuple(input_.items or ()),
        channel=input_.channel if isinstance(input_, Event) else "web",
    )


def _make_output(query: Query, result: Result, _: Catalogue, __: Settings) -> CtrScores:
    input_ = query.input
    return CtrScores(
        id=query.output_id,
        timestamp=input_.timestamp,
        model=result.model,
        fallback=result.fallback,
        user_id=input_.user_id,
        items=[ScoredItem(item, rate) for item, rate in zip(query.candidates, result.candidate_ctrs, strict=True)],
        event_id=input_.event_id if isinstance(input_, Event) else None,
        request_id=None if isinstance(input_, Event) else input_.request_id,
    )


CTR = Scenario("ctr", Topic.CTR_SCORES, True, _accepts, _make_query, _make_output)
