"""What the tests of this folder share: a secured stack, and a Kafka whose topics may go and logs be compacted."""

from collections.abc import Iterator

import pytest

from headrace.settings.model import Settings, load_settings
from infra.local.stack import down, up
from streams.testing import Stack
from tests.integration.field.secured_stack import secured_stack

__all__ = ["own_settings", "secured_stack"]


@pytest.fixture(scope="module")
def own_settings(headrace_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Of a stack whose Kafka is its own; the store and the model's server are those of all tests."""
    own = {"home": tmp_path_factory.mktemp("own") / "home", "port_offset": load_settings().port_offset + 1_900}
    elsewhere = {"kafka": None, "redis": headrace_stack.redis, "triton": headrace_stack.triton}
    settings = load_settings().model_copy(update={**own, **elsewhere})
    up(settings, lambda _: None)
    yield settings
    down(settings, lambda _: None)
