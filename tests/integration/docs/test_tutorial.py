"""The tutorial prints what its commands print: they are run here, and what comes out has the shape that stands there.

On the servers that all tests share, with the model that they train once: what starts, trains, publishes and stops has
tests of its own. Every command of the page is run, or named here with the reason for which it is not.
"""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import pytest

from streams.testing import Stack, raw
from streams.testing.client import Client
from streams.testing.worker import Worker
from tests.integration.docs.pages import Command, blocks, commands
from tests.trained_shop import TrainedShop

PAGE = "docs/tutorial/first-recommendation.md"
NOT_RUN = {
    "scripts/bootstrap": "the tests run in what it makes",
    ". .venv/bin/activate": "the same",
    "headrace up": "the servers are shared; tests/integration/infra starts some",
    "headrace down": "the same",
    "headrace status": "the same",
    "headrace train --stream shop.jsonl --out model": "trained once for all tests: its words are compared",
    "headrace publish model": "the same",
    "headrace worker --processes 1": "started for all commands below it",
    "node read.mjs": "needs Node.js and a package of npm",
}


class Reader:
    """Someone who types what stands on the page."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder, self._environment = folder, environment
        self.typed: list[str] = []

    def run(self, command: Command, exit_code: int = 0) -> str:
        """What a command writes, wherever it writes it."""
        self.typed.append(command.line)
        done = subprocess.run(
            ["bash", "-c", command.line],
            cwd=self.folder,
            env={**os.environ, **self._environment, "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == exit_code, f"{command.line}: {done.returncode}\n{done.stdout}"
        return done.stdout


@pytest.fixture
def reader(headrace_stack: Stack, headrace_group: str, tmp_path: Path) -> Reader:
    bin_ = Path(sys.executable).parent
    return Reader(tmp_path, {**headrace_stack.environment(headrace_group), "PATH": f"{bin_}:{os.environ['PATH']}"})


@pytest.fixture
def no_mug_is_left(headrace_client: Client) -> Generator[None]:
    yield
    headrace_client.replay([raw("items", "enamel-mug", None)])


def of_page(begin: str, number: int = 0) -> Command:
    """The page's command that begins so."""
    return [command for command in commands(PAGE) if command.line.startswith(begin)][number]


def shape(text: str) -> list[str]:
    """Lines without what differs from run to run: figures, and how a terminal is filled."""
    lines = (re.sub(r"\d[\d.,]*", "#", " ".join(line.split())) for line in text.splitlines())
    return [line for line in lines if line and "━" not in line and line != "…"]


