"""What happened, for people: shoppers with what they did and what was recommended, clicks, anomalies."""

from collections import defaultdict
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from streams.demo.answers import Answers
from streams.demo.shop import Shop, Truth
from streams.demo.verdict import Verdict, alert_for
from streams.messages.events import Event
from streams.messages.outputs import Recommendation

_SHOPPERS = 3
_DONE = 4
_LISTED = 4
_LISTS = 2


def tell(out: Console, shop: Shop, truth: Truth, answers: Answers, verdict: Verdict, window_ms: int) -> None:
    """Print the story."""
    for shopper, recommendation in _examples(shop, answers):
        out.print(_shopper_table(shop, shopper, recommendation))
    out.print(_clicks_table(shop, truth, answers))
    out.print(_anomaly_table(shop, truth, answers, window_ms))
    out.print(_summary(verdict))


def _examples(shop: Shop, answers: Answers) -> list[tuple[list[Event], Recommendation]]:
    """The last recommendations of the shoppers who did most in the time that the model had not seen."""
    did: defaultdict[str, list[Event]] = defaultdict(list)
    for event in shop.events:
        if event.item_id is not None:
            did[event.user_id].append(event)
    last = {r.user_id: r for r in answers.recommendations.values() if r.timestamp >= shop.cut}
    busiest = sorted(last, key=lambda user: (-len(did[user]), user))[:_SHOPPERS]
    return [([e for e in did[user] if e.timestamp <= last[user].timestamp][-_DONE:], last[user]) for user in busiest]


def _shopper_table(shop: Shop, events: list[Event], recommendation: Recommendation) -> Table:
    table = Table(title=f"Shopper {recommendation.user_id}", title_justify="left", expand=False)
    for column in ("did", "then recommended", "score", "click", "why"):
        table.add_column(column, overflow="fold")
    for row in range(max(len(events), _LISTED)):
        done = f"{events[row].type} {shop.titles.get(events[row].item_id or '', '')}" if row < len(events) else ""
        if row < min(_LISTED, len(recommendation.items)):
            item = recommendation.items[row]
            ctr = "" if item.ctr is None else f"{item.ctr:.1%}"
            why = "; ".join(f"{reason.text} ({reason.weight:+.2f})" for reason in item.reasons[:1])
            table.add_row(done, shop.titles[item.item_id], f"{item.score:.2f}", ctr, why)
        else:
            table.add_row(done, "", "", "", "")
    return table


def _clicks_table(shop: Shop, truth: Truth, answers: Answers) -> Table:
    table = Table(title="Click probabilities beside what was clicked", title_justify="left")
    for column in ("shopper", "shown", "scored", "true", "clicked"):
        table.add_column(column)
    scores = {s.event_id: s for s in answers.ctr_scores.values()}
    recent = [e for e in shop.impressions() if e.timestamp >= shop.cut and shop.clicked.get(e.event_id)]
    for event in recent[:_LISTS]:
        ranked = sorted(enumerate(scores[event.event_id].items), key=lambda pair: -pair[1].ctr)
        for place, scored in ranked[:_LISTED]:
            hit = "yes" if scored.item_id in shop.clicked[event.event_id] else ""
            true = f"{truth.ctr[event.event_id][place]:.1%}"
            table.add_row(event.user_id, shop.titles[scored.item_id], f"{scored.ctr:.1%}", true, hit)
        table.add_section()
    return table


def _anomaly_table(shop: Shop, truth: Truth, answers: Answers, window_ms: int) -> Table:
    table = Table(title="Planted demand anomalies beside the alerts raised", title_justify="left")
    for column in ("item", "planted", "from", "alert", "window", "observed", "expected"):
        table.add_column(column)
    for anomaly in truth.anomalies:
        planted = (shop.titles[anomaly.item_id], anomaly.direction, _when(anomaly.start))
        alert = alert_for(anomaly, answers.alerts.values(), window_ms)
        if alert is None:
            table.add_row(*planted, "[red]none[/red]", "", "", "")
        else:
            said = (
                alert.direction,
                _when(alert.window_start),
                f"{alert.observed:g}",
                f"{alert.expected:.1f}",
            )
            table.add_row(*planted, *said)
    return table


def _summary(verdict: Verdict) -> str:
    clicks = ""
    if verdict.ctr_log_loss is not None:
        clicks = (
            f"click log loss {verdict.ctr_log_loss:.4f}, item averages {verdict.ctr_log_loss_item_average:.4f}, "
            f"the true probabilities {verdict.ctr_log_loss_true:.4f}\n"
        )
    return (
        f"{verdict.triggers_answered} of {verdict.triggers} triggers answered, "
        f"{verdict.impressions_answered} of {verdict.impressions} impressions scored, "
        f"{verdict.dead_letters} dead letters\n{clicks}"
        f"{verdict.anomalies_alerted} of {verdict.anomalies} planted anomalies alerted, "
        f"{verdict.episodes} episodes in all\n"
        + ("[green]everything holds[/green]" if verdict.ok else "[red]something does not hold[/red]")
    )


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %b %H:%M")
