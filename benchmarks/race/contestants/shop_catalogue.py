"""The catalogue, read once: contestants keep it in memory and follow no changes."""

import msgspec
from kafka import KafkaConsumer, TopicPartition

from headrace.messages.items import Item
from headrace.topics import Topic
from streams.serving.catalogue.append_order import append_order
from streams.serving.catalogue.catalogue import Catalogue


def read_catalogue(address: str) -> Catalogue:
    """Everything on `items` by now."""
    catalogue, decode = Catalogue(), msgspec.json.Decoder(Item).decode
    consumer = KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False, isolation_level="read_committed")
    places = [TopicPartition(Topic.ITEMS, number) for number in consumer.partitions_for_topic(Topic.ITEMS) or ()]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends = consumer.end_offsets(places)
    while any(consumer.position(place) < end for place, end in ends.items()):
        for records in consumer.poll(timeout_ms=500).values():
            for record in records:
                catalogue.put(decode(record.value), append_order(record.timestamp, record.partition))
    consumer.close()
    return catalogue
