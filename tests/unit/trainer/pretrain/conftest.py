"""The two shops, once for all tests of this room."""

import pytest
from two_shops import Two, pretrain_once


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Two:
    """Both shops, and the encoder pre-trained on the first."""
    return pretrain_once(tmp_path_factory.mktemp("two-shops"))
