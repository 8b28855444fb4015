"""What pyproject.toml promises: versions within bounds, constraints as locked, extras that a command names when it
needs one that is not installed."""

import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from headrace_cli.shell.extras import EXTRAS, advice

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKED = {
    (package["name"], package["version"])
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    if package["name"] != PROJECT["name"]
}


@pytest.mark.parametrize("name", ["aiokafka", "faust-streaming"])
def test_what_is_patched_is_bound_to_the_minor_version_that_is_locked(name: str):
    [bounds] = [Requirement(one) for one in PROJECT["dependencies"] if Requirement(one).name == name]
    [locked] = [version for package, version in LOCKED if package == name]
    major, minor = (int(part) for part in locked.split(".")[:2])
    assert bounds.specifier.contains(locked)
    assert not bounds.specifier.contains(f"{major}.{minor + 1}.0")


def test_the_constraints_are_what_is_locked():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {re.match(r"([a-z0-9.-]+)==([^ ;]+)", line) for line in lines}
    assert {match and (match[1], match[2]) for match in pinned} == LOCKED, "run scripts/lock"


def test_every_module_of_an_extra_is_known_and_none_else():
    distributions = packages_distributions()
    for extra, modules in EXTRAS.items():
        wanted = {canonicalize_name(Requirement(one).name) for one in PROJECT["optional-dependencies"][extra]}
        brought = {name: {canonicalize_name(one) for one in distributions[name]} for name in modules}
        assert all(names & wanted for name, names in brought.items() if name != "opentelemetry"), extra
        if extra != "traces":  # one namespace of several packages
            assert wanted <= set().union(*brought.values()), extra


def test_a_module_that_no_extra_brings_is_nobodys_advice():
    assert advice("streams.nothing", ["train"]) is None
    assert advice(None, []) is None


#: Commands, each with arguments that get it as far as what it needs, and the extras it asks for.
COMMANDS = {
    "train --stream FILE --out FOLDER/new": "train",
    "pretrain --stream FILE --out FOLDER/new": "train",
    "search --stream FILE --study FOLDER/new": "train",
    "finetune compare --task sst2": "train",
    "finetune few-shot --train FILE": "train",
    "finetune multitask": "train",
    "evaluate next-item --sequences FILE": "train",
    "evaluate ctr --train FILE --test FILE --label l --user u --item i": "train",
    "evaluate demand --stream FILE --split 2026-01-01": "train",
    "evaluate intent --train FILE": "train",
    "evaluate sentiment --train FILE": "train",
    "evaluate matching FILE FILE FILE": "train",
    "evaluate diversity --stream FILE --model FOLDER": "train",
    "evaluate reasons --stream FILE --model FOLDER": "train",
    "bench road": "train,serve,local,bench",
    "bench model": "train,serve,local,bench",
    "bench scale": "train,serve,local,bench",
    "bench start": "train,serve,local,bench",
    "bench chaos": "train,serve,local,bench",
    "bench outage": "train,serve,local,bench",
    "bench soak": "train,serve,local,bench",
    "bench malformed": "local,serve",
    "up": "local,serve",
}

#: Runs each command as an installation without extras would, and prints exit codes and what was said.
_PLAIN = """
import contextlib, importlib.machinery, io, json, sys
hidden, commands = json.loads(sys.argv[1])
found = importlib.machinery.PathFinder.find_spec
def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in hidden else found(name, path, target)
importlib.machinery.PathFinder.find_spec = find_spec
from headrace_cli import main
done = {}
for command in commands:
    sys.argv = ["headrace", *command.split()]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            done[command] = [end.code, said.getvalue()]
        except Exception as error:
            done[command] = [repr(error), said.getvalue()]
print(json.dumps(done))
"""


def test_every_command_that_needs_an_extra_says_which_in_one_line(tmp_path: Path):
    hidden = sorted(set().union(*EXTRAS.values()) - {"psutil"})  # which Feast brings, too
    there = {command: command.replace("FILE", __file__).replace("FOLDER", str(tmp_path)) for command in COMMANDS}
    done = subprocess.run(
        [sys.executable, "-c", _PLAIN, json.dumps([hidden, list(there.values())])],
        env={"HEADRACE_HOME": str(tmp_path), "HEADRACE_PORT_OFFSET": "23000", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    output = json.loads(done.stdout.splitlines()[-1])
    for command, extra in COMMANDS.items():
        code, line = output[there[command]]
        assert code == 1, (command, code, line)
        assert f"pip install 'headrace[{extra}]'" in line, (command, line)
        assert line.count("\n") == 1, (command, line)


def test_bench_says_in_one_line_where_its_measurements_are(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", _PLAIN, json.dumps([["benchmarks"], ["bench road", "bench chaos", "bench"]])],
        env={"HEADRACE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    output = json.loads(done.stdout.splitlines()[-1])
    line = "headrace: the measurements are not installed: run `headrace bench` in a checkout of the project\n"
    assert output["bench road"] == output["bench chaos"] == [2, line]
    assert line not in output["bench"][1]  # which lists what there is


def test_no_two_test_files_have_one_name():
    """Without packages, pytest imports a test file by its name alone and refuses the second of one name."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []
