"""More workers than partitions: one of those that have nothing to do says so."""

from kafka.structs import TopicPartition

from streams.kafka.admin.broker import Member
from streams.kafka.admin.surplus import surplus

SHOPPERS = frozenset({"events", "score.requests"})
ITEMS = frozenset({"items"})


def member(client: str, *partitions: int, topics: frozenset[str] = SHOPPERS) -> Member:
    held = frozenset(TopicPartition(topic, number) for topic in topics for number in partitions)
    return Member(f"{client}-id", client, "10.0.0.1", topics, held)


def test_the_first_of_those_without_partitions_names_both_figures_and_what_to_do():
    members = [member("a", 0), member("d"), member("b", 1), member("c")]
    surpluses = {client: surplus(members, client, 2) for client in "abcd"}
    assert [client for client, warning in surpluses.items() if warning] == ["c"]
    assert surpluses["c"] is not None
    assert surpluses["c"].startswith(
        "4 workers share 2 partitions, and 2 of them have nothing to do: run 2 at most, or"
    )
    assert "\n" not in surpluses["c"]


def test_nothing_is_said_while_everybody_has_something():
    members = [member("a", 0), member("b", 1)]
    assert [surplus(members, client, 2) for client in "ab"] == [None, None]


def test_processes_of_the_other_topics_do_not_count():
    members = [member("a", 0), member("b", 1), member("c", 0, 1, topics=ITEMS), member("d", topics=ITEMS)]
    assert surplus(members, "a", 2) is None
    surpluses = surplus(members, "d", 2)
    assert surpluses is not None
    assert surpluses.startswith("2 workers share 2 partitions, and 1 of them have")


def test_a_worker_that_the_group_does_not_know_says_nothing():
    assert surplus([member("a")], "z", 2) is None
