"""What the maker of malformed records calls malformed is refused, for the reason it gives."""

from collections import Counter
from random import Random

import pytest

from benchmarks.malformed.making import good_event, malformed
from headrace.errors import BadRecord, Reason
from headrace.messages.decoding import decode_event
from headrace.settings.model import Settings

NOW = 1_767_571_200_000
SETTINGS = Settings(max_event_bytes=16_384)


def decode(value):
    return decode_event(value, appended_ms=NOW, settings=SETTINGS)


def test_each_is_refused_for_the_reason_of_its_defect():
    found: Counter[Reason] = Counter()
    for value, reasons in malformed(20_000, 3, NOW, SETTINGS.max_event_bytes):
        with pytest.raises(BadRecord) as refused:
            decode(value)
        assert refused.value.reason in reasons, (value, refused.value)
        found[refused.value.reason] += 1
    assert found.keys() == set(Reason) - {Reason.PROCESSING_FAILED}


def test_without_its_defect_it_would_be_taken():
    import json

    for number in range(500):
        event = good_event(Random(number), number, NOW)
        assert decode(json.dumps(event).encode()).event_id == event["event_id"]
