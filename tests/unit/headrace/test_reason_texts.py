"""The tables that reasons are said from: complete in every language; a shop's own that is not is refused in a line."""

from pathlib import Path

import pytest

from headrace.errors import SettingsError
from headrace.reason_texts import ACTIONS, LANGUAGES, OTHERS, reason_texts

ENGLISH = (Path(reason_texts.__wrapped__.__code__.co_filename).parent / "en.toml").read_text("utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_kind_and_names_the_item(language: str):
    texts = reason_texts(language)
    assert set(texts.of_action) == set(texts.of_itself) == set(ACTIONS)
    assert set(texts.other) == set(OTHERS)
    assert all("Blue mug" in text.format(title="Blue mug") for text in texts.of_action.values())


def test_a_shop_brings_its_own_table(tmp_path: Path):
    table = tmp_path / "ours.toml"
    table.write_text(ENGLISH.replace("because you viewed {title}", "seen: {title}"), "utf-8")
    assert reason_texts(str(table)).of_action["view"] == "seen: {title}"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("popular =", "popular_ =", "has no text for popular"),
        ('popular = "popular with other shoppers"', "popular = 3", "has no text for popular"),
        ("{title} to your cart", "{titel} to your cart", "{title} alone"),
        ("because you viewed {title}", "{title", "view"),
        ("popular with", "{title} is popular with", "popular may have the placeholder none"),
        ("view = ", "stare = 'x'\nview = ", "stare is no kind of reason"),
        ("view = ", "view = = ", "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_said_is_refused_in_one_line(before: str, after: str, message: str, tmp_path: Path):
    table = tmp_path / "ours.toml"
    assert before in ENGLISH
    table.write_text(ENGLISH.replace(before, after, 1), "utf-8")
    with pytest.raises(SettingsError) as refused:
        reason_texts(str(table))
    assert message in str(refused.value)
    assert "HEADRACE_REASONS" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_language_that_there_is_not_is_refused():
    with pytest.raises(SettingsError, match="en, de, zh"):
        reason_texts("fr")
