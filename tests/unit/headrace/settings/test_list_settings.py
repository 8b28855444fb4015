"""How lists are made is set for all triggers, and for some of them apart."""

import pytest

from headrace.errors import SettingsError
from headrace.messages.events import EventType
from headrace.settings.lists import ListRule
from headrace.settings.model import Exclude, Settings, load_settings


def rules(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, ListRule]:
    for name, value in variables.items():
        monkeypatch.setenv(f"HEADRACE_{name}", value)
    found = load_settings()
    return {kind: found.list_rule(kind) for kind in (EventType.VIEW, EventType.SEARCH)}


def test_lists_are_of_twenty_in_the_version_s_own_order_of_any_category(monkeypatch: pytest.MonkeyPatch):
    assert set(rules(monkeypatch).values()) == {ListRule(20, None, ())}
    assert not Settings().holds_to_categories
    assert Settings().exclude is Exclude.AUTO


def test_a_value_is_for_all_triggers_and_a_named_one_for_its_own(monkeypatch: pytest.MonkeyPatch):
    found = rules(
        monkeypatch, LIST="30, search=50", DIVERSITY="view=0.25", LIST_CATEGORIES="view=same,search=Kitchen | Dining"
    )
    assert found["view"] == ListRule(30, 0.25, ("same",))
    assert found["search"] == ListRule(50, None, ("Kitchen", "Dining"))
    assert found["view"].same
    assert not found["search"].same
    assert load_settings().holds_to_categories


def test_a_category_may_be_set_for_all_and_lifted_for_one(monkeypatch: pytest.MonkeyPatch):
    found = rules(monkeypatch, LIST_CATEGORIES="same,search=any")
    assert (found["view"].categories, found["search"].categories) == (("same",), ())


LENGTHS = "1 to 100, for some triggers apart where wanted, such as 20 or 20,search=50"
DIVERSITIES = "0 to 1, for some triggers apart where wanted, such as 0.3 or 0.3,view=0"
CATEGORIES = "any, same or names between |, by trigger where wanted, such as view=same,search=Kitchen|Dining"


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        *[
            ("HEADRACE_LIST", value, LENGTHS)
            for value in ("0", "101", "ten", "20,look=5", "20,30", "view=1,view=2", "5,")
        ],
        *[("HEADRACE_DIVERSITY", value, DIVERSITIES) for value in ("1.5", "-0.1", "nan", "high", "view=2")],
        *[("HEADRACE_LIST_CATEGORIES", value, CATEGORIES) for value in ("|", "view=", "same,same", "look=Kitchen")],
        ("HEADRACE_EXCLUDE", "own", "'auto', 'current', 'purchased', 'seen' or 'none'"),
    ],
)
def test_what_no_list_can_be_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, allowed: str):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == f"{variable}={value!r} is not allowed: it must be {allowed}."
