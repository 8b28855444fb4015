"""Scenarios of packages are checked before anything starts: one line names the scenario and what to change."""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from msgspec import Struct

from headrace.errors import ScenarioError
from headrace.messages.outputs import OutputBase
from headrace.scenarios import InputTopic, ItemSeries, OutputTopic, Scenario, Series, TritonScorer, View, registry
from headrace.scenarios.registry import check, installed
from headrace.settings import Settings
from headrace.topics import topics_of


class Reminder(OutputBase, frozen=True, kw_only=True):
    """A message."""

    user_id: str


class Request(Struct):
    """A request."""

    user_id: str
    timestamp: int


class Cart(Struct):
    """A state."""

    items: list[str] = []


class NoDefault(Struct):
    """A state that no new shopper could have."""

    items: list[str]


def nothing(*_: Any) -> None:
    """A fold that changes nothing."""


CART = View(name="cart", state=Cart, fold=nothing)
REMINDER = Scenario(
    name="reminder", outputs=[OutputTopic(name="reminders", message=Reminder)], views=[CART], timers=frozenset({"left"})
)
OTHER = Scenario(name="other", outputs=[OutputTopic(name="others", message=Reminder)])


def refused(*scenarios: Scenario) -> str:
    with pytest.raises(ScenarioError) as raised:
        check(scenarios)
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_scenarios_that_go_together_are_taken():
    check([REMINDER, OTHER])


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"name": "Cart reminder"},
            "scenario 'Cart reminder': a name is of lower-case letters, digits and underscores",
        ),
        (
            {"outputs": [OutputTopic(name="events", message=Reminder)]},
            "scenario reminder: topic events is Headrace's own: choose another name",
        ),
        (
            {"outputs": [OutputTopic(name="headrace.mine", message=Reminder)]},
            "scenario reminder: topic headrace.mine is Headrace's own: choose another name",
        ),
        (
            {"outputs": [OutputTopic(name="a topic", message=Reminder)]},
            "scenario reminder: 'a topic' is no name of a topic",
        ),
        (
            {"outputs": [OutputTopic(name="reminders", message=Request)]},  # pyright: ignore[reportArgumentType]
            "scenario reminder: Request, the message of reminders, is no OutputBase",
        ),
        ({"inputs": [InputTopic(name="asked", message=Cart)]}, "scenario reminder: Cart lacks timestamp, user_id"),
        ({"views": [replace(CART, name="shopper")]}, "scenario reminder: view 'shopper' needs another name"),
        ({"views": []}, "scenario reminder declares timers, and no view whose fold could set them"),
    ],
)
def test_what_is_wrong_with_one_is_said(changed: dict[str, Any], line: str):
    assert refused(replace(REMINDER, **changed)) == line


SERIES = Series(name="texts", columns=("texts",), counts=lambda _: (1,), on_closed=lambda *_: ())
SCORER: TritonScorer[Any, Any] = TritonScorer(model="m", to_tensors=nothing, to_values=nothing, fallback=nothing)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"name": "a/b"}, "scenario other: series 'a/b': use lower-case letters, digits and underscores"),
        ({"columns": ()}, "scenario other: series texts needs a column, and a history of 0 or more windows"),
        ({"history": -1}, "scenario other: series texts needs a column, and a history of 0 or more windows"),
        ({"scorer": SCORER}, "scenario other: series texts has a scorer, and no query to ask it"),
        ({"state": NoDefault}, "scenario other: every field of NoDefault needs a default: "),
    ],
)
def test_what_is_wrong_with_a_series_is_reported(changed: dict[str, Any], line: str):
    assert refused(replace(OTHER, series=replace(SERIES, **changed))).startswith(line)


def test_a_series_needs_an_output_and_a_name_of_its_own():
    check([replace(OTHER, series=SERIES)])
    line = refused(replace(OTHER, series=SERIES, outputs=[]))
    assert line == "scenario other: series texts needs an output that its closed windows go to"
    line = refused(replace(OTHER, series=SERIES), replace(REMINDER, series=SERIES))
    assert line == "series texts is declared by more than one scenario: rename one of them"
    items = [ItemSeries(name=name, open=nothing) for name in ("one", "two")]  # pyright: ignore[reportArgumentType]
    line = refused(replace(OTHER, series=items[0]), replace(REMINDER, series=items[1]))
    assert line == "scenarios other, reminder: only one may evaluate the series that items have anyway"


def test_a_state_needs_the_defaults_of_a_new_shopper():
    line = refused(replace(REMINDER, views=[View(name="cart", state=NoDefault, fold=nothing)]))
    assert line.startswith("scenario reminder: every field of NoDefault needs a default")


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"name": "reminder"}, "scenario reminder is declared by more than one scenario: rename one of them"),
        ({"views": [CART]}, "view cart is declared by more than one scenario: rename one of them"),
        (
            {"outputs": [OutputTopic(name="reminders", message=Reminder)]},
            "topic reminders is declared by more than one scenario: rename one of them",
        ),
        (
            {"inputs": [InputTopic(name="reminders", message=Request)]},
            "scenario other reads topic reminders, which another one writes",
        ),
    ],
)
def test_what_two_have_in_common_is_said(changed: dict[str, Any], line: str):
    assert refused(REMINDER, replace(OTHER, **changed)) == line


def test_a_name_that_is_none_is_said_with_those_that_there_are():
    with pytest.raises(ScenarioError, match="names cart_reminder: there are ctr, demand, recommend"):
        installed(frozenset({"ctr", "cart_reminder"}))


def test_topics_are_those_of_the_scenarios_that_run():
    topics = topics_of(Settings(scenarios=frozenset({"recommend"})))
    assert (topics.inputs, topics.answers) == (("events", "items"), ("recommendations",))


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Install an entry point for the length of a test."""

    def install(name: str, value: str) -> None:
        found = EntryPoint(name, value, registry.GROUP)
        monkeypatch.setattr(registry, "entry_points", lambda group: [found])
        installed.cache_clear()

    return install


@pytest.fixture(autouse=True)
def _cleared():
    yield
    installed.cache_clear()


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "mine",
            "no_such_module:MINE",
            r"scenario mine \(no_such_module:MINE\) cannot be imported: ModuleNotFoundError",
        ),
        (
            "mine",
            "headrace.errors:ScenarioError",
            "scenario mine: headrace.errors:ScenarioError is a type, no Scenario",
        ),
        ("mine", "streams.scenarios.ctr:CTR", "calls itself ctr: give both one name"),
    ],
)
def test_a_package_that_holds_no_such_scenario_is_said(
    entry: Callable[[str, str], None], name: str, value: str, line: str
):
    entry(name, value)
    with pytest.raises(ScenarioError, match=line):
        installed()
