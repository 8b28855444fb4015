"""Feast feature views: one packed feature each, and on-demand views that unpack it into typed columns.

A view is packed because Feast spends more on a row's tenth field than on the row; a client sees only columns.
"""

import inspect
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple, cast

from feast import Entity, FeatureView, Field, OnDemandFeatureView
from feast.transformation.python_transformation import PythonTransformation
from feast.types import Bytes, FeastType, String

from feature_repo.registry.entities import ITEM, USER
from feature_repo.registry.sources import parquet_source
from feature_repo.registry.unpacked import ACTIVITY, CATALOGUE, SCENARIOS, SHOPPER
from feature_repo.store.layout import FEATURE


class Views(NamedTuple):
    """Every view: the stored ones, and their columns."""

    shopper: FeatureView
    scenario_views: FeatureView
    item_catalogue: FeatureView
    item_activity: FeatureView
    item_windows: FeatureView
    shopper_features: OnDemandFeatureView
    scenario_features: OnDemandFeatureView
    catalogue_features: OnDemandFeatureView
    activity_features: OnDemandFeatureView


def views(home: Path) -> Views:
    """The views of one deployment; their Parquet lies under `home`."""
    shopper = _stored("shopper", USER, home)
    scenario_views = _stored("scenario_views", USER, home)
    item_catalogue = _stored("item_catalogue", ITEM, home)
    item_activity = _stored("item_activity", ITEM, home)
    item_windows = _stored("item_windows", ITEM, home)
    return Views(
        shopper,
        scenario_views,
        item_catalogue,
        item_activity,
        item_windows,
        _unpacking("shopper_features", [shopper], _unpack_shopper, SHOPPER),
        _unpacking("scenario_features", [scenario_views], _unpack_scenarios, SCENARIOS),
        _unpacking("catalogue_features", [item_catalogue], _unpack_catalogue, CATALOGUE),
        _unpacking("activity_features", [item_activity, item_windows], _unpack_activity, ACTIVITY),
    )


def _stored(name: str, entity: Entity, home: Path) -> FeatureView:
    return FeatureView(
        name=name,
        entities=[entity],
        schema=[Field(name=entity.join_key, dtype=String), Field(name=FEATURE[name], dtype=Bytes)],
        source=parquet_source(home, name),
    )


def _unpacking(
    name: str, sources: list[FeatureView], unpack: FunctionType, columns: dict[str, FeastType]
) -> OnDemandFeatureView:
    fields = [Field(name=column, dtype=dtype) for column, dtype in columns.items()]
    return OnDemandFeatureView(
        name=name,
        sources=[*sources],
        schema=fields,
        feature_transformation=_Unpacking(unpack, fields),
        mode="python",
    )


class _Unpacking(PythonTransformation):
    """A transformation that knows its columns, where Feast would call it with made-up bytes to find out."""

    def __new__(cls, unpack: FunctionType, fields: list[Field]) -> "_Unpacking":
        return cast(_Unpacking, super().__new__(cls, unpack, inspect.getsource(unpack)))

    def __init__(self, unpack: FunctionType, fields: list[Field]) -> None:
        super().__init__(unpack, inspect.getsource(unpack))
        self._fields = fields

    def infer_features(self, random_input: dict[str, Any], singleton: bool | None = False) -> list[Field]:
        return self._fields


# The registry keeps the source text of these functions, so each brings its own import.


def _unpack_shopper(inputs: dict[str, Any]) -> dict[str, Any]:
    from feature_repo.registry.unpacked import shopper_columns

    return shopper_columns(inputs["shopper_state"])


def _unpack_scenarios(inputs: dict[str, Any]) -> dict[str, Any]:
    from feature_repo.registry.unpacked import scenario_columns

    return scenario_columns(inputs["scenario_views_state"])


def _unpack_catalogue(inputs: dict[str, Any]) -> dict[str, Any]:
    from feature_repo.registry.unpacked import catalogue_columns

    return catalogue_columns(inputs["catalogue_state"])


def _unpack_activity(inputs: dict[str, Any]) -> dict[str, Any]:
    from feature_repo.registry.unpacked import activity_columns

    return activity_columns(inputs["activity_state"], inputs["windows_state"])
