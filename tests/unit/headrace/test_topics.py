"""Which group a topic on the cluster belongs to."""

import pytest

from headrace.connections.kafka import KafkaConnection
from headrace.errors import SettingsError
from headrace.settings.model import load_settings
from headrace.topics import groups_of, item_updates, rekeyed


def test_groups_are_known_by_their_own_topics():
    topics = ["events", "headrace.bench.x.events", rekeyed("only-half"), item_updates("shop-1"), item_updates("shop_2")]
    # Topics of a shop whose prefix begins like a name of ours.
    topics += [f"headrace.{item_updates('other')}", f"acme.{item_updates('other')}"]
    assert groups_of(topics) == {"shop-1", "shop_2"}


def test_the_prefix_stands_before_names_on_the_cluster_and_nowhere_else():
    kafka = KafkaConnection("broker:9092", prefix="acme.")
    assert (kafka.name_of("events"), kafka.topic_of("acme.events")) == ("acme.events", "events")
    assert "acme" not in str(kafka.options())


@pytest.mark.parametrize("prefix", ["a b", "ä.", "x" * 101, "a/b"])
def test_what_no_topic_may_be_called_is_no_prefix(monkeypatch: pytest.MonkeyPatch, prefix: str):
    monkeypatch.setenv("HEADRACE_TOPIC_PREFIX", prefix)
    with pytest.raises(SettingsError, match="HEADRACE_TOPIC_PREFIX="):
        load_settings()
