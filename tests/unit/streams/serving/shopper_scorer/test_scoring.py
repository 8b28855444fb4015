"""A batch's questions are answered, whatever the served model does; no fault of a model is an event's."""

from types import SimpleNamespace

import numpy as np
import pytest

from feature_repo.basics.identity import NO_ITEM, item_hash, packed_hash
from feature_repo.shoppers.recent import Recent, RecentEvent
from headrace.arrays import NO_BLOCK, REASONS, TOP_K, WITHDRAWN_BLOCK, DescribeAnswer, ScoreAnswer
from headrace.errors import RequestFailed, UnknownBlocks, WrongAnswer
from headrace.messages.events import Event, EventType
from headrace.messages.items import Item
from headrace.settings import Settings
from headrace.settings.lists import ListRule
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.catalogue.new_items import NewItems
from streams.serving.serving import WorkerServing
from streams.serving.shopper_scorer.fallback import BASE_CTR, MODEL_UNAVAILABLE, NO_CLICK_HEAD
from streams.serving.shopper_scorer.queries import ShopperQuery
from streams.serving.shopper_scorer.scorer import ShopperBatchScorer

VIEW = Event(event_id="e", type=EventType.VIEW, user_id="u", timestamp=1, item_id="40")
RECENT = Recent.of([RecentEvent(1, 1, "40", 1, -1)])
QUESTION = ShopperQuery(VIEW, RECENT, b"", True, (), "web")
SHOWN = ShopperQuery(VIEW, RECENT, b"", False, ("30", "31"), "web")


class Instance:
    """A version that knows 60 items and lists the first ones not withdrawn; it keeps the blocks it is sent."""

    def __init__(self, version="1", encoder=1, rate=np.nan):
        self.version, self.encoder, self.rate = version, encoder, rate
        self.ranked = [item_hash(str(n)) for n in range(60)]
        self.withdrawn: dict[int, list[int]] = {}
        self.requested = []

    def answer(self, tensors):
        self.requested.append(tensors)
        if not hasattr(tensors, "now"):
            return self.described(tensors)
        at = 0
        for name, kind, rows in tensors.block_sent.tolist():
            if kind == WITHDRAWN_BLOCK:
                self.withdrawn[name] = tensors.withdrawn[at : at + rows].tolist()
                at += rows
        if unknown := [name for name in tensors.context_block.tolist() if name not in self.withdrawn]:
            raise UnknownBlocks(frozenset(unknown))
        return self.scored(tensors)

    def described(self, tensors):
        known = np.ones(len(tensors.probe_item), np.uint8)
        vectors = np.ones((len(tensors.text_length), 4), np.float32)
        return DescribeAnswer(known, vectors, np.zeros(100, np.int64), np.ones(1, np.uint8), np.array([self.encoder]))

    def scored(self, tensors):
        gone = {key for name in tensors.context_block.tolist() for key in self.withdrawn[name]}
        n, best = len(tensors.now), [key for key in self.ranked if key not in gone][:TOP_K]
        zeros = np.zeros((n, TOP_K), np.float32)
        reasons = np.zeros((n, TOP_K, REASONS), np.float32)
        rates = np.full(len(tensors.candidate_item), self.rate, np.float32)
        listed = np.tile(np.array(best + [NO_ITEM] * (TOP_K - len(best))), (n, 1))
        event = np.full((n, TOP_K, REASONS), -1, np.int32)
        return ScoreAnswer(
            listed, zeros, zeros + self.rate, event, reasons, reasons.copy(), rates, np.array([self.encoder])
        )


class Triton:
    """Instances behind one address that answer in turns."""

    def __init__(self, *instances):
        self.instances = list(instances)
        self.requests = 0
        self.given_up = []

    async def infer(self, _model, tensors, _rows, _kind):
        instance = self.instances[self.requests % len(self.instances)]
        self.requests += 1
        return instance.answer(tensors), instance.version

    def mark_unavailable(self, _model, why):
        self.given_up.append(why)


class Trends:
    ranking = ()
    items = np.array([NO_ITEM])
    boost = np.zeros(1, np.float32)

    async def refresh(self):
        pass


class NoRows:
    async def read(self, _kind, keys):
        raise AssertionError("the version knows all items")


def shop(*instances, first=30):
    """A scorer, the Triton that it asks, and the catalogue: the items from the `first` on."""
    catalogue, triton = Catalogue(), Triton(*instances)
    for n in range(first, 60):
        catalogue.put(Item(item_id=str(n), title="T"))
    follower = SimpleNamespace(catalogue=catalogue)
    serving = WorkerServing(Settings(), triton, follower, NewItems(catalogue, NoRows(), triton), Trends())
    return ShopperBatchScorer(serving), triton, catalogue


