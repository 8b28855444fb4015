"""What is built on the insides of aiokafka, Faust and mode is as it was when it was built on.

Each file of ours that replaces or reaches into such code cites it, by file and line of the version that is locked.
Where this fails after an upgrade: read what has changed there, see whether the file of ours still does what it says,
and put the new line and hash in both places.
"""

import hashlib
import importlib
import inspect
from pathlib import Path
from typing import NamedTuple

import pytest

STREAMS = Path(__file__).parents[4] / "streams"


class Upstream(NamedTuple):
    """Code of another package, and what of ours needs it as it is."""

    name: str
    digest: str
    used_by: str
    why: str

    @property
    def source(self) -> tuple[str, str]:
        """Where it stands, as it is cited, and its text."""
        module, _, path = self.name.partition(":")
        found = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
        found = inspect.unwrap(found)
        lines, at = inspect.getsourcelines(found)
        where = "/".join(Path(inspect.getsourcefile(found) or "").parts[-2:])
        return f"{where}:{at}", "".join(lines)


FETCHER = "aiokafka.consumer.fetcher:Fetcher"
CONSUMER = "faust.transport.consumer:Consumer"
THREAD = "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread"
COMMITTED, PULLED = "kafka/transport/committed_consumer.py", "kafka/transport/pulled_consumer.py"
BATCHES, READER = "kafka/transport/consumer.py", "kafka/transport/reader.py"
RUNNER, PROCESS = "application/pipeline_runner.py", "application/faust_worker.py"
UPSTREAM = [
    Upstream(f"{FETCHER}._proc_fetch_request", "59bf948fff47eed5", COMMITTED, "is wrapped: answers without records"),
    Upstream("aiokafka.consumer.fetcher:FetchResult", "d7db13f06de8248c", COMMITTED, "is made of a hole"),
    Upstream(
        "aiokafka.consumer.subscription_state:TopicPartitionState",
        "2b83334afadf6d98",
        COMMITTED,
        "says where reading stands, and when it was answered",
    ),
    Upstream(f"{FETCHER}._get_actions_per_node", "1dab2cf937d165d0", PULLED, "is wrapped: no fetch before it is asked"),
    Upstream(f"{FETCHER}._fetch_requests_routine", "2a8ec5932644c9b0", PULLED, "is woken to fetch"),
    Upstream(f"{FETCHER}.fetched_records", "be4348896b9b66af", PULLED, "must not suspend with a timeout of 0"),
    Upstream(f"{FETCHER}._create_fetch_waiter", "61d840568746477e", PULLED, "is waited for"),
    Upstream(
        "aiokafka.consumer.group_coordinator:GroupCoordinator.fetch_committed_offsets",
        "6c049c7379165952",
        PULLED,
        "brings the notes that `committed` keeps to itself",
    ),
    Upstream(f"{CONSUMER}._drain_messages", "44a2500309e83c63", BATCHES, "is replaced: a batch is one message"),
    Upstream(f"{CONSUMER}.getmany", "4b168d84882a70d6", BATCHES, "is replaced: one message a batch"),
    Upstream(f"{CONSUMER}._new_offset", "1d2c7ea89a7ad4f1", BATCHES, "is replaced: what is done counts, not acks"),
    Upstream(f"{CONSUMER}._add_gap", "4df2573ded7c1c2c", BATCHES, "is replaced: spans know their gaps"),
    Upstream(f"{CONSUMER}._filter_tps_with_pending_acks", "f6f9239774234e7e", BATCHES, "is replaced"),
    Upstream(f"{CONSUMER}.perform_seek", "0e8c130ff4b0afd8", BATCHES, "is replaced: where each partition begins"),
    Upstream(f"{CONSUMER}.on_partitions_assigned", "29ce96596f05a18c", BATCHES, "comes after the accounts are gone"),
    Upstream(f"{THREAD}._create_worker_consumer", "c2701bfc3e6f6cad", READER, "is replaced: a consumer that pulls"),
    Upstream(f"{THREAD}._commit", "932852ce7a23f658", READER, "is replaced: commits with notes, within a time"),
    Upstream(f"{THREAD}._highwaters", "a7f4f97d9f32aca2", READER, "is replaced: within a time"),
    Upstream("faust.streams:Stream._py_aiter", "3a48ee257a65435b", RUNNER, "acks by itself"),
    Upstream("faust.serializers.schemas:Schema.compile", "d46eec5ce3195b2c", RUNNER, "is replaced"),
    Upstream("mode.worker:Worker.execute_from_commandline", "212e98f635d7a69b", PROCESS, "is wrapped"),
    Upstream("faust.worker:Worker._setup_logging", "5b69bd16b1eff67e", PROCESS, "is replaced"),
]


@pytest.mark.parametrize("upstream", UPSTREAM, ids=lambda it: it.name.rpartition(":")[2])
def test_what_is_built_on_is_as_it_was(upstream: Upstream):
    where, text = upstream.source
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    advice = f"{upstream.name} has changed (now {digest}): it {upstream.why}; check streams/{upstream.used_by}"
    assert digest == upstream.digest, advice
    assert where in (STREAMS / upstream.used_by).read_text(), f"cite {where} in streams/{upstream.used_by}"
