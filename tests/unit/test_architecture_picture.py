"""The picture of the packages is drawn from the code as it is, and nothing imports what stands above it."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_packages", ROOT / "scripts" / "draw_packages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_current(drawing: ModuleType):
    """When this fails: `python scripts/draw_packages.py docs/images/packages.svg`."""
    assert (ROOT / "docs" / "images" / "packages.svg").read_text("utf-8") == drawing.picture()


@pytest.mark.parametrize(("names", "prefix"), [("PACKAGES", ""), ("ROOMS", "streams.")])
def test_no_arrow_runs_up(drawing: ModuleType, names: str, prefix: str):
    listed = getattr(drawing, names)
    up = [
        (listed[arrow.importer], listed[arrow.imported])
        for arrow in drawing.arrows(listed, prefix)
        if arrow.imported < arrow.importer
    ]
    assert up == []
