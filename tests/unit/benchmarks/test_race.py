"""The pipeline's benchmark: its workload is what it says, and its results have the contract's fields."""

import json
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

from benchmarks.machine import Machine
from benchmarks.race import workload
from benchmarks.race.contestants.handwritten import Messages
from benchmarks.race.contestants.handwritten_items import Items
from benchmarks.race.measuring import Backlog, SteadyLoad
from benchmarks.race.null_model import make_null
from benchmarks.race.race import Race, Raced
from benchmarks.race.race_page import summary, write
from benchmarks.race.workload import MIX, Parts, Size
from feature_repo.shoppers.item_updates import derive_updates
from feature_repo.shoppers.watermark import SourceWatermark
from headrace.messages.decoding import decode_event
from headrace.messages.internal import Entry
from headrace.settings.model import Settings
from headrace.topics import Topic
from trainer.publishing.version_folder import whole_folder

SIZE = Size(events=4_000, shoppers=500, items=120)


def test_the_workload_has_its_mix_and_keeps_the_contract():
    stream = list(workload.events(SIZE, 1))
    events = [decode_event(record.value, appended_ms=record.timestamp, settings=Settings()) for record in stream]
    shares = {kind: count / len(events) for kind, count in Counter(event.type for event in events).items()}
    assert shares.keys() == MIX.keys()
    assert all(abs(shares[kind] - share) < 0.03 for kind, share in MIX.items())
    assert all(a.timestamp < b.timestamp for a, b in pairwise(events))
    known = {record.key for record in workload.catalogue(SIZE, 1)}
    assert all(item in known for event in events for item in event.items or (event.item_id,))


def test_the_same_seed_gives_the_same_workload_and_another_part_other_ids():
    stream = list(workload.events(SIZE, 1))
    assert stream == list(workload.events(SIZE, 1))
    assert not {r.value for r in stream} & {r.value for r in workload.events(SIZE, 1, first=SIZE.events)}


def test_parts_follow_one_another_whatever_their_clocks_and_share_no_id():
    parts = Parts(SIZE, 1)
    stream = [*parts.part(50, 1.0), *parts.part(200, 0.5), *parts.part(50), *parts.part(50, 2.0)]
    events = [decode_event(record.value, appended_ms=record.timestamp, settings=Settings()) for record in stream]
    assert all(a.timestamp <= b.timestamp for a, b in pairwise(events))
    assert len({event.event_id for event in events}) == len(events)


def done(events_per_second: float) -> Backlog:
    return Backlog(10, 1.0, events_per_second, 9, {"worker": 0.1}, {"worker": 100}, {"shoppers: fold": 0.1})


def test_a_ratio_is_of_turns_of_one_round():
    own = Raced("own", 30.0, [done(10.0), done(30.0), done(90.0)])
    other = Raced("other", 90.0, [done(20.0), done(120.0), done(90.0)])
    assert own.against(other) == 0.5
    assert own.against(Raced("slow", 5.0, [done(5.0)])) == 2.0


def race() -> Race:
    raced = {"headrace": Raced("Headrace", 10.0, [done(10.0)]), "handwritten": Raced("by hand", 8.0, [done(8.0)])}
    latency = {"headrace": {"70": SteadyLoad(7.0, 9, {"p50": 1.0, "p99": 2.0})}}
    return Race("a command", Machine("a processor", 2, 24.0, "Linux", "3.11", {}), 1, SIZE, raced, raced, latency, {})


def test_the_summary_has_the_contracts_fields():
    found = json.loads(json.dumps(summary(race())))
    assert found["contestants"]["headrace"]["events_per_second"] == 10.0
    assert found["latency_ms"]["70"] == {"p50": 1.0, "p99": 2.0}


def test_the_page_says_how_many_times_as_fast(tmp_path):
    page = write(race(), tmp_path).read_text()
    assert "| by hand | 8 | 1.25 x |" in page
    assert "Headrace against it: Headrace |" in page


def test_the_page_compares_each_way_of_headrace(tmp_path):
    found = race()
    found.contestants["two"] = Raced("Headrace, two workers", 12.0, [done(12.0)])
    page = write(found, tmp_path).read_text()
    assert "Headrace against it: Headrace, two workers |" in page
    assert "| by hand | 8 | 1.25 x, 1.50 x |" in page


class NoServers:
    """What the hand-written loop's items need of the loop, of a workload so short that no demand model was trained."""

    def __init__(self) -> None:
        self.settings = Settings(partitions=1)
        self.catalogue = SimpleNamespace(categories=lambda _: ())
        self.forecasts = False
        self.redis = self
        self.sent: list[tuple[str, bytes]] = []

    async def mget(self, names: list[str]) -> list[None]:
        return [None] * len(names)

    async def mset(self, _: dict[str, bytes]) -> None: ...

    async def count_trends(self, _: dict[str, int]) -> None: ...

    async def send(self, messages: Messages) -> None:
        self.sent += [(topic, value) for (topic, _), rows in messages.items() for _, value, _ in rows]


async def test_the_hand_written_loop_forecasts_without_a_model_as_a_worker_does():
    loop, mark = NoServers(), SourceWatermark()
    items, chosen = Items(loop), loop.settings
    updates: list[tuple[int, Entry]] = []
    for record in workload.events(SIZE, 1, ms_an_event=6_000):
        event = decode_event(record.value, appended_ms=record.timestamp, settings=chosen)
        entries = derive_updates(
            mark, event, 0, record.timestamp, chosen.window, chosen.lateness, loop.catalogue.categories
        )
        updates += [(0, entry) for entry in entries]
    await items._fold(updates)
    forecasts = [json.loads(value) for topic, value in loop.sent if topic == Topic.DEMAND_FORECASTS]
    assert forecasts
    assert all(forecast["fallback"] == "model_unavailable" for forecast in forecasts)
    assert all(forecast["windows"] for forecast in forecasts)


def test_a_null_model_of_a_workload_without_demand_has_none(tmp_path):
    with whole_folder(tmp_path / "model" / "headrace") as folder:
        (folder / "config.pbtxt").write_text("")
    make_null(tmp_path / "model", tmp_path / "null")
    assert [path.name for path in (tmp_path / "null").iterdir()] == ["headrace"]
