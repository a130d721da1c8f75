"""Rows that a contribution brings as JSON, as the file that Qserv's loaders read by default.

Rules: fields are between tabs, escaped by a backslash, NULL is ``\\N``: such rows may stand beside those of files in
the default dialect. What a character set does not have is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.serve.qserv.ingest_state import charset_of
from skyshard.serve.qserv.json_rows import BinaryEncoding
from skyshard.serve.qserv.user_tables import BINARY, content_of

_ESCAPED = re.compile(rb"[\\\t\n\r\0]")
_WRITTEN = {b"\\": b"\\\\", b"\t": b"\\t", b"\n": b"\\n", b"\r": b"\\r", b"\0": b"\\0"}


def lines_of(rows: object, schema: Sequence[Mapping[str, Any]], charset: str, encoding: BinaryEncoding) -> bytes:
    """The rows of a request as lines.

    Raises:
        UserError: no list of rows, or a row or value that is none.
    """
    if not isinstance(rows, list):
        raise UserError("'rows' has to be a list of rows", remedy="send a list of values for each row")
    encodings = [encoding if BINARY.match(str(column.get("type", ""))) else None for column in schema]
    return b"".join(_lines(rows, [str(one.get("name")) for one in schema], encodings, _python_name(charset)))


def _python_name(charset: str) -> str:
    return "utf-8" if charset_of(charset) == "utf8" else "cp1252"  # which MariaDB calls latin1


def _lines(
    rows: Sequence[Any], names: Sequence[str], encodings: Sequence[BinaryEncoding | None], charset: str
) -> Iterator[bytes]:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) != len(names):
            raise UserError(f"row {number} has not {len(names)} values", remedy="send a value for each column")
        fields = []
        for value, name, encoding in zip(row, names, encodings, strict=True):
            try:
                fields.append(_field(value, encoding, charset))
            except (ValueError, TypeError):
                what = f"row {number}: the value of column '{name}' cannot be read"
                raise UserError(what, remedy="send texts of the character set, numbers or null") from None
        yield b"\t".join(fields) + b"\n"


def _field(value: Any, encoding: BinaryEncoding | None, charset: str) -> bytes:
    content = content_of(value, encoding, charset)
    return b"\\N" if content is None else _ESCAPED.sub(lambda found: _WRITTEN[found.group()], content)
