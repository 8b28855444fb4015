"""Click probabilities: each impression and each score request is answered item by item, in the order asked."""

from feature_repo.shopper import ShopperState
from streams.engine.catalogue import Catalogue
from streams.engine.questions import Answer, Caused, Question, Scenario
from streams.messages.events import Event, EventType
from streams.messages.outputs import CtrScores, ScoredItem
from streams.settings import Settings
from streams.topics import Topic


def _wants(cause: Caused, _: Settings) -> bool:
    return not isinstance(cause, Event) or cause.type is EventType.IMPRESSION


def _ask(scenario: Scenario, cause: Caused, output_id: str, state: ShopperState, _: Settings) -> Question:
    return Question(
        scenario=scenario,
        cause=cause,
        output_id=output_id,
        recent=state.recent,
        exclude=b"",
        recommend=False,
        candidates=tuple(cause.items or ()),
        channel=cause.channel if isinstance(cause, Event) else "web",
    )


def _answer(question: Question, answer: Answer, _: Catalogue, __: Settings) -> CtrScores:
    cause = question.cause
    return CtrScores(
        id=question.output_id,
        timestamp=cause.timestamp,
        model=answer.model,
        fallback=answer.fallback,
        user_id=cause.user_id,
        items=[ScoredItem(item, rate) for item, rate in zip(question.candidates, answer.candidate_ctrs, strict=True)],
        event_id=cause.event_id if isinstance(cause, Event) else None,
        request_id=None if isinstance(cause, Event) else cause.request_id,
    )


CTR = Scenario("ctr", Topic.CTR_SCORES, True, _wants, _ask, _answer)
