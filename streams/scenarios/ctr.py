"""Click probabilities: each impression and each score request is answered item by item, in the order asked."""

from typing import Final

from headrace.messages.events import Event, EventType
from headrace.messages.outputs import CtrScores, ScoredItem
from headrace.messages.requests import ScoreRequest
from headrace.scenarios import InputTopic, OutputTopic, QueryResult, Row, Scenario
from headrace.settings import Settings
from headrace.topics import Topic
from streams.serving.shopper_scorer.queries import SHOPPER_SCORER, ShopperQuery, logged_features


def _answers(input_: object, _: Settings) -> bool:
    return isinstance(input_, ScoreRequest) or (isinstance(input_, Event) and input_.type is EventType.IMPRESSION)


def _query(input_: Event | ScoreRequest, row: Row, _: Settings) -> ShopperQuery:
    return ShopperQuery(
        input=input_,
        recent=row.shopper.recent,
        exclude=b"",
        recommend=False,
        candidates=tuple(input_.items or ()),
        channel=input_.channel if isinstance(input_, Event) else "web",
    )


def _output(answer: QueryResult) -> CtrScores:
    input_, query, result = answer.input, answer.query, answer.result
    return CtrScores(
        id=answer.output_id,
        timestamp=input_.timestamp,
        model=result.model,
        fallback=result.fallback,
        user_id=input_.user_id,
        items=[ScoredItem(item, rate) for item, rate in zip(query.candidates, result.candidate_ctrs, strict=True)],
        event_id=input_.event_id if isinstance(input_, Event) else None,
        request_id=None if isinstance(input_, Event) else input_.request_id,
    )


CTR: Final = Scenario(
    name="ctr",
    answers=_answers,
    query=_query,
    output=_output,
    outputs=[OutputTopic(name=Topic.CTR_SCORES, message=CtrScores)],
    inputs=[InputTopic(name=Topic.SCORE_REQUESTS, message=ScoreRequest)],
    before_fold=True,
    scorer=SHOPPER_SCORER,
    features=logged_features,
)
