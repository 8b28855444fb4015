"""What happened, for people: shoppers with what they did and what was recommended, clicks, anomalies."""

from collections import defaultdict
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from headrace.messages.events import Event, EventType
from headrace.messages.outputs import Recommendation, RecommendedItem
from streams.demo.answers import Answers
from streams.demo.shop import Shop, Truth
from streams.demo.verdict import Verdict, alert_for

_SHOPPERS = 3
_DONE = 3
_LISTED = 2
_SCORED = 4
_LISTS = 2
#: What was shown to a shopper is nothing that the shopper did.
_SHOWN_TO = frozenset({EventType.IMPRESSION, EventType.IDENTIFY})

_Step = tuple[Event, Recommendation | None]
"""What a shopper did, and the answer to that very event."""


def print_story(out: Console, shop: Shop, truth: Truth, answers: Answers, verdict: Verdict, window_ms: int) -> None:
    """Print the story."""
    for user_id, steps in _examples(shop, answers):
        out.print(_shopper_table(shop, user_id, steps))
    out.print(_clicks_table(shop, truth, answers))
    out.print(_anomaly_table(shop, truth, answers, window_ms))
    out.print(_summary(verdict))


def _examples(shop: Shop, answers: Answers) -> list[tuple[str, list[_Step]]]:
    """The last things that the busiest shoppers did in the time that the model had not seen, each with the answer to
    it: of what was not to be answered there is none."""
    did: defaultdict[str, list[Event]] = defaultdict(list)
    for event in shop.events:
        if event.type not in _SHOWN_TO and event.timestamp >= shop.cut:
            did[event.user_id].append(event)
    answer_to = {(answer.user_id, answer.event_id): answer for answer in answers.recommendations.values()}
    steps = {
        user: [(event, answer_to.get((user, event.event_id))) for event in events[-_DONE:]]
        for user, events in did.items()
        if any((user, event.event_id) in answer_to for event in events[-_DONE:])
    }
    busiest = sorted(steps, key=lambda user: (-len(did[user]), user))[:_SHOPPERS]
    return [(user, steps[user]) for user in busiest]


def _shopper_table(shop: Shop, user_id: str, steps: list[_Step]) -> Table:
    table = Table(title=f"Shopper {user_id}", title_justify="left", expand=False)
    for column in ("did", "then recommended", "score", "click", "why"):
        table.add_column(column, overflow="fold")
    for event, answer in steps:
        items = [] if answer is None else answer.items[:_LISTED]
        done = f"{event.type} {shop.titles.get(event.item_id or '', event.query or '')}"
        for row, item in enumerate(items):
            table.add_row("" if row else done, *_listed(shop, item))
        if not items:
            table.add_row(done, "", "", "", "")
        table.add_section()
    return table


def _listed(shop: Shop, item: RecommendedItem) -> tuple[str, str, str, str]:
    ctr = "" if item.ctr is None else f"{item.ctr:.1%}"
    why = "; ".join(f"{reason.text} ({reason.weight:+.2f})" for reason in item.reasons[:1])
    return shop.titles[item.item_id], f"{item.score:.2f}", ctr, why


def _clicks_table(shop: Shop, truth: Truth, answers: Answers) -> Table:
    table = Table(title="Click probabilities beside what was clicked", title_justify="left")
    for column in ("shopper", "shown", "scored", "true", "clicked"):
        table.add_column(column)
    scores = {s.event_id: s for s in answers.ctr_scores.values()}
    recent = [e for e in shop.impressions() if e.timestamp >= shop.cut and shop.clicked.get(e.event_id)]
    for event in recent[:_LISTS]:
        ranked = sorted(enumerate(scores[event.event_id].items), key=lambda pair: -pair[1].ctr)
        for place, scored in ranked[:_SCORED]:
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
            outcome = (
                alert.direction,
                _when(alert.window_start),
                f"{alert.observed:g}",
                f"{alert.expected:.1f}",
            )
            table.add_row(*planted, *outcome)
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
