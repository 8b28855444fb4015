"""Topics and windows are what stored rows were made for, or the worker stops (rule 2)."""

from collections.abc import Sequence
from typing import Final

from feature_repo.row_store import RowStore
from streams.errors import StreamError
from streams.settings import Settings
from streams.topic_identity import hold_against, identities

WINDOW: Final = "HEADRACE_WINDOW"


async def hold_against_store(settings: Settings, topics: Sequence[str], store: RowStore) -> None:
    """Compare each topic's id and partition count, and the window, with what this group's rows were made for.

    Raises:
        TopicChanged: a topic was recreated or repartitioned; skipping in silence would be the alternative.
        StreamError: rows count by windows of another length.
    """
    now = identities(settings.kafka_connection, topics)
    then = await store.remember({**now, WINDOW: str(settings.window)})
    hold_against(then, now, settings.group)
    if then[WINDOW] != str(settings.window):
        raise StreamError(
            f"Group {settings.group!r} has counted by windows of {then[WINDOW]} ms, not {settings.window}: set "
            f"{WINDOW}={then[WINDOW]}ms, or fold its topics into a group of another name with `headrace rebuild`."
        )
