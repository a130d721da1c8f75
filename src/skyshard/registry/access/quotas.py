"""What one user of the doors may have: under way at a time, in one answer, kept, brought. No I/O.

Rules: what is not said is None, and a default's business; 0 is no limit. Megabytes are millions of bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import plain_number

_BYTES = 1e6


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits of one user.

    >>> Quota.of(["queries=4", "upload_mb=0.5"]).over(Quota(queries=8, rows=100)).text
    'queries=4 rows=100 upload_mb=0.5'
    """

    queries: int | None = None
    """Under way at a time, submitted ones that have not ended among them."""
    rows: int | None = None
    """Of an answer."""
    answer_mb: float | None = None
    """Of an answer, as its rows are in memory."""
    results: int | None = None
    """Of submitted queries and jobs, kept or still to come."""
    upload_mb: float | None = None
    """Of what comes with a query or as a table."""

    @staticmethod
    def of(words: Iterable[str]) -> Quota:
        """From ``NAME=NUMBER``.

        Raises:
            UserError: another name, no such number, or one name twice.
        """
        found: dict[str, float] = {}
        for word in words:
            name, mark, text = word.partition("=")
            if name not in QUOTAS or not mark:
                raise UserError(f"'{word[:40]}' is no quota", remedy=f"write NAME=NUMBER, of {', '.join(QUOTAS)}")
            if name in found:
                raise UserError(f"quota '{name}' is given twice", remedy="give it once")
            found[name] = _number(name, text)
        return Quota(**found)  # type: ignore[arg-type]

    @property
    def text(self) -> str:
        """What :meth:`of` reads again, words between spaces."""
        said = {name: value for name in QUOTAS if (value := getattr(self, name)) is not None}
        return " ".join(f"{name}={value:.12g}" for name, value in said.items())

    def over(self, default: Quota) -> Quota:
        """The same, with what it does not say from another."""
        given = {name: getattr(self, name) for name in QUOTAS}
        return Quota(**{name: getattr(default, name) if one is None else one for name, one in given.items()})

    @property
    def most_rows(self) -> int | None:
        """None, as in the next ones: there is no limit."""
        return self.rows or None

    @property
    def most_bytes(self) -> int | None:
        return int(self.answer_mb * _BYTES) if self.answer_mb else None

    @property
    def most_upload_bytes(self) -> int | None:
        return int(self.upload_mb * _BYTES) if self.upload_mb else None


NO_QUOTA = Quota()
QUOTAS = tuple(one.name for one in fields(Quota))
_WHOLE = ("queries", "rows", "results")


def _number(name: str, text: str) -> float:
    try:
        value = plain_number(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e15 or (name in _WHOLE and value != int(value)):
        kind = "whole number" if name in _WHOLE else "number"
        raise UserError(f"'{text[:20]}' is no {kind} for quota '{name}'", remedy="give 0 for no limit, or more")
    return int(value) if name in _WHOLE else value
