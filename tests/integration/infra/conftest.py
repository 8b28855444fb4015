"""One local stack for the tests of this folder, on ports and in a HOME of its own."""

from collections.abc import Iterator

import pytest
from local_servers import ECHO, add_model, local_settings, quiet

from headrace.settings.model import Settings
from infra.local.stack import down, up


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A running stack with one model that works and one that does not."""
    settings = local_settings(tmp_path_factory.mktemp("stack") / "home")
    add_model(settings.models, "echo", ECHO)
    add_model(settings.models, "broken", "raise RuntimeError('as a bad version would')")
    up(settings, quiet)
    try:
        yield settings
    finally:
        down(settings, quiet)
