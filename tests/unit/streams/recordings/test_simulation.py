"""A simulated shop keeps the contract, its planted truth is in the events, and it can be learned from."""

import math
from collections import Counter, defaultdict

import msgspec
import pytest

from headrace.errors import UsageError
from headrace.messages.events import Event, EventType
from headrace.messages.items import Item
from headrace.recording.reading import read_recording
from headrace.settings.model import Settings
from streams.recordings.simulation.simulate import Plan, Truth, simulate
from streams.recordings.simulation.truth import read_click_truth
from streams.recordings.validation.validate import validate_recording
from streams.recordings.validation.validation_report import Status

HOUR_MS = 3_600_000
PLAN = Plan(users=120, items=80, days=9, seed=5, anomalies=5)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("shop") / "shop.jsonl.zst"
    simulate(PLAN, path)
    return path


@pytest.fixture(scope="module")
def events(path):
    return [msgspec.json.decode(r.value, type=Event) for r in read_recording(path) if r.topic == "events"]


@pytest.fixture(scope="module")
def truth(path):
    return msgspec.json.decode(path.with_name("shop.jsonl.zst.truth.json").read_bytes(), type=Truth)


def test_every_check_of_validate_passes(path):
    found = validate_recording(path, now_ms=2_000_000_000_000, settings=Settings())
    assert {check.check: check.status for check in found.checks if check.status is not Status.PASS} == {}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(path, tmp_path):
    again, other = tmp_path / "again.jsonl.zst", tmp_path / "other.jsonl.zst"
    simulate(PLAN, again)
    simulate(msgspec.structs.replace(PLAN, seed=6), other)
    assert again.read_bytes() == path.read_bytes() != other.read_bytes()


def test_all_kinds_of_events_happen(events):
    assert {event.type for event in events} == set(EventType)


def test_titles_tell_the_category(path):
    items = [msgspec.json.decode(r.value, type=Item) for r in read_recording(path) if r.topic == "items"]
    words = defaultdict(set)
    for item in items:
        words[item.categories[0]].update(item.title.replace(",", "").split())
    pairs = [(a, b) for a in words for b in words if a < b]
    assert all(len(words[a] & words[b]) <= 2 for a, b in pairs)


def hourly(events, item_id, start, end):
    counts = Counter((e.timestamp - start) // HOUR_MS for e in events if e.type == "purchase" and e.item_id == item_id)
    return [counts[hour] for hour in range((end - start) // HOUR_MS)]


def test_planted_anomalies_are_in_the_purchases(events, truth):
    first, last = events[0].timestamp, events[-1].timestamp
    assert Counter(a.direction for a in truth.anomalies) == {"spike": 4, "drop": 1}
    for anomaly in truth.anomalies:
        during = hourly(events, anomaly.item_id, anomaly.start, anomaly.end)
        before = hourly(events, anomaly.item_id, first, anomaly.start)
        usual = sum(before) / len(before)
        assert anomaly.start - first >= (last - first) * 0.6
        if anomaly.direction == "drop":
            assert usual > 6 and sum(during) == 0 and len(during) >= 12
        else:
            assert usual < 0.5 and min(during) >= 5


def test_clicks_come_with_the_probabilities_of_the_truth(events, truth):
    clicked = {(e.request_id, e.item_id) for e in events if e.type == "click"}
    shown = [
        (chance, (e.request_id, item) in clicked)
        for e in events
        if e.type == "impression"
        for item, chance in zip(e.items, truth.ctr[e.event_id], strict=True)
    ]
    assert {e.event_id for e in events if e.type == "impression"} == set(truth.ctr)
    expected = sum(chance for chance, _ in shown)
    spread = math.sqrt(sum(chance * (1 - chance) for chance, _ in shown))
    assert abs(sum(click for _, click in shown) - expected) < 4 * spread


def test_what_was_looked_at_last_says_more_than_popularity(events):
    views = [e for e in events if e.type == "view"]
    cut = len(views) * 4 // 5
    popular, after, last = Counter(), defaultdict(Counter), {}
    hits = Counter()
    for number, view in enumerate(views):
        before = last.get(view.user_id)
        if number >= cut and before is not None:
            hits["popularity"] += view.item_id in dict(popular.most_common(5))
            hits["sequence"] += view.item_id in dict(after[before].most_common(5))
        popular[view.item_id] += 1
        after[before][view.item_id] += 1
        last[view.user_id] = view.item_id
    assert hits["sequence"] > 2 * hits["popularity"]


def test_a_shop_too_small_for_its_anomalies_is_refused():
    with pytest.raises(UsageError, match="--items must be at least 40 with 10 anomalies"):
        Plan(items=30, anomalies=10)


def test_a_single_day_is_enough(tmp_path):
    done = simulate(Plan(users=5, items=20, days=1, anomalies=3), tmp_path / "day.jsonl")
    assert done.anomalies == 3


def test_what_chance_drew_says_nothing_of_liking(events, truth):
    """Chance alone is clicked less than what the shop chose; all candidates are as likely to be drawn."""
    drawn, chosen = [], []
    for event in events:
        if event.type == "impression":
            assert set(event.explored) <= set(event.items)
            for item, chance in zip(event.items, truth.ctr[event.event_id], strict=True):
                (drawn if item in event.explored else chosen).append(chance)
    assert 0.4 < len(drawn) / (len(drawn) + len(chosen)) < 0.7
    assert sum(drawn) / len(drawn) < 0.6 * sum(chosen) / len(chosen)


def test_the_truth_is_known_of_items_that_were_never_shown(path, events, truth):
    known = read_click_truth(path)
    last = {}
    checked = 0
    for event in events:
        if event.type == "view":
            last[event.user_id] = event.item_id
        elif event.type == "impression":
            found = known.of(event.user_id, last.get(event.user_id), event.items, event.context["page"])
            assert found == pytest.approx(truth.ctr[event.event_id], abs=1e-6)
            checked += 1
    assert checked == len(truth.ctr)
    assert not known.knows("guest-00000001")
    assert math.isnan(known.of("user-0001", None, ["no such item"], "home")[0])


def test_a_recording_without_a_plan_in_its_truth_has_none_for_lists(path, tmp_path):
    assert read_click_truth(tmp_path / "other.jsonl") is None
    (tmp_path / "other.jsonl.truth.json").write_text('{"anomalies": [], "ctr": {}}')
    assert read_click_truth(tmp_path / "other.jsonl") is None
    (tmp_path / "other.jsonl.truth.json").write_text("nothing")
    with pytest.raises(UsageError, match="simulate again"):
        read_click_truth(tmp_path / "other.jsonl")