def keys(value: object) -> Iterator[str]:
    """Every name in a JSON value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def keys_on_page(output: str) -> set[str]:
    """Every name in the JSON that the page shows, some of which it leaves out."""
    return set(re.findall(r'"([\w.]+)":', output))


def checks_of(text: str) -> list[tuple[str, str]]:
    """Status and name of each check that `validate` prints."""
    return re.findall(r"^ (PASS|WARN|FAIL)  (.+?)  ", text, re.MULTILINE)


def test_every_command_of_the_page_is_run_or_named():
    run = re.compile(r"headrace (simulate|validate|replay|tail|features user ann)|python produce\.py")
    lines = [command.line for command in commands(PAGE)]
    assert [line for line in lines if line not in NOT_RUN and not run.match(line)] == []
    assert NOT_RUN.keys() <= set(lines)


def test_making_a_shop(reader: Reader, trained_shop: TrainedShop):
    simulate, validate = of_page("headrace simulate"), of_page("headrace validate")
    output = " ".join(shape(reader.run(simulate)))
    assert " ".join(shape(simulate.output)) in output
    # The sentences of a check are wrapped as the terminal is wide: its status and its name are not.
    checks, found = checks_of(validate.output), checks_of(reader.run(validate))
    assert checks and [check for check in checks if check not in found] == []
    trained, published = of_page("headrace train"), of_page("headrace publish")
    model = str(trained_shop.model)
    assert shape(trained.output)[-1:] == shape(trained_shop.output[0].replace(model, "model"))[-1:]
    assert shape(published.output) == shape(trained_shop.output[1])


def test_from_a_worker_to_a_dead_letter(
    reader: Reader, headrace_stack: Stack, headrace_group: str, trained_shop: TrainedShop, no_mug_is_left: None
):
    (reader.folder / "shop.jsonl").write_bytes(gzip.decompress(trained_shop.recording.read_bytes()))
    produce, confluent, requests = blocks(PAGE, "python")
    worker = Worker(headrace_stack.environment(headrace_group), reader.folder / "worker.log")
    try:
        assert of_page("headrace worker").output.startswith("headrace worker ready, metrics on port ")
        replay = of_page("headrace replay")
        assert shape(reader.run(replay)) == shape(replay.output)
        write_program(reader, headrace_stack, produce)
        assert reader.run(of_page("python produce.py")) == ""
        answered = the_recommendation(reader)
        the_features(reader)
        # A repeat is not answered again.
        reader.run(of_page("python produce.py"))
        head = produce[: produce.index("from kafka import")]
        write_program(reader, headrace_stack, head + "now = time.time_ns() // 1_000_000\n" + confluent + requests)
        reader.run(Command("python produce.py", ""))
        the_scores(reader)
        the_dead_letter(reader)
        assert len(json_lines(reader.run(of_page("headrace tail recommendations")))) == answered
    finally:
        assert worker.stop() == 0


def write_program(reader: Reader, stack: Stack, code: str) -> None:
    """As the page says: the address that `up` printed, wherever its own stands."""
    (reader.folder / "produce.py").write_text(code.replace("127.0.0.1:19092", stack.kafka), "utf-8")


def json_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def the_recommendation(reader: Reader) -> int:
    """How often it is there: topics that are used again hold those of earlier runs."""
    tail = of_page("headrace tail recommendations")
    *earlier, answer = json_lines(reader.run(tail))
    assert set(keys(answer)) == keys_on_page(tail.output)
    assert answer["value"]["id"] == "recommend/ann/ann-1" and '"recommend/ann/ann-1"' in tail.output
    assert answer["value"]["fallback"] is None
    first = answer["value"]["items"][0]
    assert first["reasons"][0]["text"].startswith("because you viewed")
    assert "item-0003" not in {item["item_id"] for item in answer["value"]["items"]}
    return len(earlier) + 1


def the_features(reader: Reader) -> None:
    features = of_page("headrace features user ann")
    found = json.loads(reader.run(features))
    # What an affinity names is the catalogue's.
    shown = re.sub(r'(_affinity": )\{[^}]*\}', r"\1", features.output)
    assert keys_on_page(shown) - set(keys(found)) == set()
    assert found["features"]["counts"] == {"view": 1}
    nobody = reader.run(Command("headrace features user nobody", ""), exit_code=1)
    [output] = re.findall(r"`(headrace: The online store holds nothing[^`]*)`", page_text())
    assert nobody == f"{output}\n"


def the_scores(reader: Reader) -> None:
    tail = of_page("headrace tail ctr.scores")
    found = json_lines(reader.run(tail))
    by_request = {one["value"]["request_id"]: one["value"] for one in found}
    assert {name: value["fallback"] for name, value in by_request.items()} == {
        "shelf-stranger": "unknown_user",
        "shelf-ann": None,
        "shelf-unknown": "unknown_item",
    }
    shown = re.findall(r'"fallback":("\w+"|null),"user_id":"(\w+)"', re.sub(r"\n", "", tail.output))
    assert sorted(shown) == sorted(
        (json.dumps(value["fallback"]), str(value["user_id"])) for value in by_request.values()
    )
    assert keys_on_page(tail.output) <= set(keys(found))


def the_dead_letter(reader: Reader) -> None:
    tail = of_page("headrace tail dead.letters")
    *_, letter = [one for one in json_lines(reader.run(tail)) if '"ann-2"' in json.dumps(one)]
    assert set(keys(letter)) == keys_on_page(tail.output)
    assert letter["headers"]["headrace.detail"] in tail.output.replace("\n", "")


def page_text() -> str:
    from tests.integration.docs.pages import ROOT

    return (ROOT / PAGE).read_text("utf-8")
