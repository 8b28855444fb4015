"""Topics and windows are what stored rows were made for, or the worker stops (rule 2)."""

from collections.abc import Sequence
from typing import Final

from kafka.admin import KafkaAdminClient

from feature_repo.row_store import RowStore
from streams.connections.kafka import KafkaConnection
from streams.errors import StreamError, TopicChanged
from streams.settings import Settings

WINDOW: Final = "HEADRACE_WINDOW"


async def hold_against_store(settings: Settings, topics: Sequence[str], store: RowStore) -> None:
    """Compare each topic's id and partition count, and the window, with what this group's rows were made for.

    Raises:
        TopicChanged: a topic was recreated or repartitioned; skipping in silence would be the alternative.
        StreamError: rows count by windows of another length.
    """
    now = identities(settings.kafka_connection, topics)
    then = await store.remember({**now, WINDOW: str(settings.window)})
    for topic, identity in now.items():
        if then[topic] != identity:
            raise TopicChanged(
                f"Topic {topic!r} is not the one group {settings.group!r} has read: it was recreated or its "
                f"partition count changed ({then[topic]} then, {identity} now). Set HEADRACE_GROUP to a new name "
                "to start over from its beginning."
            )
    if then[WINDOW] != str(settings.window):
        raise StreamError(
            f"Group {settings.group!r} has counted by windows of {then[WINDOW]} ms, not {settings.window}: set "
            f"{WINDOW}={then[WINDOW]}ms, or fold its topics into a group of another name with `headrace rebuild`."
        )


def identities(kafka: KafkaConnection, topics: Sequence[str]) -> dict[str, str]:
    """Topic name → "id:partitions".

    Raises:
        StreamError: a topic does not exist.
    """
    admin = KafkaAdminClient(**kafka.options())
    try:
        described = {topic["name"]: topic for topic in admin.describe_topics(list(topics))}
    finally:
        admin.close()
    missing = [t for t in topics if t not in described or described[t].get("error_code")]
    if missing:
        raise StreamError(f"Topic {missing[0]!r} does not exist: `headrace up` or `headrace topics create`.")
    return {t: f"{described[t]['topic_id']}:{len(described[t]['partitions'])}" for t in topics}
