"""The hand-written layout is Feast's, byte for byte."""

from datetime import UTC, datetime

import pytest
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _mmh3, _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.store.layout import (
    FEATURE,
    JOIN_KEY,
    VIEWS,
    Kind,
    entity_of,
    feature_field,
    row_key,
    timestamp,
    unwrap,
    wrapping,
)

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
KINDS = st.sampled_from(list(Kind))


def entity_key(kind: Kind, key: str) -> EntityKey:
    return EntityKey(join_keys=[JOIN_KEY[kind]], entity_values=[Value(string_val=key)])


@given(KINDS, IDS)
def test_a_row_has_the_key_that_feast_gives_it(kind: Kind, key: str):
    assert row_key(kind, key, "shop-1") == _redis_key("shop-1", entity_key(kind, key), 3)


@pytest.mark.parametrize("view", FEATURE)
def test_a_feature_has_the_field_that_feast_gives_it(view: str):
    assert feature_field(view) == _mmh3(f"{view}:{FEATURE[view]}")


@given(st.binary(max_size=20_000))
def test_a_state_is_a_feast_value_and_comes_back(state: bytes):
    wrapped = wrapping(len(state)) + state
    assert wrapped == Value(bytes_val=state).SerializeToString()
    assert unwrap(wrapped) == state


@given(st.integers(0, 253_402_300_799_999))
def test_a_time_is_a_protobuf_timestamp(time_ms: int):
    expected = Timestamp(seconds=time_ms // 1_000, nanos=time_ms % 1_000 * 1_000_000)
    assert timestamp(time_ms) == expected.SerializeToString()


def test_a_time_is_read_back_by_protobuf_as_the_same_moment():
    parsed = Timestamp.FromString(timestamp(1_700_000_000_123))
    assert parsed.ToDatetime(UTC) == datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)


@given(KINDS, IDS)
def test_a_key_found_by_scanning_gives_its_entity(kind: Kind, key: str):
    assert entity_of(kind, row_key(kind, key, "headrace"), "headrace") == key


def test_a_group_whose_name_ends_alike_is_another_group():
    found = row_key(Kind.USER, "u1", "headrace")
    assert found.endswith(b"race")
    assert entity_of(Kind.USER, found, "race") is None
    # … even where the id ends in what the longer name begins with.
    assert entity_of(Kind.USER, row_key(Kind.USER, "u1head", "race"), "headrace") is None


def test_every_view_has_one_feature_of_its_own():
    views = [view for names in VIEWS.values() for view in names]
    assert sorted(views) == sorted(FEATURE)
    assert len(set(FEATURE.values())) == len(FEATURE)


def test_feasts_serialisation_is_the_version_the_repository_declares():
    assert serialize_entity_key(entity_key(Kind.USER, "u"), 3) in row_key(Kind.USER, "u", "g")
