"""Where the tests' own stack lives, apart from any stack of the user's and made anew for each run, and Hypothesis."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from headrace.settings.model import settings
from tests.trained_shop import trained_shop

__all__ = ["trained_shop"]

# One for each process where tests run side by side.
HOME = Path(__file__).parents[1] / ".headrace" / f"tests{os.environ.get('PYTEST_XDIST_WORKER', '')}"

# A stack that is named by the environment is used as it is; else the tests bring their own.
os.environ.setdefault("HEADRACE_PORT_OFFSET", "2000")
if "HEADRACE_HOME" not in os.environ:
    os.environ["HEADRACE_HOME"] = str(HOME)
    if not [path for path in (HOME / "run").glob("*") if path.suffix != ".lock"]:  # nothing of it runs
        shutil.rmtree(HOME, ignore_errors=True)


# The same examples each time, and no judgement by the clock of a machine that has other things to do.
hypothesis.settings.register_profile(
    "headrace", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("headrace")


@pytest.fixture(autouse=True)
def settings_of_the_test() -> Generator[None]:
    """What one test puts into the environment is read by it, and forgotten with it."""
    settings.cache_clear()
    yield
    settings.cache_clear()
