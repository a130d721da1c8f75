"""Which queries of the history a request asks for. Values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from skyshard.basics.errors import UserError
from skyshard.serve.services import Wanted

STATES = ("queued", "executing", "completed", "failed", "cancelled", "expired")
MOST = 50
MOST_LETTERS = 1000


def wanted_of(asked: Mapping[str, str]) -> Wanted:
    """From a query string: ``state`` (words between commas), ``text``, ``database``, ``since`` and ``until`` (times in
    UTC as ISO 8601 writes them), ``below`` (a number).

    >>> found = wanted_of({"state": "failed,cancelled", "since": "2026-01-01T00:00", "below": "17"})
    >>> found.states, found.since_s, found.until_s, found.below, found.most
    (('failed', 'cancelled'), 1767225600.0, None, 17, 50)

    Raises:
        UserError: an unknown state, no time, no number.
    """
    states = tuple(word for word in asked.get("state", "").split(",") if word)
    for state in states:
        if state not in STATES:
            raise UserError(f"'{state[:40]}' is no state of a query", remedy=f"choose from {', '.join(STATES)}")
    return Wanted(
        states, asked.get("text", "").strip()[:MOST_LETTERS], asked.get("database", "")[:MOST_LETTERS],
        _time(asked, "since"), _time(asked, "until"), _number(asked, "below"), MOST,
    )  # fmt: skip


def _time(asked: Mapping[str, str], name: str) -> float | None:
    text = asked.get(name, "")
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"'{name}' is no time", remedy="write 2026-01-31T12:00") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _number(asked: Mapping[str, str], name: str) -> int | None:
    text = asked.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise UserError(f"'{name}' is no number", remedy="give the number of a query")
    return int(text)
