"""A Valkey for tests that need nothing else, as the local stack configures it, and a group of each test's own."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from valkey_server import free_port, running_valkey

from feature_repo.store.row_store import RowStore
from headrace.settings.model import Settings
from infra.local.server import HOST


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the server that these tests share."""
    port = free_port()
    with running_valkey(tmp_path_factory.mktemp("valkey"), port):
        yield f"{HOST}:{port}"


@pytest.fixture
def make_settings(valkey: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Settings]:
    """Settings of this test's own group and home."""
    group = "".join(c if c.isalnum() else "_" for c in request.node.name)[-70:]

    def make(**changes: object) -> Settings:
        return Settings(**{"home": tmp_path, "redis": valkey, "group": group, **changes})

    return make


@pytest_asyncio.fixture
async def store(make_settings: Callable[..., Settings]) -> AsyncIterator[RowStore]:
    opened = await RowStore.open(make_settings())
    yield opened
    await opened.close()
