"""Feast's Redis store with the workers' fences: same keys, same fields, another rule for who may write."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

import redis
import redis.asyncio
from feast import FeatureView, RepoConfig
from feast.infra.online_stores.helpers import _mmh3, _redis_key  # pyright: ignore[reportPrivateUsage]
from feast.infra.online_stores.redis import RedisClient, RedisOnlineStore, RedisOnlineStoreConfig, RedisType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.utils import make_tzaware
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import SecretStr

from feature_repo.store.layout import time_field
from feature_repo.store.row_script import WRITE, Change, serialise_changes, serialise_some
from headrace.connections.redis import RedisConnection, redis_connection
from headrace.errors import FencedOut
from headrace.settings.model import load_settings

Row = tuple[EntityKey, dict[str, Value], datetime, datetime | None]


class HeadraceOnlineStoreConfig(RedisOnlineStoreConfig):
    """Options of Feast's Redis store; Feast finds this class by the name of the store's."""

    type: Literal["feature_repo.store.online_store.HeadraceOnlineStore"] = (  # pyright: ignore[reportIncompatibleVariableOverride]
        "feature_repo.store.online_store.HeadraceOnlineStore"
    )
    # Its rows are written by scripts over many keys, which one server holds.
    redis_type: Literal[RedisType.redis] = RedisType.redis  # pyright: ignore[reportIncompatibleVariableOverride]
    client: Literal[RedisClient.redis] = RedisClient.redis  # pyright: ignore[reportIncompatibleVariableOverride]
    # As HEADRACE_REDIS, which stands in where it is not set. A secret: Feast prints its configuration.
    connection_string: SecretStr | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    password_file: Path | None = None

    def connection(self) -> RedisConnection:
        """How the server is reached.

        Raises:
            SettingsError: naming what is wrong with the address, or with a file.
        """
        if self.connection_string is None:
            return load_settings().redis_connection
        return redis_connection(self.connection_string.get_secret_value(), self.password_file)


class HeadraceOnlineStore(RedisOnlineStore):
    """Reads like Feast's store. Writes what it is given, late or not, unless a worker owns the row.

    Feast skips a row whose event time is not newer than the stored one, so late events would vanish. Here the fence
    alone decides: `push` and `materialize` fill rows that no worker has written, and are refused on the others,
    because a state that moves without its fence would be folded wrongly from then on.
    """

    def _get_client(self, online_store_config: RedisOnlineStoreConfig) -> Any:
        """Reach the server as workers do, whose settings say more than Feast's connection string can."""
        if not self._client:
            self._client = redis.Redis(**cast(HeadraceOnlineStoreConfig, online_store_config).connection().options())
        return self._client

    async def _get_client_async(self, online_store_config: RedisOnlineStoreConfig) -> Any:
        if not self._client_async:
            options = cast(HeadraceOnlineStoreConfig, online_store_config).connection().options()
            self._client_async = redis.asyncio.Redis(**options)
        return self._client_async

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write all rows in one call, or none.

        Raises:
            FencedOut: a worker owns one of them.
        """
        if not data:
            return
        client = self._get_client(cast(RedisOnlineStoreConfig, config.online_store))
        refused = client.eval(WRITE, len(data), *_arguments(config, table, data))
        _check(data, refused)
        if progress:
            progress(len(data))

    async def online_write_batch_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """`online_write_batch` without blocking the event loop."""
        if not data:
            return
        client = await self._get_client_async(cast(RedisOnlineStoreConfig, config.online_store))
        refused = await client.eval(WRITE, len(data), *_arguments(config, table, data))  # pyright: ignore[reportGeneralTypeIssues]
        _check(data, refused)
        if progress:
            progress(len(data))


def _arguments(config: RepoConfig, table: FeatureView, data: Sequence[Row]) -> list[bytes]:
    """The write script's keys and arguments."""
    features = [feature.name for feature in table.features]
    names = [n for f in features for n in (_mmh3(f"{table.name}:{f}"), time_field(table.name))]
    version = config.entity_key_serialization_version
    keys = [_redis_key(config.project, key, version) for key, *_ in data]
    changes = [
        Change(
            expected=b"",
            fence=b"",
            seen=b"",
            time=_timestamp(time),
            fields=[(features.index(name), b"", value.SerializeToString()) for name, value in values.items()],
        )
        for _, values, time, _ in data
    ]
    return [*keys, serialise_changes(serialise_some(changes)), *names]


def _timestamp(time: datetime) -> bytes:
    timestamp = Timestamp()
    timestamp.FromDatetime(make_tzaware(time))
    return timestamp.SerializeToString()


def _check(data: Sequence[Row], refused: Any) -> None:
    if refused:
        key = data[refused - 1][0].entity_values[0].string_val
        raise FencedOut(f"A worker owns the row of {key!r}: Feast may only fill rows that no worker has written.")
