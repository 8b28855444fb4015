"""The reference documentation says what the code says, and the code has every topic of the contract."""

from pathlib import Path

import pytest

from headrace.topics import Topic
from headrace_cli.reference.pages import messages, pages

REFERENCE = Path(__file__).parents[4] / "docs" / "reference"

CONTRACT_TOPICS = {
    "events",
    "items",
    "score.requests",
    "recommendations",
    "ctr.scores",
    "demand.forecasts",
    "demand.alerts",
    "dead.letters",
    "feature.log",
}


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_page_is_what_the_code_generates(name: str):
    """When this fails: `python -m headrace_cli.reference.pages docs/reference`."""
    assert (REFERENCE / name).read_text() == pages()[name]


def test_no_page_is_left_of_what_the_code_no_longer_has():
    written = {path.relative_to(REFERENCE).as_posix() for path in REFERENCE.rglob("*") if path.is_file()}
    assert written == pages().keys()


def test_every_topic_of_the_contract_exists_and_no_other():
    assert {topic.value for topic in Topic} == CONTRACT_TOPICS


def test_every_topic_but_dead_letters_has_a_message():
    assert messages().keys() == set(Topic) - {Topic.DEAD_LETTERS}
