"""A Kafka for tests that need nothing else."""

import pytest

from infra.local.stack import up
from streams.settings import load_settings


@pytest.fixture(scope="session")
def kafka() -> str:
    """Bootstrap servers of the local stack, started if it does not run."""
    return up(load_settings(), print).kafka
