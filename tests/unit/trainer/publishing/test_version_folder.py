"""A version's folder appears whole or not at all, and what is not whole is not published."""

import resource
import shutil
from pathlib import Path

import pytest

from headrace.errors import ModelError, UsageError
from headrace.settings.model import Settings
from trainer.publishing.publish import publish
from trainer.publishing.version_folder import add_serving_code, check_whole, whole_folder


def written(path: Path, content: bytes = b"weights") -> Path:
    with whole_folder(path) as folder:
        (folder / "arrays.npz").write_bytes(content)
        add_serving_code("headrace", folder)
    return path


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path: Path):
    written(tmp_path / "headrace", b"old")
    (tmp_path / "headrace" / "click.ts").write_bytes(b"of a click head that the new one lacks")
    written(tmp_path / "headrace", b"new")
    assert (tmp_path / "headrace" / "arrays.npz").read_bytes() == b"new"
    assert not (tmp_path / "headrace" / "click.ts").exists()
    assert (tmp_path / "headrace" / "config.pbtxt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["headrace"]


def test_whoever_dies_while_writing_leaves_the_old_one(tmp_path: Path):
    written(tmp_path / "headrace", b"old")
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "headrace") as folder:
        (folder / "arrays.npz").write_bytes(b"half")
        raise KeyboardInterrupt
    check_whole(tmp_path / "headrace")
    assert (tmp_path / "headrace" / "arrays.npz").read_bytes() == b"old"


def test_a_disk_that_refuses_is_one_clear_error_and_the_old_one_stays(tmp_path: Path):
    written(tmp_path / "headrace", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(ModelError, match=r"headrace cannot be written: File too large \(.* MB free there\)"):
            written(tmp_path / "headrace", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    check_whole(tmp_path / "headrace")
    assert [path.name for path in tmp_path.iterdir()] == ["headrace"]


def settings_for(models: Path) -> Settings:
    """A Triton that nobody runs."""
    return Settings(model_repo=models, triton="127.0.0.1:9")  # pyright: ignore[reportCallIssue]


def test_a_folder_that_was_not_written_to_its_end_is_not_published(tmp_path: Path):
    written(tmp_path / "headrace")
    (tmp_path / "headrace" / "manifest.json").unlink()
    with pytest.raises(UsageError, match=r"has no manifest\.json, so it was not written to its end"):
        publish(tmp_path, settings_for(tmp_path / "models"))


@pytest.mark.parametrize("left", [b"", b"weigh"])
def test_a_copy_that_broke_off_is_not_published(tmp_path: Path, left: bytes):
    copy = shutil.copytree(written(tmp_path / "trained" / "headrace").parent, tmp_path / "copy")
    (copy / "headrace" / "arrays.npz").write_bytes(left)
    with pytest.raises(ModelError, match=r"is not published: arrays\.npz has .* bytes, not 7; copy it again"):
        publish(copy, settings_for(tmp_path / "models"))
    assert not (tmp_path / "models").exists()
