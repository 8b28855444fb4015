"""A model that costs nothing: with it in its place the pipeline is measured, not the model."""

import shutil
from pathlib import Path

from headrace.arrays import DEMAND_MODEL, MODEL
from trainer.publishing.version_folder import whole_folder

_HERE = Path(__file__).parent
_KEPT = ("arrays.npz", "meta.json", "config.pbtxt")


def make_null(trained: Path, out: Path) -> None:
    """Write to `out` a folder that publishes like `trained`, knows the same items, and answers with the same list."""
    for model, code in ((MODEL, "shopper.py"), (DEMAND_MODEL, "demand.py")):
        if not (trained / model).exists():
            continue  # of so little that no demand model was trained
        with whole_folder(out / model) as folder:
            for name in _KEPT:
                if (trained / model / name).exists():
                    shutil.copyfile(trained / model / name, folder / name)
            shutil.copyfile(_HERE / code, folder / "model.py")
