"""The scenarios of all installed packages, found by the entry point group `headrace.scenarios`."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import fields

from headrace.errors import ScenarioError
from headrace.messages.outputs import OutputBase
from headrace.scenarios.declaration import InputTopic, OutputTopic, Scenario, View
from headrace.scenarios.series import ItemSeries, Series

GROUP: Final = "headrace.scenarios"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,200}")
_OWN_TOPICS: Final = frozenset({"events", "items", "dead.letters", "feature.log"})
_OWN_VIEWS: Final = frozenset(
    {"shopper", "timers", "item_catalogue", "item_activity", "item_windows", "shard", "shard_bulk"}
)


class Registry(NamedTuple):
    """Scenarios, in the order of their names."""

    scenarios: tuple[Scenario, ...]

    @property
    def views(self) -> tuple[View[Any], ...]:
        """The views of all scenarios, in order of name: the order in which rows hold them."""
        views = [view for scenario in self.scenarios for view in scenario.views]
        return tuple(sorted(views, key=lambda view: view.name))

    @property
    def inputs(self) -> tuple[InputTopic, ...]:
        """Topics of requests, each once."""
        return tuple({topic.name: topic for scenario in self.scenarios for topic in scenario.inputs}.values())

    @property
    def outputs(self) -> tuple[OutputTopic, ...]:
        """Topics of answers."""
        return tuple(topic for scenario in self.scenarios for topic in scenario.outputs)

    @property
    def series(self) -> tuple[Series, ...]:
        """The series that are counted, in order of their scenarios."""
        return tuple(one.series for one in self.scenarios if isinstance(one.series, Series))

    @property
    def has_timers(self) -> bool:
        return any(scenario.timers for scenario in self.scenarios)


@lru_cache(maxsize=8)
def installed(names: frozenset[str] | None = None) -> Registry:
    """The installed scenarios, or those of these names.

    Raises:
        ScenarioError: a name is that of none, one cannot be imported, or two do not go together.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if missing := sorted((names or frozenset()) - found.keys()):
        raise ScenarioError(
            f"HEADRACE_SCENARIOS names {', '.join(missing)}: there are {', '.join(sorted(found))}. A scenario is found "
            f"by the entry point group `{GROUP}` of an installed package."
        )
    wanted = sorted(found if names is None else names)
    registry = Registry(tuple(_load(found[name]) for name in wanted))
    check(registry.scenarios)
    return registry


def _load(entry: EntryPoint) -> Scenario:
    try:
        scenario = entry.load()
    except Exception as error:
        raise ScenarioError(f"scenario {entry.name} ({entry.value}) cannot be imported: {error!r}") from error
    if not isinstance(scenario, Scenario):
        raise ScenarioError(f"scenario {entry.name}: {entry.value} is a {type(scenario).__name__}, no Scenario")
    if scenario.name != entry.name:
        raise ScenarioError(f"scenario {entry.name}: {entry.value} calls itself {scenario.name}: give both one name")
    return scenario


def check(scenarios: Sequence[Scenario]) -> None:
    """See that scenarios are well-formed and go together.

    Raises:
        ScenarioError: naming the scenario, and what to change.
    """
    for scenario in scenarios:
        _check_one(scenario)
    _check_unique("scenario", Counter(scenario.name for scenario in scenarios))
    _check_unique("view", Counter(view.name for scenario in scenarios for view in scenario.views))
    _check_unique("topic", Counter(topic.name for scenario in scenarios for topic in scenario.outputs))
    _check_unique("series", Counter(scenario.series.name for scenario in scenarios if scenario.series is not None))
    if len(of_items := [one.name for one in scenarios if isinstance(one.series, ItemSeries)]) > 1:
        raise ScenarioError(f"scenarios {', '.join(of_items)}: only one may evaluate the series that items have anyway")
    outputs = {topic.name for scenario in scenarios for topic in scenario.outputs}
    messages: dict[str, type[Struct]] = {}
    for scenario in scenarios:
        for topic in scenario.inputs:
            if topic.name in outputs:
                raise ScenarioError(f"scenario {scenario.name} reads topic {topic.name}, which another one writes")
            if messages.setdefault(topic.name, topic.message) is not topic.message:
                raise ScenarioError(
                    f"scenario {scenario.name} reads topic {topic.name} as {topic.message.__name__}, "
                    f"another one as {messages[topic.name].__name__}"
                )


def _check_one(scenario: Scenario) -> None:
    name = scenario.name
    if not _NAME.fullmatch(name):
        raise ScenarioError(f"scenario {name!r}: a name is of lower-case letters, digits and underscores")
    for topic in (*scenario.inputs, *scenario.outputs):
        if topic.name in _OWN_TOPICS or topic.name.startswith("headrace."):
            raise ScenarioError(f"scenario {name}: topic {topic.name} is Headrace's own: choose another name")
        if not _TOPIC.fullmatch(topic.name):
            raise ScenarioError(f"scenario {name}: {topic.name!r} is no name of a topic")
    for topic in scenario.outputs:
        if not issubclass(topic.message, OutputBase):  # pyright: ignore[reportUnnecessaryIsInstance]
            message = topic.message.__name__
            raise ScenarioError(f"scenario {name}: {message}, the message of {topic.name}, is no OutputBase")
    for topic in scenario.inputs:
        missing = {"user_id", "timestamp"} - {field.name for field in fields(topic.message)}
        if missing:
            raise ScenarioError(f"scenario {name}: {topic.message.__name__} lacks {', '.join(sorted(missing))}")
    for view in scenario.views:
        if view.name in _OWN_VIEWS or not _NAME.fullmatch(view.name):
            raise ScenarioError(f"scenario {name}: view {view.name!r} needs another name")
        _check_defaults(name, view.state)
    if isinstance(scenario.series, Series):
        _check_series(name, scenario.series, scenario)
    if scenario.timers and not scenario.views:
        raise ScenarioError(f"scenario {name} declares timers, and no view whose fold could set them")


def _check_series(name: str, series: Series, scenario: Scenario) -> None:
    if not _NAME.fullmatch(series.name):
        raise ScenarioError(f"scenario {name}: series {series.name!r}: use lower-case letters, digits and underscores")
    if not series.columns or series.history < 0:
        raise ScenarioError(f"scenario {name}: series {series.name} needs a column, and a history of 0 or more windows")
    if not scenario.outputs:
        raise ScenarioError(f"scenario {name}: series {series.name} needs an output that its closed windows go to")
    if series.scorer is not None and series.query is None:
        raise ScenarioError(f"scenario {name}: series {series.name} has a scorer, and no query to ask it")
    if series.state is not None:
        _check_defaults(name, series.state)


def _check_defaults(name: str, state: type[Struct]) -> None:
    try:
        state()
    except TypeError as error:
        raise ScenarioError(f"scenario {name}: every field of {state.__name__} needs a default: {error}") from error


def _check_unique(what: str, counts: Mapping[str, int]) -> None:
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise ScenarioError(f"{what} {twice[0]} is declared by more than one scenario: rename one of them")
