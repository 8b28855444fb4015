"""A worker starts only where all its topics have the same number of partitions."""

import pytest

from headrace.errors import StreamError
from headrace.topics import INPUTS
from streams.kafka.admin.copartition import agree


def test_equal_counts_are_returned() -> None:
    assert agree({"events": 4, "items": 4}, INPUTS) == 4


def test_topics_with_another_count_are_named() -> None:
    with pytest.raises(StreamError, match=r"events has 4 partitions, but items has 8, score\.requests has 1:"):
        agree({"events": 4, "items": 8, "score.requests": 1}, INPUTS)


def test_missing_topics_are_named() -> None:
    with pytest.raises(StreamError, match="No topic events, items: create it with `headrace topics create`"):
        agree({"events": 0, "items": 0, "score.requests": 4}, INPUTS)


def test_outputs_may_have_any_number_of_partitions_and_have_to_be_there() -> None:
    assert agree({"events": 4, "items": 4, "recommendations": 1, "ctr.scores": 8}, INPUTS) == 4
    with pytest.raises(StreamError, match="No topic recommendations: create it"):
        agree({"events": 4, "items": 4, "recommendations": 0}, INPUTS)


def test_topics_are_named_as_the_cluster_calls_them() -> None:
    with pytest.raises(StreamError, match=r"No topic acme\.items: create it"):
        agree({"events": 4, "items": 0}, INPUTS, "acme.")
    with pytest.raises(StreamError, match=r"acme\.events has 4 partitions, but acme\.items has 8:"):
        agree({"events": 4, "items": 8}, INPUTS, "acme.")
