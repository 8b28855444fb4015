"""The part of a shopper's row that scenarios keep for themselves: views by name, each with its version, and timers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from feature_repo.basics.schema import reader
from feature_repo.shoppers.timers import TimerStates
from headrace.errors import ScenarioError
from headrace.scenarios.declaration import View


class _Stored(Struct, array_like=True, forbid_unknown_fields=True):
    """As it lies in the row."""

    views: dict[str, tuple[int, Raw]] = {}  # name → version and packed state
    timers: TimerStates = msgspec.field(default_factory=TimerStates)


class ScenarioStates(NamedTuple):
    """The same in memory.

    Attributes:
        views: the state of each view of the scenarios that run.
        timers: of all scenarios.
        others: views of scenarios that do not run, as they were stored.
    """

    views: dict[str, Any]
    timers: TimerStates
    others: dict[str, tuple[int, Raw]]


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_read = reader(_Stored)


class ScenarioStateCodec:
    """Packs and unpacks the states of these views."""

    def __init__(self, views: Sequence[View[Any]] = ()) -> None:
        self._views = {view.name: view for view in views}
        self._decoders = {view.name: msgspec.msgpack.Decoder(view.state) for view in views}

    def unpack(self, packed: bytes) -> ScenarioStates:
        """The inverse of `pack`; no bytes give the states of a shopper of whom nothing is known.

        Raises:
            ScenarioError: a view was written by another version of its scenario.
        """
        if not packed:
            return ScenarioStates({name: view.state() for name, view in self._views.items()}, TimerStates(), {})
        stored = _read(packed)
        views = {name: self._state(name, stored) for name in self._views}
        others = {name: kept for name, kept in stored.views.items() if name not in self._views}
        return ScenarioStates(views, stored.timers, others)

    def pack(self, states: ScenarioStates) -> bytes:
        """The bytes: equal states give equal bytes, and a shopper of whom nothing is known gives none."""
        own = {name: (view.version, Raw(_encoder.encode(states.views[name]))) for name, view in self._views.items()}
        if not own and not states.others and states.timers.is_empty:
            return b""
        return _encoder.encode(_Stored(states.others | own, states.timers))

    def _state(self, name: str, stored: _Stored) -> Any:
        view = self._views[name]
        version, packed = stored.views.get(name, (view.version, None))
        if version != view.version:
            raise ScenarioError(
                f"rows hold view {name} in version {version}, and its scenario has version {view.version}: fold the "
                "stream into a group of another name with `headrace rebuild`, or bring the other version back"
            )
        if packed is None:
            return view.state()
        try:
            return self._decoders[name].decode(packed)
        except msgspec.DecodeError as error:
            raise ScenarioError(
                f"view {name} cannot be read ({error}): give its scenario a new version and run `headrace rebuild`"
            ) from error
