"""Topics and windows are what stored rows were made for, or the worker stops (rule 2)."""

from collections.abc import Sequence
from typing import Final

from feature_repo.basics.windows import DAY_MS, Windows, label_of, labelled, length_of, windows_of, zone_of
from feature_repo.store.row_store import RowStore
from headrace.errors import StreamError
from headrace.settings.model import Settings
from streams.kafka.admin.group_check import of_another_prefix
from streams.kafka.admin.topic_identity import identities, verify

WINDOW: Final = "HEADRACE_WINDOW"
_PREFIX: Final = "HEADRACE_TOPIC_PREFIX"


async def verify_store(settings: Settings, topics: Sequence[str], store: RowStore) -> None:
    """Compare each topic's id and partition count, and the window, with what this group's rows were made for.

    Raises:
        TopicChanged: a topic was recreated or repartitioned; skipping in silence would be the alternative.
        StreamError: rows count by other windows, or are those of a shop whose topics have another prefix.
    """
    now = identities(settings.kafka_connection, topics)
    window = label_of(windows_of(settings.window, settings.timezone))
    then = await store.remember({**now, WINDOW: window, _PREFIX: settings.topic_prefix})
    if then[_PREFIX] != settings.topic_prefix:
        raise of_another_prefix(settings, then[_PREFIX])
    verify(then, now, settings.group)
    if then[WINDOW] != window:
        raise StreamError(
            f"Group {settings.group!r} has counted by windows of {_as_text(then[WINDOW])}, not {_as_text(window)}: set "
            f"{_settings_for(then[WINDOW])}, or fold its topics into a group of another name with `headrace rebuild`."
        )


def _as_text(label: str) -> str:
    windows = labelled(label)
    return f"{length_of(windows)} ms" + (f" in {zone_of(windows)}" if _of_days(windows) else "")


def _settings_for(label: str) -> str:
    windows = labelled(label)
    zone = f" and HEADRACE_TIMEZONE={zone_of(windows)}" if _of_days(windows) else ""
    return f"{WINDOW}={length_of(windows)}ms{zone}"


def _of_days(windows: Windows) -> bool:
    return length_of(windows) % DAY_MS == 0
