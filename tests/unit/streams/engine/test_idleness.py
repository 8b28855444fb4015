"""Rule 9: a source that is quiet holds no window back."""

import pytest

from feature_repo.row_store import StoredRow
from streams.engine.idleness import Idleness
from streams.settings import Settings
from streams.topics import rekeyed
from streams.transport import Load

SETTINGS = Settings()


class Stage:
    """A clock to advance, a store without rows, and a count of what was announced."""

    def __init__(self):
        self.now, self.sent = 0.0, 0
        self.idleness = Idleness(SETTINGS, 2, self, self, lambda: self.now)

    async def read(self, _kind, keys):
        return [StoredRow(b"", b"", (b"", b"")) for _ in keys]

    async def send(self, _outbox):
        self.sent += 1

    async def quiet(self):
        for _ in range(2):
            self.now += SETTINGS.idle / 1000
            await self.idleness.tell(self.idleness.at_zero_lag(frozenset({0})))


@pytest.mark.parametrize("topic", ["events", rekeyed(SETTINGS.group)])
async def test_a_source_that_spoke_again_is_announced_again(chunk_of, topic):
    stage = Stage()
    await stage.quiet()
    await stage.quiet()
    assert stage.sent == 1
    stage.idleness.busy(Load([chunk_of(b"{}", topic=topic)]))
    await stage.quiet()
    assert stage.sent == 2
