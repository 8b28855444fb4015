"""Everything that Headrace does, over TLS, as users with passwords, and without a secret in anything it writes."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
import redis

from feature_repo.registry.repo import feature_store
from headrace.recording.reading import read_recording
from headrace.settings.model import load_settings
from infra.topics.check import Outputs
from streams.kafka.admin.broker import Broker
from streams.pipeline.emit import Producer
from streams.testing.worker import Worker
from tests.integration.field.secured_stack import NARROW_PASSWORD, PASSWORD, SECRETS, SecuredStack
from tests.trained_shop import TrainedShop


def headrace(stack: SecuredStack, *words: str | Path, exit_code: int = 0, **other: str) -> str:
    """Run a command; what it writes, wherever it writes it, holds no secret."""
    done = subprocess.run(
        [sys.executable, "-m", "headrace_cli", *map(str, words)],
        env={**os.environ, **stack.environment, **other},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == exit_code, f"headrace {words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    holds_no_secret(done.stdout + done.stderr)
    return done.stdout if exit_code == 0 else done.stderr


def holds_no_secret(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []


def last(output: str) -> dict:
    return json.loads(output.splitlines()[-1])


def in_environment(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def topics(secured_stack: SecuredStack) -> SecuredStack:
    assert last(headrace(secured_stack, "topics", "create", "--json"))["mismatches"] == []
    return secured_stack


def short(recording: Path, out: Path) -> Path:
    """The catalogue, and what the first shoppers did."""
    records = [record for record in read_recording(recording) if record.value is not None]
    items = [record for record in records if record.topic == "items"]
    events = [record for record in records if record.topic == "events"][:200]
    lines = [
        msgspec.json.encode(
            {"topic": r.topic, "key": r.key, "timestamp": r.timestamp, "value": msgspec.json.decode(r.value)}
        )
        for r in [*items, *events]
    ]
    out.write_bytes(b"\n".join(lines) + b"\n")
    return out


def test_the_whole_round_trip(
    topics: SecuredStack, trained_shop: TrainedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stack = topics
    version = last(headrace(stack, "publish", trained_shop.model, "--json"))["version"]
    stream = short(trained_shop.recording, tmp_path / "short.jsonl")
    log = tmp_path / "worker.log"
    worker = Worker({**stack.environment, "HEADRACE_LOG": "json", "HEADRACE_LOG_LEVEL": "debug"}, log)
    try:
        replayed = last(headrace(stack, "replay", stream, "--wait", "--json"))
        assert replayed["dead_letters"] == 0
        answers = [
            json.loads(line)["value"]
            for line in headrace(stack, "tail", "recommendations", "--from-beginning", "--timeout", "3").splitlines()
        ]
        assert len(answers) == replayed["answered"]["recommendations"] > 0
        # Of a shopper who has done nothing yet the model knows nothing.
        assert {answer["fallback"] for answer in answers} == {None, "unknown_user"}
        assert {answer["model"]["version"] for answer in answers} == {str(version)}
        taken = tmp_path / "taken.jsonl"
        recorded = headrace(
            stack, "record", "--topics", "events,items", "--from-beginning", "--timeout", "3", "--out", taken, "--json"
        )
        assert last(recorded)["records"] == replayed["records"]
        user = answers[0]["user_id"]
        assert last(headrace(stack, "features", "user", user, "--json"))["user_id"] == user
        dumped = last(headrace(stack, "features", "dump", "--out", tmp_path / "rows.jsonl", "--json"))
        assert dumped["rows"] > 0
        assert "missing_field" not in headrace(stack, "dead-letters", "list")
        status = last(headrace(stack, "status", "--json"))
        assert {(server["state"], server["answers"]) for server in status.values()} == {("external", True)}
        assert (status["kafka"]["missing"], len(status["kafka"]["workers"])) == ([], 1)
        assert status["redis"]["writable"]
        assert status["triton"]["served"]["headrace"] == [version]
        assert (
            last(headrace(stack, "up", "--json"))["redis"]
            == "localhost:" + stack.environment["HEADRACE_REDIS"].rpartition("@localhost:")[2].partition("/")[0]
        )
        headrace(stack, "rollback", exit_code=1)
    finally:
        assert worker.stop() == 0
    holds_no_secret(log.read_text())
    assert "Traceback" not in log.read_text()
    rows_lie_in_their_database(stack, monkeypatch)
    feast_reads_what_workers_write(stack, user, monkeypatch)


def rows_lie_in_their_database(stack: SecuredStack, monkeypatch: pytest.MonkeyPatch) -> None:
    in_environment(monkeypatch, stack.environment)
    options = load_settings().redis_connection.options()
    with redis.Redis(**options) as third, redis.Redis(**{**options, "db": 0}) as first:
        assert third.dbsize() > 0
        assert first.dbsize() == 0


def feast_reads_what_workers_write(stack: SecuredStack, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_environment(monkeypatch, stack.environment)
    from feature_repo.registry import repo

    settings = load_settings()
    repo.apply(settings)
    store = feature_store(settings)
    found = store.get_online_features(["shopper:shopper_state"], [{"user_id": user}]).to_dict()
    assert found["shopper_state"] != [None]
    holds_no_secret(f"{store} {store.config!r} {store.config.online_store!r}")


def connections(stack: SecuredStack) -> dict[str, dict[str, str]]:
    pem = stack.pem
    sasl = {"HEADRACE_KAFKA_USERNAME": "shop", "HEADRACE_KAFKA_PASSWORD": PASSWORD}
    tls = {"HEADRACE_KAFKA_CA": str(pem.ca)}
    return {
        **{
            f"sasl_tls {mechanism}": {
                "HEADRACE_KAFKA": stack.sasl_tls,
                "HEADRACE_KAFKA_SECURITY": "sasl_tls",
                "HEADRACE_KAFKA_SASL_MECHANISM": mechanism,
                **sasl,
                **tls,
            }
            for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
        },
        "sasl_plaintext": {
            "HEADRACE_KAFKA": stack.sasl,
            "HEADRACE_KAFKA_SECURITY": "sasl_plaintext",
            "HEADRACE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
            **sasl,
        },
        "tls with a client's certificate": {
            "HEADRACE_KAFKA": stack.tls,
            "HEADRACE_KAFKA_SECURITY": "tls",
            "HEADRACE_KAFKA_CERT": str(pem.client_cert),
            "HEADRACE_KAFKA_KEY": str(pem.client_key),
            **tls,
        },
    }


async def test_every_way_of_logging_in_serves_both_clients(topics: SecuredStack, monkeypatch: pytest.MonkeyPatch):
    for case, variables in connections(topics).items():
        with monkeypatch.context() as patch:
            in_environment(patch, variables)
            settings = load_settings()
            with Broker(settings.kafka_connection) as broker:
                assert len(broker.partitions(["events"])) == 4, case
            producer = await Producer.open(settings, Outputs({}))
            await producer.close()


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"HEADRACE_KAFKA_PASSWORD": "wrong"}, "refuses the user shop"),
        ({"HEADRACE_KAFKA_CA": "OTHER_CA"}, "HEADRACE_KAFKA_CA"),
        ({"HEADRACE_REDIS": "OTHER_CA"}, "certificate verify failed"),
        ({"HEADRACE_REDIS": "WRONG"}, "give HEADRACE_REDIS a user and a password that it knows"),
    ],
)
def test_a_worker_that_is_not_let_in_says_so_in_one_line(topics: SecuredStack, variables: dict[str, str], line: str):
    redis_url = topics.environment["HEADRACE_REDIS"]
    values = {
        ("HEADRACE_KAFKA_CA", "OTHER_CA"): str(topics.pem.other_ca),
        ("HEADRACE_REDIS", "OTHER_CA"): redis_url.replace(str(topics.pem.ca), str(topics.pem.other_ca)),
        ("HEADRACE_REDIS", "WRONG"): redis_url.replace("shop@", "nobody@"),
    }
    environment = {name: values.get((name, value), value) for name, value in variables.items()}
    reported = headrace(topics, "worker", "--processes", "1", exit_code=1, HEADRACE_LOG="json", **environment)
    message = json.loads(reported.splitlines()[-1])["message"]
    assert line in message
    assert "Traceback" not in reported


def test_a_publisher_that_is_not_let_in_says_so_in_one_line(topics: SecuredStack, trained_shop: TrainedShop):
    reported = headrace(
        topics, "publish", trained_shop.model, exit_code=1, HEADRACE_TRITON_HEADERS="triton-grpc-protocol-shop=wrong"
    )
    assert reported.count("\n") == 1


def test_a_user_without_rights_is_told_which(topics: SecuredStack):
    narrow = {"HEADRACE_KAFKA_USERNAME": "narrow", "HEADRACE_KAFKA_PASSWORD": NARROW_PASSWORD}
    message = headrace(topics, "worker", "--processes", "1", exit_code=1, **narrow).splitlines()[-1]
    assert "user narrow may not see ctr.scores, dead.letters" in message
    assert "docs/how-to/connect-your-cluster.md" in message
    assert "user narrow may not do this" in headrace(topics, "topics", "create", exit_code=1, **narrow)
    reported = headrace(topics, "tail", "recommendations", exit_code=2, **narrow)
    assert "no topic recommendations on localhost" in reported
    assert "that user narrow may see" in reported
