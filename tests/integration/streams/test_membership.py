"""A dead worker's partitions do not wait for its session to end."""

from threading import Event, Thread
from uuid import uuid4

from kafka import KafkaConsumer

from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.kafka.admin.broker import Broker
from streams.kafka.admin.membership import client_id, take_out
from streams.testing import Stack

_DEAD, _ALIVE = 4_000_001, 4_000_002
"""Beyond what Linux gives to processes."""


def test_whoever_is_dead_is_taken_out_and_the_others_stay(headrace_stack: Stack):
    settings = headrace_stack.settings(f"members-{uuid4().hex[:8]}")
    enough = Event()
    members = [Thread(target=_consume, args=(settings, pid, enough)) for pid in (_DEAD, _ALIVE)]
    for member in members:
        member.start()
    with Broker(settings.kafka_connection) as broker:
        try:
            while set(broker.members(settings.group).values()) != {client_id(_DEAD), client_id(_ALIVE)}:
                assert all(member.is_alive() for member in members)
            before = {client: member for member, client in broker.members(settings.group).items()}
            take_out(settings, _DEAD)
            after = broker.members(settings.group)
        finally:
            enough.set()
            for member in members:
                member.join()
    assert before[client_id(_DEAD)] not in after
    assert before[client_id(_ALIVE)] in after


def _consume(settings: Settings, pid: int, enough: Event) -> None:
    consumer = KafkaConsumer(
        Topic.EVENTS,
        bootstrap_servers=settings.kafka_address,
        group_id=settings.group,
        client_id=client_id(pid),
        enable_auto_commit=False,
    )
    while not enough.is_set():
        consumer.poll(timeout_ms=200)
    consumer.close()
