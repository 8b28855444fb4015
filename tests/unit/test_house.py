"""Imports go one way, in what is written (import-linter) and in what is loaded; the public face is what it says."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import headrace

ROOT = Path(__file__).parents[2]

#: From the top down. A room loads nothing of those before it.
PACKAGES = ["headrace_cli", "benchmarks", "trainer", "streams", "infra", "feature_repo", "headrace"]
ROOMS = [
    "demo",
    "testing",
    "app",
    "application",
    "scenarios pipeline",
    "serving",
    "operations",
    "recordings",
    "kafka",
    "scheduler",
]

#: Loads every module of each package in a process of its own, and prints the project's modules that are there then.
_LOADED = """
import importlib, json, os, pkgutil, sys
# Once, in the process that all others begin as: most of the time goes here.
import aiokafka, faust, feast, grpc, kafka, matplotlib.pyplot, optuna, peft, pydantic_settings, sklearn.linear_model
import statsforecast.models, torch, transformers, typer
asked, house, left_out = json.loads(sys.argv[1])

def is_of_project(name):
    return name.partition(".")[0] in house

def load(name):
    found = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(found, "__path__", []), name + "."):
        if not module.name.endswith("__main__") and not module.name.startswith(tuple(left_out)):
            importlib.import_module(module.name)
    return sorted(filter(is_of_project, sys.modules))

assert not list(filter(is_of_project, sys.modules))
for name in asked:
    reading, writing = os.pipe()
    if os.fork() == 0:
        with open(writing, "w") as pipe:
            json.dump(load(name), pipe)
        os._exit(0)
    os.close(writing)
    print(name, open(reading).read(), sep="\\t")
    os.wait()
"""
#: Begin to work as soon as they are imported: they are programs of their own.
PROGRAMS = ["benchmarks.race.contestants.", "benchmarks.race.null_model."]


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """By package or room of `streams`, all modules of the project that are there when every module of it is loaded."""
    rooms = [f"streams.{room}" for names in ROOMS for room in names.split()]
    requested = [json.dumps([PACKAGES + rooms, [*PACKAGES, "model_repo"], PROGRAMS])]
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *requested], cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = dict(line.split("\t") for line in done.stdout.splitlines() if "\t" in line)
    assert set(lines) == {*PACKAGES, *rooms} and all(lines.values()), done.stderr
    return {name: set(json.loads(modules)) for name, modules in lines.items()}


def of_rooms(modules: set[str], rooms: list[str]) -> list[str]:
    return sorted(module for module in modules if any(f"{module}.".startswith(f"{room}.") for room in rooms))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_none_above_it(package: str, loaded: dict[str, set[str]]):
    assert of_rooms(loaded[package], [package]) != []
    assert of_rooms(loaded[package], PACKAGES[: PACKAGES.index(package)]) == []


@pytest.mark.parametrize("floor", range(len(ROOMS)), ids=ROOMS)
def test_a_room_of_streams_imports_none_above_it_and_none_beside_it(floor: int, loaded: dict[str, set[str]]):
    above = [f"streams.{room}" for names in ROOMS[:floor] for room in names.split()]
    for room in ROOMS[floor].split():
        beside = [f"streams.{other}" for other in ROOMS[floor].split() if other != room]
        assert of_rooms(loaded[f"streams.{room}"], [*above, *beside]) == [], room


def test_models_on_triton_import_nothing_of_the_project():
    script = (
        "import importlib, pathlib, sys\n"
        "for path in pathlib.Path('model_repo/headrace').glob('*.py'):\n"
        "    path.stem == 'model' or importlib.import_module(f'model_repo.headrace.{path.stem}')\n"
        f"print([name for name in sys.modules if name.partition('.')[0] in {PACKAGES}])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_room_of_streams_has_its_floor():
    rooms = {path.name for path in (ROOT / "streams").iterdir() if (path / "__init__.py").is_file()}
    assert rooms | {"app"} == {room for names in ROOMS for room in names.split()}


def test_the_contracts_of_imports_are_kept():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_importing_headrace_brings_neither_its_messages_nor_what_they_need():
    script = "import sys, headrace; print([name for name in ('numpy', 'pydantic', 'msgspec') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_no_other_is_promised():
    assert headrace.__all__ == sorted(headrace.__all__)
    assert all(getattr(headrace, name) is not None for name in headrace.__all__)
    assert dir(headrace) == headrace.__all__
    assert set(headrace.__all__) - {"__version__"} == set(headrace._MODULE_OF)  # pyright: ignore[reportPrivateUsage]


def test_a_name_that_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = headrace.nothing


def test_the_version_is_the_installed_one_and_types_are_published():
    assert headrace.__version__ == version("headrace")
    assert (ROOT / "headrace" / "py.typed").is_file()
