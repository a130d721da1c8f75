"""What the last statement of a session left for the next one to ask: the rows that it found, its error. No I/O.

Rules: of an answer that the door gave, the session's own server knows nothing. What asks for it is answered with what
the door knows, or refused; never with what the server's last statement left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from skyshard.serve.mysql.packets import error_of
from skyshard.serve.sql_words import masked

_FOUND = re.compile(r"\bFOUND_ROWS\s*\(", re.IGNORECASE)
_FOUND_ONLY = re.compile(
    r"\s*SELECT\s+FOUND_ROWS\s*\(\s*\)\s*+(?:(?:AS\s+)?(?:\w+|`[^`]+`|'[^'\\]+'))?\s*+;?\s*+", re.IGNORECASE
)
_HAPPENED = re.compile(r"\b(?:WARNINGS|ERRORS|DIAGNOSTICS|ROW_COUNT|WARNING_COUNT|ERROR_COUNT)\b", re.IGNORECASE)
_MORE = re.compile(r"\bSQL_CALC_FOUND_ROWS\b|\bOFFSET\b|\bLIMIT\s+\S+?\s*,", re.IGNORECASE)
_NOTHING = "SELECT 1 FROM information_schema.ENGINES LIMIT 0"


def asks_found_rows(sql: str) -> bool:
    """Whether a statement asks how many rows the one before it found.

    >>> asks_found_rows("SELECT found_rows ( )"), asks_found_rows("SELECT 'FOUND_ROWS()'")
    (True, False)
    """
    return bool(_FOUND.search(sql)) and bool(_FOUND.search(masked(sql)))


def asks_only_found_rows(sql: str) -> bool:
    """Whether it asks nothing else.

    >>> asks_only_found_rows("SELECT FOUND_ROWS() AS n;"), asks_only_found_rows("SELECT FOUND_ROWS() + 1")
    (True, False)
    """
    return bool(_FOUND_ONLY.fullmatch(sql))


def asks_what_happened(sql: str) -> bool:
    """Whether a statement asks for the warnings or errors of the one before it, or their number.

    >>> asks_what_happened("SHOW COUNT(*) WARNINGS"), asks_what_happened("SELECT @@version")
    (True, False)
    """
    return bool(_HAPPENED.search(sql))


@dataclass(slots=True)
class LastAnswer:
    """Of one session; ``is_own``: the door gave it."""

    is_own: bool = False
    rows: int | None = None
    """That it found; None where that is not known."""
    error: bytes = b""
    """Its packet, if it was one."""

    def begin(self, *, is_own: bool) -> None:
        """A statement is being answered."""
        self.is_own, self.rows, self.error = is_own, None, b""

    def answered(self, sql: str, rows: int) -> None:
        """Rows of a statement were sent, which are all that it found, unless it asks for others or skips some."""
        self.rows = None if _MORE.search(masked(sql)) else rows

    def failed(self, packet: bytes) -> None:
        self.error = packet

    @property
    def told(self) -> str:
        """A statement that leaves behind what this answer would have: its error, or no warnings."""
        if not self.error:
            return _NOTHING
        code, words = error_of(self.error)
        text = words.encode("ascii", "replace").decode().replace("\\", "/").replace("'", "''")
        state = self.error[4:9].decode("ascii", "replace")
        state = state if re.fullmatch(r"[0-9A-Z]{5}", state) else "HY000"  # of Qserv's errors it is none
        return f"SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = '{text}'"
