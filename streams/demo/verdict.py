"""Whether the demonstration holds: every trigger answered, nothing lost, the planted anomalies found."""

from collections.abc import Iterable
from math import log

from msgspec import Struct

from headrace.messages.outputs import DemandAlert
from headrace.settings.model import Settings
from streams.demo.answers import Answers
from streams.demo.shop import Anomaly, Shop, Truth

ANOMALIES_WANTED = 0.8
_TINY = 1e-6


class Verdict(Struct, frozen=True):
    """Counts that add up, or do not. Log losses are over impressions that came after training."""

    records: int
    triggers: int
    triggers_answered: int
    impressions: int
    impressions_answered: int
    dead_letters: int
    fallbacks: int
    anomalies: int
    anomalies_alerted: int
    episodes: int
    ctr_log_loss: float | None
    ctr_log_loss_item_average: float | None
    ctr_log_loss_true: float | None
    ok: bool


def judge(shop: Shop, truth: Truth, answers: Answers, settings: Settings) -> Verdict:
    """Hold what was answered against what was sent."""
    triggers = {event.event_id for event in shop.answered(settings.triggers)}
    impressions = {event.event_id for event in shop.impressions()}
    recommended = triggers & {r.event_id for r in answers.recommendations.values()}
    scored = impressions & {s.event_id for s in answers.ctr_scores.values() if s.event_id}
    found = [a for a in truth.anomalies if alert_for(a, answers.alerts.values(), settings.window)]
    losses = _losses(shop, truth, answers)
    complete = recommended == triggers and scored == impressions and answers.dead_letters == 0
    return Verdict(
        records=len(shop.events) + len(shop.titles),
        triggers=len(triggers),
        triggers_answered=len(recommended),
        impressions=len(impressions),
        impressions_answered=len(scored),
        dead_letters=answers.dead_letters,
        fallbacks=sum(r.fallback == "model_unavailable" for r in answers.recommendations.values()),
        anomalies=len(truth.anomalies),
        anomalies_alerted=len(found),
        episodes=len({alert.episode for alert in answers.alerts.values()}),
        ctr_log_loss=losses[0],
        ctr_log_loss_item_average=losses[1],
        ctr_log_loss_true=losses[2],
        ok=complete and len(found) >= ANOMALIES_WANTED * len(truth.anomalies),
    )


def alert_for(anomaly: Anomaly, alerts: Iterable[DemandAlert], window_ms: int) -> DemandAlert | None:
    """The first alert about an anomaly: its item, its direction, a window that touches it."""
    matching = [
        alert
        for alert in alerts
        if alert.item_id == anomaly.item_id
        and alert.direction == anomaly.direction
        and alert.state == "open"
        and alert.window_end > anomaly.start
        and alert.window_start < anomaly.end + window_ms
    ]
    return min(matching, key=lambda alert: alert.window_start, default=None)


def _losses(shop: Shop, truth: Truth, answers: Answers) -> tuple[float | None, float | None, float | None]:
    """Log loss of the scores, of each item's average click rate before the cut, and of the true probabilities."""
    rates = _item_rates(shop)
    scores = {s.event_id: s for s in answers.ctr_scores.values()}
    ours: list[float] = []
    averages: list[float] = []
    known: list[float] = []
    for event in shop.impressions():
        if event.timestamp < shop.cut or event.event_id not in scores:
            continue
        clicked = shop.clicked.get(event.event_id, set())
        for place, scored in enumerate(scores[event.event_id].items):
            hit = scored.item_id in clicked
            ours.append(_loss(scored.ctr, hit))
            averages.append(_loss(rates.get(scored.item_id, rates[""]), hit))
            known.append(_loss(truth.ctr[event.event_id][place], hit))
    return _mean(ours), _mean(averages), _mean(known)


def _item_rates(shop: Shop) -> dict[str, float]:
    """Average click rate of each item before the cut, smoothed by ten views at the shop's rate ("")."""
    shown: dict[str, int] = {}
    hits: dict[str, int] = {}
    for event in shop.impressions():
        if event.timestamp < shop.cut:
            for item in event.items or ():
                shown[item] = shown.get(item, 0) + 1
                hits[item] = hits.get(item, 0) + (item in shop.clicked.get(event.event_id, ()))
    overall = sum(hits.values()) / max(1, sum(shown.values()))
    return {"": overall} | {i: (hits[i] + 10 * overall) / (n + 10) for i, n in shown.items()}


def _loss(probability: float, hit: bool) -> float:
    p = min(max(probability, _TINY), 1 - _TINY)
    return -log(p if hit else 1 - p)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
