"""What a client has set on its session, as the server says it, and what of it the czar's answers follow. No I/O.

Nothing that a client SETs is read from its text: before a catalog statement that follows one that may have changed
something, the session's own server is asked. What changes answers and is not followed is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from skyshard.basics.errors import UserError
from skyshard.db.charsets import codec_of
from skyshard.serve.mysql.binary_texts import in_digits
from skyshard.serve.mysql.packets import AUTOCOMMIT, IN_TRANSACTION
from skyshard.serve.mysql.text_rows import Encode, as_stored, as_they_are, encoding, in_three_bytes
from skyshard.serve.slow_reader import WRITE_S

_CHANGING = (
    "div_precision_increment", "group_concat_max_len", "default_week_format", "lc_time_names", "max_sort_length",
    "old_mode", "sql_auto_is_null",
)  # fmt: skip
"""Settings by which a server answers otherwise than the czar's servers do."""
_CHANGED = [f"IF(@@{name} <> @@global.{name}, '{name}', NULL)" for name in _CHANGING]
_CHANGED += ["IF(ABS(@@timestamp - UNIX_TIMESTAMP(SYSDATE())) > 60, 'timestamp', NULL)"]
_ASKED = (
    "@@character_set_client", "@@character_set_results", "@@collation_connection", "@@sql_select_limit", "DATABASE()",
    "@@time_zone", "@@sql_mode", f"CONCAT_WS(',', {', '.join(_CHANGED)})",
    "IF(@@max_statement_time = @@global.max_statement_time, 0, @@max_statement_time)",
    "@@net_write_timeout", "@@autocommit + 0", "@@in_transaction + 0", "@@character_set_connection",
)  # fmt: skip
ASK = f"SELECT {', '.join(f'CAST(CONVERT({one} USING utf8mb4) AS BINARY)' for one in _ASKED)} LIMIT 1".encode()
"""With a LIMIT of its own, since the session's may be 0; as bytes, since numbers, too, come in the character set of its
results, which may take two bytes for each digit."""
NO_LIMIT = 2**64 - 1
_OTHER_SQL = frozenset(
    ("ANSI_QUOTES", "PIPES_AS_CONCAT", "NO_BACKSLASH_ESCAPES", "HIGH_NOT_PRECEDENCE", "ORACLE", "REAL_AS_FLOAT",
     "PAD_CHAR_TO_FULL_LENGTH", "NO_UNSIGNED_SUBTRACTION", "EMPTY_STRING_IS_NULL", "TIME_ROUND_FRACTIONAL",
     "NO_ZERO_DATE", "NO_ZERO_IN_DATE", "ALLOW_INVALID_DATES")
)  # fmt: skip
"""Modes in which a statement means something else than it does to the czar."""
_GROUPED = "ONLY_FULL_GROUP_BY"
"""The mode that the door's own session follows: it makes errors of statements, and no other answers."""
_OTHER_ORDER = re.compile(r"_bin$|_cs$|nopad|^binary$")
"""Collations by which texts that a statement makes itself are equal, or not, otherwise than by the default ones."""
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
    changed: str = ""
    """Settings by which answers would be others, with commas."""
    limit_s: float = 0.0
    """Seconds that a statement may take, of a ``max_statement_time`` that the client has set; 0: no limit."""
    write_s: float = field(default=WRITE_S, compare=False)
    """Seconds in which a client has to take something of its answer, of ``net_write_timeout``."""
    status: int = field(default=AUTOCOMMIT, compare=False)
    """Flags that answers end with."""
    literals: str = "utf8mb4"
    """The character set that a server reads the statement's texts into."""

    @classmethod
    def of(cls, values: list[bytes | None]) -> SessionState:
        """From the row that :data:`ASK` gives."""
        texts = [(value or b"").decode() for value in values]
        charset, results, collation, limit, database, time_zone, sql_mode, changed, limit_s, write_s = texts[:10]
        autocommit, in_transaction, literals = texts[10:]
        status = AUTOCOMMIT * int(autocommit) | IN_TRANSACTION * int(in_transaction)
        return cls(
            charset, results, collation, int(limit), database, time_zone, sql_mode, changed, float(limit_s),
            float(write_s), status, literals,
        )  # fmt: skip

    def require_plain(self) -> None:
        """Refuse what the czar would answer otherwise than this session expects.

        Raises:
            UserError: a mode, time zone, character set or other setting; says how to set it back.
        """
        if self.changed:
            name = self.changed.partition(",")[0]
            raise UserError(f"catalogs are read with {name} as it is by default", remedy=f"SET {name} = DEFAULT")
        odd = sorted(_OTHER_SQL.intersection(self.sql_mode.split(",")))
        if odd:
            raise UserError(f"catalogs are not read in sql_mode {odd[0]}", remedy="SET sql_mode = ''")
        if self.time_zone not in _UTC:
            raise UserError(
                f"catalogs are read in UTC, not in time zone {self.time_zone}", remedy="SET time_zone = '+00:00'"
            )
        if _OTHER_ORDER.search(self.collation):
            what = f"catalogs are not read with collation_connection {self.collation}, by which other texts are equal"
            raise UserError(what, remedy=f"SET NAMES {self.charset}")
        self.encode()
        self.decode(b"")

    def decode(self, statement: bytes) -> str:
        """A statement's text, bytes of ``_binary'...'`` in hexadecimal digits where they are no letters.

        Raises:
            UserError: it is not text of its character set.
        """
        try:
            codec = codec_of(self.charset)
            try:
                text = statement.decode(codec)
            except UnicodeDecodeError:
                text = in_digits(statement).decode(codec)
            if self.literals != self.charset and not text.isascii():
                what = f"letters are not read in {self.charset} with character_set_connection {self.literals}"
                raise UserError(what, remedy=f"SET NAMES {self.charset}")
            return text
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
        if self.results == "utf8mb4":
            return as_they_are
        if self.results in ("utf8", "utf8mb3"):
            return in_three_bytes
        if not self.results:
            return as_stored
        try:
            return encoding(codec_of(self.results))
        except KeyError:
            raise UserError(f"results in {self.results} are not written", remedy="SET NAMES utf8mb4") from None

    @property
    def follow(self) -> bytes:
        """The statement that gives the door's own session the same character sets, and the same strictness."""
        results = self.results or "NULL"
        mode = _GROUPED if _GROUPED in self.sql_mode.split(",") else ""
        return (
            f"SET character_set_client = {self.charset}, character_set_results = {results}, "
            f"collation_connection = {self.collation}, sql_mode = '{mode}'"
        ).encode()
