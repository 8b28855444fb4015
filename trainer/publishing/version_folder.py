"""A version's folder: it stands alone, and appears whole or not at all."""

import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from headrace.errors import ModelError, UsageError
from headrace.files.atomic import atomic_folder
from trainer.training_loop.complete import cannot_write

_MANIFEST: Final = "manifest.json"
#: What Triton gets for each model: written here once, copied into every trained folder.
_SERVING: Final = Path(__file__).parents[2] / "model_repo"


@contextmanager
def whole_folder(path: Path) -> Generator[Path]:
    """A folder to fill; at the block's end it takes the place of `path`, with a manifest of its files.

    Raises:
        ModelError: the disk refuses; what `path` held before is kept.
    """
    try:
        with atomic_folder(path) as folder:
            yield folder
            _seal(folder)
    except OSError as error:
        raise cannot_write(path, error) from error


def check_whole(folder: Path) -> None:
    """Refuse a folder that was not written or copied to its end.

    Raises:
        UsageError: it has no manifest.
        ModelError: a file of it is missing or of another size.
    """
    manifest = folder / _MANIFEST
    if not manifest.exists():
        raise UsageError(f"{folder} has no {_MANIFEST}, so it was not written to its end; train again")
    sizes: dict[str, int] = json.loads(manifest.read_text("utf-8"))
    for name, size in sizes.items():
        path = folder / name
        found = path.stat().st_size if path.exists() else None
        if found != size:
            raise ModelError(
                f"{folder} is not published: {name} has {found or 'no'} bytes, not {size}; copy it again or train again"
            )


def add_serving_code(model: str, folder: Path) -> None:
    """Put Triton's configuration and code of a model beside what was exported."""
    for source in (_SERVING / model).iterdir():
        if source.suffix in {".py", ".pbtxt"} and source.name != "__init__.py":
            shutil.copyfile(source, folder / source.name)


def _seal(folder: Path) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    # An operator may edit the configuration: what it says is Triton's to check.
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in files if path.suffix != ".pbtxt"}
    (folder / _MANIFEST).write_text(json.dumps(sizes, indent=2) + "\n", "utf-8")
