"""Every benchmark can be started: most are commands that nothing else imports."""

import importlib
import pkgutil

import pytest

import benchmarks

ELSEWHERE = ("benchmarks.race.null_model.", "benchmarks.race.contestants.")
"""Run inside Triton, or begin to work as soon as they are imported: the race starts all of them."""
MODULES = [
    module.name
    for module in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")
    if not module.name.startswith(ELSEWHERE)
]


@pytest.mark.parametrize("name", MODULES)
def test_it_finds_all_that_it_needs(name: str):
    importlib.import_module(name)
