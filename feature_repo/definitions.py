"""What the `feast` command line finds: every definition by a name of its own."""

from feature_repo.registry import repo
from headrace.settings.model import settings

(
    user,
    item,
    shopper,
    scenario_views,
    item_catalogue,
    item_activity,
    item_windows,
    shopper_features,
    scenario_features,
    catalogue_features,
    activity_features,
    recommend,
    ctr,
    demand,
) = repo.definitions(settings())