async def test_items_that_the_catalogue_never_told_of_take_no_place_in_a_list():
    scorer, triton, _ = shop(Instance())
    [answer] = await scorer.score([QUESTION])
    assert answer.ranked.items == triton.instances[0].ranked[30 : 30 + TOP_K]


async def test_a_version_without_a_click_head_owes_the_base_rate_and_says_so():
    scorer, _, _ = shop(Instance(), first=0)
    [answer] = await scorer.score([SHOWN])
    assert (answer.candidate_ctrs, answer.fallback) == ([BASE_CTR] * 2, NO_CLICK_HEAD)


class RepeatAware(Instance):
    """A version of this release, that knows of items that are bought again."""

    def __init__(self, *again, **fields):
        super().__init__(**fields)
        self.again = {item_hash(item) for item in again}

    def described(self, tensors):
        reported = [key in self.again for key in tensors.probe_item.tolist()]
        return super().described(tensors)._replace(repeats=np.array(reported, np.uint8))


BOUGHT = QUESTION._replace(bought=packed_hash("31") + packed_hash("32"), rule=ListRule(7))


async def test_what_was_bought_is_excluded_unless_the_version_tells_that_it_is_bought_again():
    scorer, triton, _ = shop(RepeatAware("32"))
    await scorer.score([BOUGHT])
    [*_, requested] = triton.instances[0].requested
    assert requested.exclude.tolist() == [[item_hash("31")]]
    assert requested.list_length.tolist() == [7]


async def test_a_version_of_the_first_release_is_asked_as_ever_and_its_lists_are_cut():
    scorer, triton, _ = shop(Instance())
    [answer] = await scorer.score([BOUGHT])
    [*_, requested] = triton.instances[0].requested
    assert (requested.exclude.tolist(), requested.list_length.size) == ([[NO_ITEM]], 0)
    assert answer.ranked.items == triton.instances[0].ranked[30:37]


class Strict(Instance):
    """A version of the first release, which refuses tensors that it does not know, as Triton does."""

    def scored(self, tensors):
        if tensors.list_length.size:
            raise RequestFailed("unexpected inference input 'list_length'")
        return super().scored(tensors)


async def test_after_a_rollback_to_the_first_release_lists_are_asked_for_without_rules():
    scorer, triton, _ = shop(RepeatAware(version="2", encoder=2), first=0)
    await scorer.score([QUESTION])
    triton.instances = [Strict()]
    [answer] = await scorer.score([BOUGHT])
    assert (answer.fallback, answer.model.version, len(answer.ranked.items)) == (None, "1", 7)


async def test_what_an_instance_holds_is_not_sent_again():
    scorer, triton, catalogue = shop(Instance(), first=0)
    for _ in range(3):
        await scorer.score([QUESTION])
    catalogue.withdraw("0")
    for _ in range(3):
        [answer] = await scorer.score([QUESTION])
    assert answer.ranked.items[0] == item_hash("1")
    scored = [tensors for tensors in triton.instances[0].requested if hasattr(tensors, "now")]
    assert sum(tensors.block_sent.any() for tensors in scored) == 2
    assert all((tensors.context_block != NO_BLOCK).all() for tensors in scored)


async def test_each_of_several_instances_is_sent_what_it_does_not_hold():
    scorer, _, catalogue = shop(Instance(), Instance(), Instance(), first=0)
    catalogue.withdraw("0")
    for _ in range(6):
        [answer] = await scorer.score([QUESTION])
        assert answer.fallback is None
        assert answer.ranked.items[0] == item_hash("1")


async def test_two_versions_behind_one_address_answer_and_each_answer_names_its_own():
    scorer, triton, _ = shop(Instance("1", 1), Instance("2", 2), first=0)
    versions = set()
    for _ in range(8):
        [answer] = await scorer.score([QUESTION])
        assert answer.fallback is None
        versions.add(answer.model.version)
    assert versions <= {"1", "2"}
    assert triton.requests < 8 * 16


class WithoutLists(Instance):
    def scored(self, tensors):
        return super().scored(tensors)._replace(rec_item=np.empty(0))


async def test_a_version_without_an_output_costs_the_scenario_that_needs_it_and_no_other():
    scorer, triton, _ = shop(WithoutLists(rate=0.25), first=0)
    listed, shown = await scorer.score([QUESTION, SHOWN])
    assert (listed.fallback, len(listed.ranked.items)) == (MODEL_UNAVAILABLE, TOP_K)
    assert (shown.fallback, shown.candidate_ctrs) == (None, [0.25, 0.25])
    assert triton.given_up == []


class Broken(Instance):
    def scored(self, tensors):
        raise WrongAnswer("shape", "it answers with no tensor")


class Failing(Instance):
    """Fails on every request with a shopper of the time 13 in it."""

    def scored(self, tensors):
        if (tensors.now == 13).any():
            raise RequestFailed("KeyError: 13")
        return super().scored(tensors)


