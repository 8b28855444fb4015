"""Rule 13: the same cause gives the same id, two causes never one, whatever a shop calls its things."""

from itertools import combinations

from hypothesis import example, given
from hypothesis import strategies as st

from feature_repo.store.row_store import StoredRow
from headrace.messages.events import Event, EventType
from headrace.messages.ids import alert_id, answer_id, episode_id, forecast_id, request_answer_id
from headrace.messages.requests import ScoreRequest
from headrace.settings.model import Settings
from streams.kafka.transport import RawRecord
from streams.pipeline.shoppers.decode import Accepted, RecordPosition
from streams.pipeline.shoppers.fold import BatchFold
from streams.pipeline.shoppers.rows import ShopperRow, SourceRow
from streams.scenarios.ctr import CTR
from streams.scenarios.recommend.scenario import RECOMMEND

EMPTY = StoredRow(b"", b"", (b"", b""))
#: What an id may be, dense where two of them could be taken for one.
NAMES = st.text(st.sampled_from("a/%:2F5 ü"), min_size=1, max_size=8)


def view(user_id: str, event_id: str) -> Event:
    return Event(event_id=event_id, type=EventType.VIEW, user_id=user_id, timestamp=1, item_id="tea")


def output_ids(cause: Event | ScoreRequest, offset: int = 0) -> list[str]:
    """The ids under which a worker answers one record."""
    topic = "events" if isinstance(cause, Event) else "score.requests"
    record = RawRecord(topic, 0, offset, 1, None, b"{}", ())
    fold = BatchFold(
        (CTR, RECOMMEND),
        Settings(),
        {cause.user_id: ShopperRow(cause.user_id, EMPTY)},
        SourceRow(0, EMPTY),
        lambda _: (),
    )
    fold.fold(Accepted(cause, RecordPosition(topic, 0, offset), record))
    return [one.output_id for one in fold.folded.queries]


def test_two_shoppers_events_of_one_id_are_answered_under_two():
    assert output_ids(view("ann", "1")) == ["recommend/ann/1"]
    assert output_ids(view("bob", "1")) == ["recommend/bob/1"]


def test_a_retry_that_stands_elsewhere_has_the_id_of_the_first():
    assert output_ids(view("ann", "1"), offset=9) == output_ids(view("ann", "1"))


def test_a_request_is_told_from_an_impression_that_bears_its_name():
    request = ScoreRequest(request_id="r", user_id="score.requests", timestamp=1, items=["tea"])
    shown = Event(event_id="0/0", type=EventType.IMPRESSION, user_id="score.requests", timestamp=1, items=["tea"])
    assert output_ids(request) == ["ctr//score.requests/0/0"]
    assert output_ids(shown) == ["ctr/score.requests/0/0"]


@given(st.lists(st.tuples(NAMES, NAMES), min_size=2, max_size=6, unique=True))
@example([("a/b", "c"), ("a", "b/c")])
@example([("a%2Fb", "c"), ("a/b", "c")])
@example([("%", "/"), ("%25", "/")])
def test_answers_to_two_events_never_share_an_id(causes):
    ids = [answer_id("recommend", view(*cause)) for cause in causes]
    assert len(set(ids)) == len(causes)


@given(NAMES, NAMES, st.sampled_from(["events", "score.requests"]), st.integers(0, 99), st.integers(0, 99))
def test_answers_to_an_event_and_to_a_request_never_share_an_id(user_id, event_id, topic, partition, offset):
    assert answer_id("ctr", view(user_id, event_id)) != request_answer_id(
        "ctr", str(RecordPosition(topic, partition, offset))
    )


WINDOWS = st.tuples(st.integers(0, 99), st.integers(1, 9)).map(lambda w: (w[0] * 1000, (w[0] + w[1]) * 1000))
SCOPES = st.one_of(st.tuples(st.just("item"), NAMES), st.tuples(st.just("category"), NAMES), st.just(("shop", None)))


@given(st.lists(st.tuples(NAMES, WINDOWS), min_size=2, max_size=6, unique=True))
def test_forecasts_of_two_items_or_windows_never_share_an_id(causes):
    assert len({forecast_id(item, *window) for item, window in causes}) == len(causes)


@given(st.lists(st.tuples(SCOPES, WINDOWS, st.sampled_from(["spike", "drop"])), min_size=2, max_size=6, unique=True))
@example([(("item", "category:tea"), (0, 1), "drop"), (("category", "tea"), (0, 1), "drop")])
@example([(("item", "shop:"), (0, 1), "drop"), (("shop", None), (0, 1), "drop")])
def test_episodes_and_what_is_told_of_them_never_share_an_id(causes):
    episodes = [episode_id(*scope, *window, direction) for scope, window, direction in causes]
    topics = [
        alert_id(e, state, *window) for e in episodes for state in ("open", "closed") for window in ((0, 1), (1, 2))
    ]
    assert len(set(episodes)) == len(causes)
    assert len(set(topics)) == 4 * len(causes)


def test_a_category_that_is_called_as_an_item_has_episodes_of_its_own():
    named = [episode_id(kind, "tea", 0, 1, "drop") for kind in ("item", "category", "shop")]
    assert all(one != other for one, other in combinations(named, 2))
