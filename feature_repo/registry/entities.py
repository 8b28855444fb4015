"""Feast entities: who and what features are about."""

from feast import Entity, ValueType

from feature_repo.store.layout import JOIN_KEY, Kind

USER = Entity(
    name="user",
    join_keys=[JOIN_KEY[Kind.USER]],
    value_type=ValueType.STRING,
    description="A shopper, by the user_id of events.",
)
ITEM = Entity(
    name="item",
    join_keys=[JOIN_KEY[Kind.ITEM]],
    value_type=ValueType.STRING,
    description="An item, by the item_id of the catalogue.",
)
