"""Every large malformed record is refused, for its own reason, and its refusal is timed."""

from random import Random

import pytest

from benchmarks.malformed.long import LONG
from benchmarks.malformed.making import good_event
from benchmarks.malformed.timing import slowest_refusal
from headrace.errors import BadRecord
from headrace.messages.decoding import decode_event
from headrace.settings.model import Settings

NOW = 1_767_571_200_000
SETTINGS = Settings()


@pytest.mark.parametrize("name", LONG)
def test_each_is_refused_for_the_reason_of_its_defect_and_is_as_large_as_may_be(name):
    one = LONG[name](good_event(Random(1), 1, NOW), SETTINGS.max_event_bytes)
    with pytest.raises(BadRecord) as refused:
        decode_event(one.value, appended_ms=NOW, settings=SETTINGS)
    assert refused.value.reason in one.reasons
    assert len(one.value or b"") >= 0.98 * SETTINGS.max_event_bytes


def test_the_slowest_is_named():
    name, took_ms = slowest_refusal(SETTINGS)
    assert name in LONG
    assert took_ms > 0