def at(time):
    return QUESTION._replace(input=Event(event_id="e", type=EventType.VIEW, user_id="u", timestamp=time, item_id="40"))


@pytest.mark.parametrize("bad", [0, 77, 511])
async def test_one_question_that_the_model_fails_on_costs_no_other_its_answer(bad):
    scorer, triton, _ = shop(Failing(), first=0)
    answers = list(await scorer.score([at(13 if n == bad else 1) for n in range(512)]))
    assert [n for n, answer in enumerate(answers) if answer.fallback] == [bad]
    assert answers[bad].fallback == MODEL_UNAVAILABLE
    assert triton.given_up == []
    assert triton.requests < 32


async def test_many_that_the_model_fails_on_are_not_looked_for_one_by_one():
    scorer, triton, _ = shop(Failing(), first=0)
    answers = list(await scorer.score([at(13 if n % 3 else 1) for n in range(512)]))
    assert all(answer.fallback for n, answer in enumerate(answers) if n % 3)
    assert triton.requests <= 36


async def test_a_version_that_fails_on_everything_is_given_up_until_it_is_ready():
    scorer, triton, _ = shop(Failing(), first=0)
    answers = list(await scorer.score([at(13)] * 512))
    assert {answer.fallback for answer in answers} == {MODEL_UNAVAILABLE}
    assert len(triton.given_up) == 1
    assert triton.requests < 20


async def test_an_answer_that_nothing_can_be_made_of_is_stood_in_for():
    scorer, _, _ = shop(Broken(), first=0)
    [answer] = await scorer.score([QUESTION])
    assert answer.fallback == MODEL_UNAVAILABLE


async def test_one_shopper_alone_that_the_model_fails_on_costs_nobody_else_an_answer():
    scorer, triton, _ = shop(Failing(), first=0)
    for _ in range(5):
        assert [answer.fallback for answer in await scorer.score([at(13)])] == [MODEL_UNAVAILABLE]
        assert [answer.fallback for answer in await scorer.score([at(1)])] == [None]
    assert triton.given_up == []


async def test_a_version_that_fails_on_load_after_load_is_given_up_too():
    scorer, triton, _ = shop(Failing(), first=0)
    for _ in range(12):
        await scorer.score([at(13)])
    assert len(triton.given_up) == 1


class Odd(Instance):
    """What it lists for the shopper of the time 13 makes no sense."""

    def __init__(self, **changed):
        super().__init__(rate=0.5)
        self.changed = changed

    def scored(self, tensors):
        answer = super().scored(tensors)
        for name, value in self.changed.items():
            getattr(answer, name)[tensors.now == 13] = value
        return answer


@pytest.mark.parametrize("changed", [{"rec_score": np.nan}, {"reason_event": 4_000}, {"rec_ctr": 7.0}, {"rec_item": 1}])
async def test_a_list_that_makes_no_sense_costs_its_shopper_alone(changed):
    scorer, _, _ = shop(Odd(**changed), first=0)
    answers = list(await scorer.score([at(1), at(13), at(2)]))
    assert [answer.fallback for answer in answers] == [None, MODEL_UNAVAILABLE, None]


class Inventive(Instance):
    """Lists items that nobody has heard of, others each time."""

    made = 1_000

    def scored(self, tensors):
        answer = super().scored(tensors)
        Inventive.made += 1
        answer.rec_item[:, 0] = Inventive.made
        return answer


async def test_a_version_that_makes_up_items_is_asked_a_few_times_and_then_stood_in_for():
    scorer, triton, _ = shop(Inventive(), first=0)
    [answer] = await scorer.score([QUESTION])
    assert answer.fallback == MODEL_UNAVAILABLE
    assert triton.requests < 16


class Deaf(Instance):
    """Lists what is withdrawn."""

    def scored(self, tensors):
        self.withdrawn = {key: [] for key in self.withdrawn}
        return super().scored(tensors)


async def test_nothing_withdrawn_is_listed_whatever_the_version_says():
    scorer, _, catalogue = shop(Deaf(), first=0)
    catalogue.withdraw("0")
    [answer] = await scorer.score([QUESTION])
    assert item_hash("0") not in answer.ranked.items
    assert answer.fallback == MODEL_UNAVAILABLE


class Forgetful(Instance):
    """Says of every block that it does not hold it."""

    def scored(self, tensors):
        raise UnknownBlocks(frozenset(tensors.context_block.tolist()))


async def test_an_instance_that_never_holds_what_it_is_sent_is_stood_in_for():
    scorer, triton, _ = shop(Forgetful(), first=0)
    [answer] = await scorer.score([QUESTION])
    assert answer.fallback == MODEL_UNAVAILABLE
    assert triton.requests < 8
