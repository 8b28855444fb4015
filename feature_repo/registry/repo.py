"""The Feast repository of one deployment: its configuration, a store to read from, and registration."""

import warnings
from typing import Any

from feast import FeatureStore, RepoConfig
from pydantic import SecretStr

from feature_repo.registry.entities import ITEM, USER
from feature_repo.registry.services import services
from feature_repo.registry.views import views
from headrace.settings.model import Settings


def repo_config(settings: Settings) -> RepoConfig:
    """The project is the group, so that a second group shares nothing; the registry lies under HEADRACE_HOME."""
    registry = settings.home.absolute() / "feast" / "registry.db"
    config = RepoConfig(
        project="headrace",
        provider="local",
        registry=str(registry),
        online_store={
            "type": "feature_repo.store.online_store.HeadraceOnlineStore",
            "connection_string": SecretStr(settings.redis or settings.redis_address),
            "password_file": settings.redis_password_file,
        },
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    )
    # Feast 0.67 refuses a project with a hyphen because SQLite would, whatever the store.
    return config.model_copy(update={"project": settings.group})


def definitions(settings: Settings) -> list[Any]:
    """Entities, views and services, as `FeatureStore.apply` takes them."""
    all_views = views(settings.home)
    return [USER, ITEM, *all_views, *services(all_views)]


def feature_store(settings: Settings) -> FeatureStore:
    """A Feast client of this deployment."""
    (settings.home.absolute() / "feast").mkdir(parents=True, exist_ok=True)
    return FeatureStore(config=repo_config(settings))


def apply(settings: Settings) -> None:
    """Register entities, views and services; once registered, again changes nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "On demand feature view is an experimental feature", RuntimeWarning)
        feature_store(settings).apply(definitions(settings))
