"""Lists do not come back short of what only the version knows of."""

import numpy as np

from feature_repo.identity import NO_ITEM, item_hash
from feature_repo.recent import Recent, RecentEvent
from streams.engine.catalogue import Catalogue
from streams.engine.fallback import BASE_CTR, NO_CLICK_HEAD
from streams.engine.questions import Question
from streams.engine.scoring import Scorer
from streams.messages.events import Event, EventType
from streams.messages.items import Item
from streams.messages.wire import REASONS, TOP_K, ScoreAnswer
from streams.scenarios import RECOMMEND

VIEW = Event(event_id="e", type=EventType.VIEW, user_id="u", timestamp=1, item_id="a")
QUESTION = Question(RECOMMEND, VIEW, "recommend/e", Recent.of([RecentEvent(1, 1, "a", 1, -1)]), b"", True, (), "web")


class Shop:
    """A version that knows 60 items, of which the catalogue still has the last 30; nothing is new, nothing trends."""

    version = "1"
    items = np.array([NO_ITEM])
    matrix = np.zeros((1, 4), np.float32)
    boost = np.zeros(1, np.float32)
    rates = np.zeros(1, np.float32)

    def __init__(self):
        self.ranked = [item_hash(str(n)) for n in range(60)]

    async def refresh(self, _version=None):
        pass

    async def ask(self, _model, tensors, _rows, _kind):
        left = [key for key in self.ranked if key not in set(tensors.withdrawn.tolist())][:TOP_K]
        zeros = np.zeros((1, TOP_K), np.float32)
        nothing = np.zeros((1, TOP_K, REASONS))
        answer = ScoreAnswer(np.array([left]), zeros, zeros, nothing.astype(np.int32), nothing, nothing, self.rates)
        return answer, self.version


async def test_items_that_the_catalogue_never_told_of_take_no_place_in_a_list():
    shop, catalogue = Shop(), Catalogue()
    for n in range(30, 60):
        catalogue.put(Item(item_id=str(n), title="T"))
    [answer] = await Scorer(shop, catalogue, shop, shop).answer([QUESTION])
    assert answer.listed.items == shop.ranked[30 : 30 + TOP_K]


async def test_a_version_without_a_click_head_owes_the_base_rate_and_says_so():
    shop, catalogue = Shop(), Catalogue()
    for item_id in ("a", "b"):
        catalogue.put(Item(item_id=item_id, title="T"))
    shop.rates = np.full(2, np.nan, np.float32)
    asked = QUESTION._replace(recommend=False, candidates=("a", "b"))
    [answer] = await Scorer(shop, catalogue, shop, shop).answer([asked])
    assert (answer.candidate_ctrs, answer.fallback) == ([BASE_CTR] * 2, NO_CLICK_HEAD)
