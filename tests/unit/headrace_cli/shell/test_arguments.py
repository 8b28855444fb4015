"""Options are checked while the command line is read: before a stream is, and before torch is there."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest
import typer
from typer.models import ArgumentInfo, OptionInfo

from headrace.errors import UsageError
from headrace_cli import app
from headrace_cli.shell import arguments

OPTION: Any = SimpleNamespace(opts=["-o", "--out"], metavar=None)
ARGUMENT: Any = SimpleNamespace(opts=["file"], metavar=None)


def functions(group: typer.Typer = app) -> Iterator[Callable[..., Any]]:
    """What stands behind every command."""
    yield from (command.callback for command in group.registered_commands if command.callback is not None)
    for below in group.registered_groups:
        if below.typer_instance is not None:
            yield from functions(below.typer_instance)


def options() -> Iterator[tuple[str, str, Any, Any]]:
    """Function, name, type and what typer is told of it, of every option and argument."""
    for function in functions():
        for name, hint in get_type_hints(function, include_extras=True).items():
            option = [each for each in get_args(hint)[1:] if isinstance(each, OptionInfo | ArgumentInfo)]
            if option:
                yield function.__name__, name, get_args(hint)[0], option[0]


def test_every_option_that_is_a_path_and_every_device_is_checked():
    wanted = [each for each in options() if Path in {each[2], *get_args(each[2])} or each[1] == "device"]
    assert [(function, name) for function, name, _, option in wanted if option.callback is None] == []
    assert len(wanted) > 40


def test_every_seed_is_one_that_numpy_takes():
    seeds = [(option.min, option.max) for _, name, _, option in options() if name == "seed"]
    assert len(seeds) > 10
    assert set(seeds) == {(0, 2**32 - 1)}


# One after the other in one process: none may bring torch in, nor read the stream, which is a pipe without a writer.
PROGRAM = """
import sys
from headrace_cli import app
from headrace_cli.shell.command_line import run
for line in sys.stdin:
    words = line.rstrip("\\n").split("\\t")
    try:
        run(app, words)
    except SystemExit as ended:
        assert ended.code == 2, (words, ended.code)
assert "torch" not in sys.modules
"""


def test_what_is_wrong_is_said_before_torch_is_loaded_or_a_stream_is_read(tmp_path: Path):
    stream, here, file = tmp_path / "stream.jsonl", tmp_path / "new", tmp_path / "file"
    os.mkfifo(stream)
    file.write_text("a file\n")
    beneath = file / "model"
    cases = [
        (f"train --stream {stream} --out {beneath}", f"--out: cannot write {beneath}: Not a directory"),
        (f"train --stream {stream} --out {file}", f"--out: cannot write {file}: Not a directory"),
        (f"train --stream {tmp_path}/none --out {here}", f"--stream: cannot read {tmp_path}/none: No such file"),
        (f"train --stream {tmp_path} --out {here}", f"--stream: cannot read {tmp_path}: Is a directory"),
        (f"train --stream {stream} --out {here} --seed x", "Invalid value for '--seed'"),
        (f"train --stream {stream} --out {here} --seed -1", "Invalid value for '--seed'"),
        (f"train --stream {stream} --out {here} --device gpu", "--device gpu: it must be auto, cpu or cuda"),
        (f"train --stream {stream} --out {here} --pretrained {here}", f"--pretrained: cannot read {here}: No such"),
        (f"train --stream {stream} --out {here} --settings {here}", f"--settings: cannot read {here}: No such"),
        (f"pretrain --stream {stream} --out {tmp_path}", f"--out: cannot write {tmp_path}: Is a directory"),
        (f"search --stream {stream} --study {beneath}", f"--study: cannot write {beneath}: Not a directory"),
        (f"publish {here}", f"DIRECTORY: cannot read {here}: No such file"),
        (f"publish {file}", f"DIRECTORY: cannot read {file}: Not a directory"),
        (f"evaluate demand --stream {stream} --split 2026-01-01 --window 1x", "--window '1x': it must be a duration"),
        (f"evaluate next-item --sequences {here}", f"--sequences: cannot read {here}: No such file"),
        (f"evaluate next-item --sequences {file} --device tpu", "--device tpu: it must be"),
        (f"evaluate matching {file} {file} {here}", f"PAIRS: cannot read {here}: No such file"),
        (f"evaluate intent --train {file} --method lori", "--method lori: it must be one of full, lora"),
        (f"finetune compare --train {file} --methods full,lori", "--method lori: it must be one of full, lora"),
        (f"finetune few-shot --train {file} --out {tmp_path}", f"--out {tmp_path}: it exists; name a new folder"),
        (f"features fold --stream {stream} --out {here}/deeper", f"--out: cannot write {here}/deeper: No such file"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input="".join("\t".join(words.split()) + "\n" for words, _ in cases),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(cases)
    for line, (_, option) in zip(lines, cases, strict=True):
        assert line.startswith("headrace: ")
        assert option in line


def test_a_pipe_and_standard_output_may_be_named_where_a_file_is_asked_for(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/stdout"), Path("/dev/null")):
        assert arguments.new_file(OPTION, path) == path
    for path in (pipe, Path("/dev/null"), Path("/dev/stdin")):
        assert arguments.readable_file(ARGUMENT, path) == path
    with pytest.raises(UsageError, match="Not a directory"):
        arguments.new_folder(OPTION, pipe)


def test_checking_makes_nothing_and_an_option_left_out_is_nothing_to_check(tmp_path: Path):
    deep = tmp_path / "a" / "b"
    assert arguments.new_folder(OPTION, deep) == arguments.new_file_and_folders(OPTION, deep) == deep
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="No such file"):
        arguments.readable_files(OPTION, [Path("/dev/null"), deep])
    for check in (arguments.readable_file, arguments.readable_folder, arguments.new_file, arguments.new_folder):
        assert check(OPTION, None) is None


def test_a_link_is_followed_to_where_the_file_will_lie(tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "none" / "file")
    with pytest.raises(UsageError, match=f"--out: cannot write {link}: No such file or directory"):
        arguments.new_file(OPTION, link)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_that_is_closed_to_writing_is_named(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        arguments.new_file(OPTION, closed / "file")
