"""Topics are what stored fences say they are, or the worker stops (rule 2)."""

from collections.abc import Sequence

from kafka.admin import KafkaAdminClient

from feature_repo.row_store import RowStore
from streams.errors import StreamError, TopicChanged
from streams.settings import Settings


async def hold_against_store(settings: Settings, topics: Sequence[str], store: RowStore) -> None:
    """Compare each topic's id and partition count with what this group's fences were made for.

    Raises:
        TopicChanged: a topic was recreated or repartitioned; skipping in silence would be the alternative.
    """
    now = identities(settings.kafka_address, topics)
    then = await store.remember_topics(now)
    for topic, identity in now.items():
        if then[topic] != identity:
            raise TopicChanged(
                f"Topic {topic!r} is not the one group {settings.group!r} has read: it was recreated or its "
                f"partition count changed ({then[topic]} then, {identity} now). Set HEADRACE_GROUP to a new name "
                "to start over from its beginning."
            )


def identities(kafka: str, topics: Sequence[str]) -> dict[str, str]:
    """Topic name → "id:partitions".

    Raises:
        StreamError: a topic does not exist.
    """
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        described = {topic["name"]: topic for topic in admin.describe_topics(list(topics))}
    finally:
        admin.close()
    missing = [t for t in topics if t not in described or described[t].get("error_code")]
    if missing:
        raise StreamError(f"Topic {missing[0]!r} does not exist: `headrace up` or `headrace topics create`.")
    return {t: f"{described[t]['topic_id']}:{len(described[t]['partitions'])}" for t in topics}
