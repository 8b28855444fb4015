"""Whether a group may begin where it is told to: a mistake in a name would answer a shop twice.

A group is new while it has neither topics of its own nor a commit. It reads its topics from their beginning; beside
another group on the same topics it would answer all of it again.
"""

import logging
from collections.abc import Collection
from typing import Final

from headrace.errors import StackError, UsageError
from headrace.settings.model import Settings
from headrace.topics import Topic, groups_of, item_updates
from infra.topics.admin import topic_names
from streams.kafka.admin.broker import Broker

log = logging.getLogger(__name__)

TIME_TO_STOP_S: Final = 10
"""Whoever reads what a new group will do can still stop it."""
_PATIENCE_MS: Final = 5_000
_LOOKED_AT: Final = 200
"""Groups at most: a cluster of tests has one for each of them."""


def check_group(settings: Settings) -> str | None:
    """What a new group would do that nobody asked for, before it reads or makes anything; None where nothing is to say.

    Raises:
        UsageError: its name is that of a group of topics with another prefix.
        StackError: Kafka cannot be reached.
    """
    kafka = settings.kafka_connection
    names = topic_names(kafka, _PATIENCE_MS)
    check_prefix(settings, names)
    if settings.answer_again or settings.rebuild_of or kafka.name_of(item_updates(settings.group)) in names:
        return None
    with Broker(kafka, _PATIENCE_MS) as broker:
        other = None if _has_begun(broker, settings.group) else _other_group(broker, settings, names)
    if other is None:
        return None
    return (
        f"HEADRACE_GROUP={settings.group} is new, and group {other} answers these topics: in {TIME_TO_STOP_S} s "
        f"{settings.group} begins to read them from their beginning, answers all of them again beside it, and keeps "
        f"rows of its own. Stop it and set HEADRACE_GROUP={other} to work with that group, or use `headrace rebuild "
        f"{settings.group}` to take its place; HEADRACE_ANSWER_AGAIN=on begins without a word."
    )


def check_prefix(settings: Settings, names: Collection[str]) -> None:
    """See that a new group has no name that a group of other topics has: offsets and rows go by it alone.

    Args:
        names: of all topics, as the cluster calls them.

    Raises:
        UsageError: it has.
    """
    own = item_updates(settings.group)
    mine = f"{settings.topic_prefix}{own}"
    theirs = sorted(name for name in names if name.endswith(own) and name != mine)
    if theirs and mine not in names:
        raise of_another_prefix(settings, theirs[0].removesuffix(own))


def of_another_prefix(settings: Settings, prefix: str) -> UsageError:
    """A group's name stands for the topics of one prefix."""
    return UsageError(
        f"Group {settings.group} is that of the topics with HEADRACE_TOPIC_PREFIX={prefix or '(none)'}, not "
        f"{settings.topic_prefix or '(none)'}: its offsets and rows are of those. Set HEADRACE_GROUP to another name."
    )


def _has_begun(broker: Broker, group: str) -> bool:
    try:
        return bool(broker.committed(group))
    except StackError as error:  # what this user may not see it is told of where it is needed
        log.debug("group %s not checked: %s", group, error)
        return True


def _other_group(broker: Broker, settings: Settings, names: Collection[str]) -> str | None:
    """A group that has answered events of these topics; None where this client may see none."""
    prefix = settings.topic_prefix
    topics = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    for group in sorted(groups_of(topics) - {settings.group})[:_LOOKED_AT]:
        try:
            done = broker.committed(group)
        except StackError as error:  # whoever may not see a group has no part in it
            log.debug("group %s not checked: %s", group, error)
            continue
        if any(place.topic == Topic.EVENTS and offset > 0 for place, offset in done.items()):
            return group
    return None
