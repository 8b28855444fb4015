"""Simulate a shop into a recorded stream and the file of its truth."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from headrace.files.atomic import output_file
from headrace.messages.events import EventType
from headrace.recording.writing import RecordingWriter
from streams.recordings import OnProgress, no_progress
from streams.recordings.outgoing import item_record
from streams.recordings.simulation.anomalies import Anomaly, plan_anomalies
from streams.recordings.simulation.journal import Journal
from streams.recordings.simulation.plan import Plan, draw_shop
from streams.recordings.simulation.sales import sell_spikes, sell_staples
from streams.recordings.simulation.shop import Shop
from streams.recordings.simulation.shoppers import HOUR_MS, plan_visits
from streams.recordings.simulation.visit import Visit
from streams.recordings.simulation.world import World

#: Monday 2026-01-05, midnight UTC.
START_MS: Final = 1_767_571_200_000
_REPORT_EVERY: Final = 200


class PlantedAnomaly(Struct, frozen=True):
    """An anomaly as the truth file states it; `start` and `end` (exclusive) in ms."""

    scope: str
    item_id: str
    start: int
    end: int
    direction: str


class Truth(Struct, frozen=True):
    """What `FILE.truth.json` holds: the anomalies, and the click probabilities of each impression."""

    anomalies: list[PlantedAnomaly]
    ctr: dict[str, list[float]]
    plan: Plan


class Simulated(Struct, frozen=True):
    """What was written."""

    records: int
    items: int
    events: int
    users: int
    anomalies: int
    out: str
    truth: str


def simulate(plan: Plan, out: Path, on_progress: OnProgress = no_progress) -> Simulated:
    """Write the recorded stream to `out` and its truth beside it; the same plan gives the same bytes.

    Raises:
        UsageError: a file cannot be written.
    """
    world = _make_world(plan)
    sell_staples(world)
    sell_spikes(world)
    shown = _run_visits(world, on_progress)
    events = world.journal.in_order()
    truth_path = out.with_name(f"{out.name}.truth.json")
    truth = Truth([_planted(world.shop, a) for a in world.anomalies], shown, plan)
    with output_file(truth_path) as truth_file, RecordingWriter(out) as writer:
        truth_file.write(msgspec.json.encode(truth) + b"\n")
        for item in world.shop.items:
            writer.write(item_record(item, START_MS), trusted=True)
        for record in events:
            writer.write(record, trusted=True)
    return Simulated(
        records=writer.records,
        items=plan.items,
        events=len(events),
        users=len({record.key for record in events}),
        anomalies=len(world.anomalies),
        out=str(out),
        truth=str(truth_path),
    )


def _make_world(plan: Plan) -> World:
    rng, shop, shoppers = draw_shop(plan)
    return World(
        rng=rng,
        shop=shop,
        shoppers=shoppers,
        journal=Journal(plan.seed, START_MS + plan.days * 24 * HOUR_MS),
        anomalies=plan_anomalies(rng, shop, plan.anomalies, START_MS, plan.days),
        start=START_MS,
        days=plan.days,
    )


def _run_visits(world: World, on_progress: OnProgress) -> dict[str, list[float]]:
    visits = plan_visits(world.rng, world.shoppers, world.start, world.days)
    shown: dict[str, list[float]] = {}
    last: dict[int, int] = {}
    for number, (user, start) in enumerate(zip(visits.user.tolist(), visits.start.tolist(), strict=True)):
        if number % _REPORT_EVERY == 0:
            on_progress(number, len(visits.user))
        visit = Visit(world, user=user, number=number, start=start, last=last.get(user, -1))
        if user not in last and world.shoppers.has_app[user]:
            _sign_in(world.journal, visit.user_id, start)
        visit.run(shown)
        last[user] = visit.last
    on_progress(len(visits.user), len(visits.user))
    return shown


def _sign_in(journal: Journal, user_id: str, moment: int) -> None:
    journal.note(EventType.IDENTIFY, user_id, moment, user_ids=[f"app-of-{user_id}"], channel="app")


def _planted(shop: Shop, anomaly: Anomaly) -> PlantedAnomaly:
    item_id = shop.items[anomaly.item].item_id
    return PlantedAnomaly("item", item_id, anomaly.start, anomaly.end, anomaly.direction)
