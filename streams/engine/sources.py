"""Topics and windows are what stored rows were made for, or the worker stops (rule 2)."""

from collections.abc import Sequence
from typing import Final

from kafka.admin import KafkaAdminClient

from feature_repo.row_store import RowStore
from feature_repo.windows import DAY_MS, Windows, label_of, labelled, length_of, windows_of, zone_of
from streams.errors import StreamError, TopicChanged
from streams.settings import Settings

WINDOW: Final = "HEADRACE_WINDOW"


async def hold_against_store(settings: Settings, topics: Sequence[str], store: RowStore) -> None:
    """Compare each topic's id and partition count, and the window, with what this group's rows were made for.

    Raises:
        TopicChanged: a topic was recreated or repartitioned; skipping in silence would be the alternative.
        StreamError: rows count by other windows.
    """
    now = identities(settings.kafka_address, topics)
    window = label_of(windows_of(settings.window, settings.timezone))
    then = await store.remember({**now, WINDOW: window})
    for topic, identity in now.items():
        if then[topic] != identity:
            raise TopicChanged(
                f"Topic {topic!r} is not the one group {settings.group!r} has read: it was recreated or its "
                f"partition count changed ({then[topic]} then, {identity} now). Set HEADRACE_GROUP to a new name "
                "to start over from its beginning."
            )
    if then[WINDOW] != window:
        raise StreamError(
            f"Group {settings.group!r} has counted by windows of {_spoken(then[WINDOW])}, not {_spoken(window)}: set "
            f"{_settings_for(then[WINDOW])}, or fold its topics into a group of another name with `headrace rebuild`."
        )


def _spoken(label: str) -> str:
    windows = labelled(label)
    return f"{length_of(windows)} ms" + (f" in {zone_of(windows)}" if _of_days(windows) else "")


def _settings_for(label: str) -> str:
    windows = labelled(label)
    zone = f" and HEADRACE_TIMEZONE={zone_of(windows)}" if _of_days(windows) else ""
    return f"{WINDOW}={length_of(windows)}ms{zone}"


def _of_days(windows: Windows) -> bool:
    return length_of(windows) % DAY_MS == 0


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
