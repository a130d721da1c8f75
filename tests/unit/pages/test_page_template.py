"""What every page shares."""

from __future__ import annotations

import pytest

from skyshard.pages.page_template import breakable, count, flatten, markdown_table, plain_markdown, share


def test_texts_of_users_are_no_markup_in_markdown() -> None:
    """Pipes, stars, tags and line breaks are shown as they are; one row stays one line."""
    table = markdown_table(["a"], [["x|y\n*z* <b>"]])
    assert table.splitlines()[2] == r"| x\|y \*z\* \<b\> |"


@pytest.mark.parametrize("text", ["node_1", "2 < 3", "a > b", "objectId"])
def test_plain_words_and_signs_stay_readable(text: str) -> None:
    """Only what begins or ends something in Markdown is escaped."""
    assert plain_markdown(text) == text


def test_nested_facts_become_dotted_names() -> None:
    """Mappings are walked, lists of plain values joined, others written as JSON; large numbers have commas."""
    facts = {"a": {"b": {"c": 1}}, "rows": 1_234_567, "nodes": ["x", 2], "pairs": [{"k": 1}]}
    assert flatten(facts) == [("a.b.c", "1"), ("rows", "1,234,567"), ("nodes", "x, 2"), ("pairs", '[{"k": 1}]')]


def test_names_may_break_after_slashes_and_underscores_and_stay_escaped() -> None:
    """A template's name is a user's text."""
    assert str(breakable("LV/object_by_id")) == "LV/<wbr>object_<wbr>by_<wbr>id"
    assert "<b>" not in str(breakable("<b>/x"))


def test_numbers_that_are_not_known_are_a_dash() -> None:
    """And known ones have commas, or a sign for hundredths."""
    assert (count(None), count(12345.0), share(0.0512)) == ("–", "12,345", "5.1 %")
