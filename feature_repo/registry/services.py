"""Feast feature services: the features that each use reads together."""

from feast import FeatureService

from feature_repo.registry.views import Views


def services(views: Views) -> list[FeatureService]:
    """One service a scenario."""
    return [
        FeatureService(
            name="recommend",
            features=[views.shopper_features],
            description="What a recommendation is made from; the catalogue is held by the worker.",
        ),
        FeatureService(
            name="ctr",
            features=[views.shopper_features, views.catalogue_features],
            description="What a click probability is made from: shopper, item.",
        ),
        FeatureService(
            name="demand",
            features=[views.activity_features, views.catalogue_features],
            description="What forecasts and alerts of an item are made from.",
        ),
    ]
