"""A Kafka for tests that need nothing else."""

import pytest

from streams.testing import Stack


@pytest.fixture(scope="session")
def kafka(headrace_stack: Stack) -> str:
    """Bootstrap servers of the stack that all tests share."""
    return headrace_stack.kafka
