"""The table of events: names, fields and sentences."""

from __future__ import annotations

import pytest

from skyshard.log.events import KINDS, MOST_CHARACTERS, EventKind, bounded


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_a_sentence_needs_only_the_fields_of_its_kind(kind: EventKind) -> None:
    """The line of an event is made of its fields, whatever numbers they are."""
    assert kind.line(dict.fromkeys(kind.fields, 7)).strip() == kind.line(dict.fromkeys(kind.fields, 7))


def test_a_long_text_is_cut() -> None:
    """A field is one line of a few hundred characters at most."""
    assert len(str(bounded("a\nb" * 10_000))) == MOST_CHARACTERS
    assert "\n" not in str(bounded("a\nb" * 10_000))
