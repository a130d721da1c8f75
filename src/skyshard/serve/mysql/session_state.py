"""What a client has set on its session, as the server says it, and what of it the czar's answers follow. No I/O.

Nothing that a client SETs is read from its text: before a catalog statement that follows one that may have changed
something, the session's own server is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from skyshard.basics.errors import UserError
from skyshard.db.charsets import codec_of
from skyshard.serve.mysql.text_rows import Encode, as_stored, as_they_are, encoding

ASK = (
    b"SELECT @@character_set_client, @@character_set_results, @@collation_connection, @@sql_select_limit, DATABASE(),"
    b" @@time_zone, @@sql_mode"
)
NO_LIMIT = 2**64 - 1
_OTHER_SQL = frozenset(
    ("ANSI_QUOTES", "PIPES_AS_CONCAT", "NO_BACKSLASH_ESCAPES", "HIGH_NOT_PRECEDENCE", "ORACLE", "REAL_AS_FLOAT",
     "PAD_CHAR_TO_FULL_LENGTH", "NO_UNSIGNED_SUBTRACTION")
)  # fmt: skip
"""Modes in which a statement means something else than it does to the czar."""
_UTC = frozenset(("SYSTEM", "UTC", "+00:00"))


@dataclass(frozen=True, slots=True)
class SessionState:
    """Of one client's session."""

    charset: str = "utf8mb4"
    """Of statements."""
    results: str = "utf8mb4"
    """Of results; empty: bytes as they are stored."""
    collation: str = "utf8mb4_general_ci"
    limit: int = NO_LIMIT
    """SQL_SELECT_LIMIT."""
    database: str = ""
    time_zone: str = "SYSTEM"
    sql_mode: str = ""

    @classmethod
    def of(cls, values: list[bytes | None]) -> SessionState:
        """From the row that :data:`ASK` gives."""
        texts = [(value or b"").decode() for value in values]
        return cls(texts[0], texts[1], texts[2], int(texts[3]), *texts[4:])

    def require_plain(self) -> None:
        """Refuse what the czar would answer otherwise than this session expects.

        Raises:
            UserError: a mode, time zone or character set; says how to set it back.
        """
        odd = sorted(_OTHER_SQL.intersection(self.sql_mode.split(",")))
        if odd:
            raise UserError(f"catalogs are not read in sql_mode {odd[0]}", remedy="SET sql_mode = ''")
        if self.time_zone not in _UTC:
            raise UserError(
                f"catalogs are read in UTC, not in time zone {self.time_zone}", remedy="SET time_zone = '+00:00'"
            )
        self.encode()
        self.decode(b"")

    def decode(self, statement: bytes) -> str:
        """A statement's text; UserError where it is not text of its character set."""
        try:
            return statement.decode(codec_of(self.charset))
        except KeyError:
            raise UserError(
                f"statements in {self.charset} are not read", remedy="SET NAMES utf8mb4, or connect with it"
            ) from None
        except UnicodeDecodeError as error:
            at = statement[error.start : error.start + 4].hex()
            raise UserError(f"invalid {self.charset} at byte {error.start}: 0x{at}", remedy="SET NAMES") from None

    def letters(self, text: str) -> bytes:
        """What :meth:`decode` reads as this text."""
        return text.encode(codec_of(self.charset))

    def encode(self) -> Encode:
        """How texts are written; UserError for a character set that is not written."""
        if self.results in ("utf8mb4", "utf8", "utf8mb3"):
            return as_they_are
        if self.results in ("", "binary"):
            return as_stored
        try:
            return encoding(codec_of(self.results))
        except KeyError:
            raise UserError(f"results in {self.results} are not written", remedy="SET NAMES utf8mb4") from None

    @property
    def follow(self) -> bytes:
        """The statement that gives the door's own session the same character sets."""
        results = self.results or "NULL"
        return (
            f"SET character_set_client = {self.charset}, character_set_results = {results}, "
            f"collation_connection = {self.collation}, sql_mode = ''"
        ).encode()
