"""Rule 1: one writer a row, the partition that murmur2 names."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from headrace.partitioning import partition_of


@given(st.text(min_size=1, max_size=128).filter(lambda s: s.encode("utf-8", "ignore").decode() == s))
def test_a_key_lands_where_the_java_client_would_put_it(key: str):
    theirs = DefaultPartitioner()(key.encode(), list(range(7)), list(range(7)))
    assert partition_of(key, 7) == theirs
