"""A scenario: data and pure functions. The pipelines know none; a scenario knows no Kafka, Redis or Triton."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from headrace.messages.events import Event
from headrace.messages.outputs import OutputBase
from headrace.scenarios.scoring import Scorer
from headrace.scenarios.series import ItemSeries, Series
from headrace.scenarios.timers import TimerFired, Timers

if TYPE_CHECKING:
    from headrace.settings import Settings

S = TypeVar("S", bound=Struct)

Input = Any
"""What a scenario answers: an `Event`, a message of one of its input topics, or a `TimerFired` of its own."""


class Row(Protocol):
    """A shopper's row as queries see it: read, and never changed.

    Attributes:
        user_id: whose row it is.
        shopper: the features that all scenarios share (`feature_repo.shoppers.shopper.ShopperState`).
        views: the states of the scenarios' own views, by name.
    """

    @property
    def user_id(self) -> str: ...
    @property
    def shopper(self) -> Any: ...
    @property
    def views(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class View(Generic[S]):
    """Features of a shopper that a scenario keeps for itself, in the shopper's row and behind its fence.

    Attributes:
        name: of the feature view in Feast; no other scenario's.
        state: a msgspec Struct whose fields all have defaults: the state of a shopper of whom nothing is known.
        fold: changes a state in place by an event, or by a timer of the scenario. Pure: no clock, no I/O, no chance.
        version: of the state. A row of another version is refused: `headrace rebuild` folds it anew.
    """

    name: str
    state: type[S]
    fold: Callable[[S, Event | TimerFired, Timers], None]
    version: int = 1


@dataclass(frozen=True, kw_only=True)
class InputTopic:
    """A topic of requests that are answered and leave no trace in a row.

    Attributes:
        name: of the topic; keyed by user_id.
        message: a msgspec Struct with `user_id` and `timestamp` (ms).
    """

    name: str
    message: type[Struct]


@dataclass(frozen=True, kw_only=True)
class OutputTopic:
    """Where answers go.

    Attributes:
        name: of the topic.
        message: what is written to it, as JSON. Its docstring is the topic's description in the reference.
        key: the field of the message that is the record's key.
        key_of: the record's key where it is not always that field.
        compacted: whether the newest record of a key is all that counts.
    """

    name: str
    message: type[OutputBase]
    key: str = "user_id"
    key_of: Callable[[Any], str] | None = None
    compacted: bool = False

    def record_key(self, output: OutputBase) -> str:
        """The key of a message's record."""
        return getattr(output, self.key) if self.key_of is None else self.key_of(output)


class LoggedFeatures(NamedTuple):
    """What an answer was made from, for training on what was really served.

    Attributes:
        features: name to value.
        items: the candidates that were scored, where there were any.
    """

    features: dict[str, Any]
    items: list[str] | None = None


def _never(_: Input, __: Settings) -> bool:
    return False


def _nothing(*_: Any) -> Any:
    raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A use of the stream.

    Attributes:
        name: in ids of outputs, metrics, logs and `HEADRACE_SCENARIOS`: lower-case letters, digits and underscores.
        outputs: topics that its messages go to.
        answers: whether an input is answered. Pure.
        query: an input and the shopper's row to what the scorer is asked. Pure.
        output: what came of a query to the message that goes out, of the type of one of `outputs`. Pure.
        inputs: topics of requests of its own, beside `events`.
        before_fold: whether an event is answered from the row as it was before the event.
        views: features of its own.
        timers: names of timers that the folds of its views may set.
        scorer: who answers its queries; None where `output` needs no model.
        features: what `feature.log` holds of an input and its query; None where answers are not logged. Pure.
        series: what it counts in windows, and what goes out when they close.
    """

    name: str
    outputs: Sequence[OutputTopic]
    answers: Callable[[Input, Settings], bool] = _never
    query: Callable[[Input, Row, Settings], Any] = _nothing
    output: Callable[[QueryResult], OutputBase] = _nothing
    inputs: Sequence[InputTopic] = ()
    before_fold: bool = False
    views: Sequence[View[Any]] = ()
    timers: frozenset[str] = frozenset()
    scorer: Scorer[Any] | None = None
    features: Callable[[Input, Any], LoggedFeatures] | None = None
    series: Series | ItemSeries | None = None


class QueryResult(NamedTuple):
    """All that a message is made of.

    Attributes:
        input: what is answered.
        output_id: the message's id: a function of the input alone.
        query: what was asked.
        result: what came of it: of a `TritonScorer`, and of a scenario without a scorer, a `Result`.
        catalogue: the items of the shop, as this worker knows them (`streams.serving.catalogue.Catalogue`).
        settings: the worker's.
    """

    input: Input
    output_id: str
    query: Any
    result: Any
    catalogue: Any
    settings: Settings
