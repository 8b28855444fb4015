"""Lists as a worker would answer them on the small shop, judged by what is planted in them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from small_shop import COLOURS, DAY, KINDS, START, FittedShop, event, item, write
from typer.testing import CliRunner

from feature_repo.basics.identity import item_hash
from headrace.errors import UsageError
from headrace.messages.events import EventType
from headrace.messages.items import Item
from headrace.settings.model import Settings
from headrace_cli.evaluate import group as evaluate
from headrace_cli.evaluate import lists as evaluate_lists
from streams.serving.catalogue.catalogue import Catalogue
from trainer.evaluation.lists.held_back import clicks_on, read_recorded, states
from trainer.evaluation.lists.quality import evaluate_lists as measure
from trainer.evaluation.lists.quality import moments
from trainer.evaluation.lists.worker_lists import answer, ask
from trainer.publishing.exported import load_recommender

QUIET = lambda *_: None  # noqa: E731
EARLY = datetime.fromtimestamp(START / 1000, UTC)
CATALOGUE = [item(f"{kind}-{colour}", f"{colour} {kind}") for kind in KINDS for colour in COLOURS]


def shopper(user: str, *bought: str) -> list[dict[str, object]]:
    """Buys some items, is shown the first of them and another one, and clicks on that."""
    records = [event("purchase", user, START + 1000 * n, item_id=name) for n, name in enumerate(bought)]
    shown = event("impression", user, START + 60_000, items=[bought[0], "scarf-red"])
    return [*records, shown, event("click", user, START + 61_000, item_id="scarf-red")]


def judged(fitted_shop: FittedShop, path: Path, records: list[dict[str, object]], **settings: object):
    return measure(write(path, records), fitted_shop.folder, EARLY, Settings(**settings), QUIET)


def test_what_is_bought_is_counted_where_the_setting_lists_it(fitted_shop: FittedShop, tmp_path: Path):
    records = CATALOGUE + shopper("ann", *(f"teapot-{colour}" for colour in COLOURS))
    kept = judged(fitted_shop, tmp_path / "a.jsonl", records, exclude="none")
    left_out = judged(fitted_shop, tmp_path / "b.jsonl", records, exclude="purchased")
    assert kept.already_bought > 0.1
    assert left_out.already_bought == 0
    assert kept.repeated == left_out.repeated == kept.unknown == 0
    assert kept.lists == 8 and kept.entries > 100


def test_an_item_that_the_catalogue_lacks_is_delisted_as_the_worker_does(fitted_shop: FittedShop, tmp_path: Path):
    records = CATALOGUE[:10] + shopper("ann", "teapot-red", "teapot-blue")
    found = judged(fitted_shop, tmp_path / "a.jsonl", records)
    assert found.unknown == 0
    assert found.entries == 9 + 8  # of ten items the one at hand is left out, and what was viewed a moment ago


def test_without_a_catalogue_everything_is_unknown(fitted_shop: FittedShop, tmp_path: Path):
    assert judged(fitted_shop, tmp_path / "a.jsonl", shopper("ann", "teapot-red")).unknown == 1


def test_without_a_truth_the_first_rates_are_held_against_what_followed(fitted_shop: FittedShop, tmp_path: Path):
    """Everything is shown after it was listed: three entries of each list, of which none or all are clicked."""
    names = [f"{kind}-{colour}" for kind in KINDS for colour in COLOURS]
    records = [*CATALOGUE, event("view", "ann", START, item_id=names[0])]
    records.append(event("impression", "ann", START + 1000, items=names[::-1], request_id="r"))
    none = judged(fitted_shop, tmp_path / "none.jsonl", records)
    clicks = [event("click", "ann", START + 2000 + n, item_id=name, request_id="r") for n, name in enumerate(names)]
    every = judged(fitted_shop, tmp_path / "all.jsonl", records + clicks, triggers="view")
    assert none.followed == every.followed == 3
    assert none.ece_top3 == none.ece_top3_followed
    assert none.ece_top3 + every.ece_top3 == pytest.approx(1)
    assert none.ece_top3_truth is None and none.mean_truth_top3 is None


def test_moments_are_the_triggers_since_then_with_the_impression_that_follows_soon(tmp_path: Path):
    records = CATALOGUE + shopper("ann", "teapot-red", "teapot-blue") + shopper("bob", "scarf-blue")
    records += [event("view", "bob", START + DAY, item_id="scarf-red"), event("impression", "bob", START + 2 * DAY,
                items=["scarf-red"])]  # fmt: skip
    recorded = read_recorded(write(tmp_path / "a.jsonl", records), Settings(), lambda _: None)
    found = moments(recorded, START + 500, Settings())
    assert [(m.event.user_id, m.event.item_id) for m in found] == [("ann", "teapot-blue"), ("bob", "scarf-red")]
    assert [m.following is None for m in found] == [False, True]
    assert set(found[0].bought.tolist()) == {item_hash("teapot-red"), item_hash("teapot-blue")}
    assert [m.last for m in found] == [None, "scarf-red"]
    assert clicks_on(recorded.events) == {(user, f"impression-{user}-{START + 60_000}"): {"scarf-red"}
                                          for user in ("ann", "bob")}  # fmt: skip


def test_an_impression_is_asked_before_it_is_folded_and_a_repeat_never(tmp_path: Path):
    records = CATALOGUE + shopper("ann", "teapot-red")
    recorded = read_recorded(write(tmp_path / "a.jsonl", records + records[-2:]), Settings(), lambda _: None)
    seen = [(event.type, state.session.events) for event, state in states(recorded.events)]
    assert seen == [(EventType.PURCHASE, 1), (EventType.IMPRESSION, 1), (EventType.CLICK, 3)]


def test_lists_are_those_of_the_version_and_rates_those_of_the_place(fitted_shop: FittedShop, stream: Path):
    recorded = read_recorded(stream, Settings(), lambda _: None)
    found = moments(recorded, START + 15 * DAY, Settings())[:50]
    scorer = load_recommender(fitted_shop.folder, clicks=True)
    lists = list(answer(scorer, [m.query for m in found], recorded.catalogue))
    assert len(lists) == len(found)
    assert all(0 <= rate <= 1 for made in lists for rate in made.ctrs)
    query = ask(found[0].event, next(iter(states(recorded.events)))[1], Settings())
    gone = Catalogue()
    gone.put(Item(item_id="teapot-red", title="red teapot"))
    [only] = answer(scorer, [query._replace(exclude=b"")], gone)
    assert [key for key in only.items if key] == [item_hash("teapot-red")]


def test_the_command_prints_what_the_contract_names(fitted_shop: FittedShop, stream: Path):
    app = typer.Typer()
    for group in (evaluate, evaluate_lists):
        group.register(app)
    command = ["evaluate", "lists", "--stream", str(stream), "--model", str(fitted_shop.folder)]
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 0
    assert {"already_bought", "unknown", "repeated", "ece_top3"} <= set(json.loads(done.stdout.splitlines()[-1]))
    assert "bought before" in CliRunner().invoke(app, command).stdout


def test_a_time_without_events_is_wrong_usage(fitted_shop: FittedShop, stream: Path):
    with pytest.raises(UsageError, match="--since"):
        measure(stream, fitted_shop.folder, datetime(2100, 1, 1, tzinfo=UTC), Settings(), QUIET)
