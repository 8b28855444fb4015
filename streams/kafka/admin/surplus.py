"""Workers that have nothing to do: more of them than partitions."""

from collections.abc import Sequence
from typing import Final

from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.kafka.admin.broker import Broker, Member

_STABLE: Final = "Stable"


class Surplus:
    """One worker's look at its group, and what it has said already.

    Args:
        me: what this worker calls itself before Kafka.
    """

    def __init__(self, settings: Settings, me: str) -> None:
        self._settings, self._me = settings, me
        self._last_warning: str | None = None

    def warning(self) -> str | None:
        """What to log now, once of the same figures; None where nothing is wrong, or another worker says it.

        Raises:
            StackError: Kafka does not answer.
        """
        with Broker(self._settings.kafka_connection) as broker:
            state, members = broker.group(self._settings.group)
            partitions = len(broker.partitions([Topic.EVENTS]))
        warning = surplus(members, self._me, partitions) if state == _STABLE else None
        if warning is None or warning == self._last_warning:
            return None
        self._last_warning = warning
        return warning


def surplus(members: Sequence[Member], me: str, partitions: int) -> str | None:
    """What the first of the idle workers says of all that read the same topics; None from anybody else."""
    mine = next((member for member in members if member.client == me), None)
    if mine is None:
        return None
    alike = [member for member in members if member.topics == mine.topics]
    idle = sorted(member.client for member in alike if not member.partitions)
    if not idle or idle[0] != me:
        return None
    return (
        f"{len(alike)} workers share {partitions} partitions, and {len(idle)} of them have nothing to do: run "
        f"{partitions} at most, or give the topics more partitions (docs/how-to/deploying.md, Topics)"
    )
