"""A disk that fills costs the new file, never the old one."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from headrace.errors import ModelError
from trainer.training_loop.checkpoint import load_state, save_state
from trainer.training_loop.complete import write_whole


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel refuses to let a file of this process grow past `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_half_way_keeps_the_checkpoint_before(tmp_path: Path):
    path = tmp_path / "fit.ckpt"
    save_state(path, {"weights": torch.ones(3)})
    with (
        largest_file(20_000),
        pytest.raises(ModelError, match=r"fit\.ckpt cannot be written: File too large \(.* free"),
    ):
        save_state(path, {"weights": torch.ones(100_000)})
    assert torch.equal(load_state(path)["weights"], torch.ones(3))
    assert [p.name for p in tmp_path.iterdir()] == ["fit.ckpt"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_clear_error_and_the_checkpoint_before_loads(small_disk: Path):
    path = small_disk / "fit.ckpt"
    save_state(path, {"weights": torch.ones(50_000)})
    with pytest.raises(ModelError, match=r"No space left on device \(.* MB free there\)"):
        save_state(path, {"weights": torch.zeros(250_000)})
    assert torch.equal(load_state(path)["weights"], torch.ones(50_000))


def test_what_a_dead_process_left_half_written_is_in_nobodys_way(tmp_path: Path):
    (tmp_path / "card.md.partial").write_text("half of")
    write_whole(tmp_path / "card.md", b"whole")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("card.md", b"whole")]
