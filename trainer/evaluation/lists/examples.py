"""Lists of some shoppers of a stream, as a person reads them: what was done, and what would have been recommended."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from headrace.errors import UsageError
from headrace.messages.events import Event
from headrace.messages.outputs import Recommendation
from headrace.settings.model import Settings
from streams.scenarios.recommend.scenario import RECOMMEND
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.shopper_scorer.queries import ShopperQuery
from trainer.evaluation.lists.held_back import read_recorded, states
from trainer.evaluation.lists.worker_lists import ask, messages
from trainer.publishing.exported import load_recommender
from trainer.training_loop.fit import OnProgress

_DONE: Final = 6
"""Events before a list that are shown."""
_SHOWN: Final = 5
"""Entries of a list that are shown."""


class Example(NamedTuple):
    """One list, and what the shopper had done, the newest last."""

    done: list[str]
    message: Recommendation


def example_lists(
    stream: Path, model: Path, shoppers: int, lists: int, settings: Settings, on_progress: OnProgress
) -> tuple[dict[str, list[Example]], Catalogue]:
    """The last lists of the shoppers who were owed most in the held-back part of a stream, by shopper; the catalogue.

    Raises:
        UsageError: no such stream or model, or nobody is owed so many lists.
    """
    scorer = load_recommender(model, clicks=True)
    recorded = read_recorded(stream, settings, lambda n: on_progress("read", n, 0, "records"))
    queries = _queries(recorded.events, recorded.split(), settings, recorded.catalogue)
    chosen = sorted((user for user in queries if len(queries[user]) >= lists), key=lambda u: (-len(queries[u]), u))[
        :shoppers
    ]
    if not chosen:
        raise UsageError(f"--stream {stream}: no shopper is owed {lists} lists in its last tenth; give a longer stream")
    found: dict[str, list[Example]] = {}
    for user in chosen:
        done, chosen_queries = zip(*queries[user][-lists:], strict=True)
        made = messages(scorer, chosen_queries, recorded.catalogue, settings)
        found[user] = [Example(*both) for both in zip(done, made, strict=True)]
    return found, recorded.catalogue


def markdown(found: dict[str, list[Example]], titles: Catalogue) -> Iterator[str]:
    """The lists as a page, line by line."""
    for user, examples in found.items():
        yield from (f"## {user}", "")
        for done, message in examples:
            when = datetime.fromtimestamp(message.timestamp / 1000, UTC).strftime("%d %B %H:%M")
            yield from (f"**{when}**, after: {'; '.join(done)}", "", "| recommended | click | why |", "|---|---|---|")
            for item in message.items[:_SHOWN]:
                rate = "" if item.ctr is None else f"{item.ctr:.0%}"
                yield f"| {titles.title(item.item_id)} | {rate} | {'; '.join(r.text for r in item.reasons)} |"
            yield ""


def _queries(
    events: list[Event], since: int, settings: Settings, catalogue: Catalogue
) -> dict[str, list[tuple[list[str], ShopperQuery]]]:
    did: defaultdict[str, list[str]] = defaultdict(list)
    queries: defaultdict[str, list[tuple[list[str], ShopperQuery]]] = defaultdict(list)
    for event, state in states(events):
        if event.item_id is not None or event.query:
            what = catalogue.title(event.item_id) if event.item_id else f"“{event.query}”"
            did[event.user_id].append(f"{event.type.replace('_', ' ')} {what or event.item_id}")
        if event.timestamp >= since and RECOMMEND.answers(event, settings):
            queries[event.user_id].append((did[event.user_id][-_DONE:], ask(event, state, settings)))
    return queries
