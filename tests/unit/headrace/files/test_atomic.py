"""No command destroys what it cannot replace: a file is the old one or the new one, whatever happens meanwhile."""

import fcntl
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka.consumer.fetcher import ConsumerRecord
from typer.testing import CliRunner

from headrace.errors import StackError, UsageError
from headrace.files.atomic import atomic_folder, output_file
from headrace.recording.reading import Record, read_recording
from headrace.recording.writing import RecordingWriter
from headrace_cli import app
from streams.recordings.traffic.capture import capture
from streams.scenarios.anomaly.files import score_file


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel refuses to let a file of this process grow past `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A file that somebody needs."""
    path = tmp_path / "out.jsonl"
    path.write_text("what was here before\n")
    return path


def unharmed(path: Path) -> bool:
    """It holds what it held, and nothing lies beside it."""
    return path.read_text() == "what was here before\n" and [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("failure", [UsageError("bad input"), KeyboardInterrupt(), SystemExit(1)])
def test_a_block_that_fails_leaves_the_file_as_it_was(before: Path, failure: BaseException):
    with pytest.raises(type(failure)), output_file(before) as file:
        file.write(b"half")
        raise failure
    assert unharmed(before)


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_full_disk_leaves_the_recording_as_it_was_and_is_one_line(tmp_path: Path, suffix: str):
    path = tmp_path / f"s.jsonl{suffix}"
    with RecordingWriter(path) as writer:
        writer.write(Record("events", "k", 1, b'{"kept": true}'))
    kept = path.read_bytes()
    with (
        largest_file(10_000),
        pytest.raises(UsageError, match=r"cannot write .*s\.jsonl.*: File too large"),
        RecordingWriter(path) as writer,
    ):
        for n in range(2_000):
            writer.write(Record("events", str(n), n, os.urandom(60)))
    assert path.read_bytes() == kept
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_is_not_there_and_a_folder_in_the_files_place_are_one_line(tmp_path: Path):
    for path in (tmp_path / "none" / "out", tmp_path):
        with pytest.raises(UsageError, match=f"cannot write {path}: (No such file|Is a directory)"), output_file(path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_be_written_to_the_place_it_is_read_from(tmp_path: Path):
    lines = "timestamp,value\n" + "".join(f"{n},1\n" for n in range(20))
    path, link, hard = tmp_path / "x.csv", tmp_path / "link.csv", tmp_path / "hard.csv"
    for source, target in ((path, path), (path, link), (link, path), (path, hard)):
        for old in (link, hard):
            old.unlink(missing_ok=True)
        path.write_text(lines)
        link.symlink_to(path.name)
        os.link(path, hard)
        assert score_file(source, target, lambda *_: None).rows == 20
        assert target.read_text().startswith("timestamp,value,anomaly_score\n0,1,0\n")
        assert link.is_symlink()


def test_a_score_that_fails_leaves_its_input_and_its_output_as_they_were(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text("timestamp,value\n1,1\n2,many\n")
    arguments = ["demand", "score", "--input", str(path), "--output", str(path)]
    assert isinstance(CliRunner().invoke(app, arguments).exception, UsageError)
    assert path.read_text() == "timestamp,value\n1,1\n2,many\n"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_who_may_read_a_file_may_read_the_one_that_takes_its_place(before: Path):
    before.chmod(0o640)
    with output_file(before) as file:
        file.write(b"new")
    assert before.stat().st_mode & 0o777 == 0o640


def test_a_pipe_and_standard_output_are_written_to_as_they_come(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    with output_file(pipe) as file:
        file.write(b"through")
    assert reader.communicate(timeout=60)[0] == b"through"
    assert pipe.is_fifo()
    with output_file(Path("/dev/null")) as file:
        file.write(b"away")
    assert Path("/dev/null").is_char_device()
    appended = tmp_path / "log"
    appended.write_text("before\n")
    code = "from pathlib import Path\nfrom headrace.files.atomic import output_file\n"
    code += "with output_file(Path('/dev/stdout')) as file: file.write(b'after\\n')"
    with appended.open("a") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert appended.read_text() == "before\nafter\n"


def test_a_file_that_another_process_is_writing_is_left_to_it(before: Path):
    with (before.with_name("out.jsonl.partial")).open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another process is writing it"), output_file(before):
            pass
    with output_file(before) as file:  # it died
        file.write(b"new")
    assert before.read_bytes() == b"new"
    assert [p.name for p in before.parent.iterdir()] == ["out.jsonl"]


def test_ctrl_c_half_way_leaves_the_recording_and_the_truth_of_a_simulation(tmp_path: Path):
    out = tmp_path / "shop.jsonl"
    for path in (out, tmp_path / "shop.jsonl.truth.json"):
        path.write_text("what was here before\n")
    code = (
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from headrace.recording.writing import RecordingWriter\n"
        "from headrace_cli import main\n"
        "plain, told = RecordingWriter.write, []\n"
        "def write(self, record, **more):\n"
        "    plain(self, record, **more)\n"
        "    told.append(1)\n"
        "    if len(told) == 60:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "RecordingWriter.write = write\n"
        "main()"
    )
    shape = ("--users", "20", "--items", "40", "--days", "2", "--anomalies", "1")
    done = subprocess.run(
        [sys.executable, "-c", code, "simulate", "--out", out, *shape], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == dict.fromkeys(
        ("shop.jsonl", "shop.jsonl.truth.json"), "what was here before\n"
    )


def consumed(n: int) -> ConsumerRecord:
    fields = dict.fromkeys(ConsumerRecord._fields)
    return ConsumerRecord(**fields | {"topic": "events", "timestamp": n, "value": b"{}", "headers": []})


def test_what_was_recorded_before_kafka_went_away_is_kept(tmp_path: Path):
    def records() -> Iterator[ConsumerRecord]:
        yield consumed(2)
        yield consumed(1)
        raise StackError("Kafka at 127.0.0.1:1: gone")

    out = tmp_path / "out.jsonl"
    with pytest.raises(StackError, match=r"gone\. The 2 records that came before are in .*out\.jsonl"):
        capture(records(), out)
    assert [record.timestamp for record in read_recording(out)] == [1, 2]


def test_a_recording_that_never_began_leaves_the_one_before(before: Path):
    def records() -> Iterator[ConsumerRecord]:
        raise StackError("Kafka at 127.0.0.1:1: gone")
        yield

    with pytest.raises(StackError, match=r"gone$"):
        capture(records(), before)
    assert unharmed(before)


def test_a_folder_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path):
    folder = tmp_path / "model"
    with atomic_folder(folder) as new:
        (new / "weights").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_folder(folder) as new:
        (new / "weights").write_text("half")
        raise KeyboardInterrupt
    assert (folder / "weights").read_text() == "old"
    folder.rename(tmp_path / "model.before")  # as a process leaves it that dies between the two renames
    with pytest.raises(KeyboardInterrupt), atomic_folder(folder):
        raise KeyboardInterrupt
    assert (folder / "weights").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
