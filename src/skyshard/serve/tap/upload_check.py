"""What a VOTable that a client uploads may be, seen before it is parsed: complete in itself, and not too large.

Rules: the parser follows URLs in documents (``STREAM href``), unpacks compressed ones and allocates what they announce;
so nothing reaches it that names another place, is packed, has a DTD, or would take too much memory. Whatever is not
understood is refused. Source: VOTable 1.5, sections 4 to 6.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass, field
from xml.parsers import expat

from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import NUMBER, WHOLE

TAKEN = {
    "boolean": 1, "bit": 1, "unsignedByte": 1, "short": 2, "int": 4, "long": 8, "float": 4, "double": 8, "char": 1,
    "unicodeChar": 2,
}  # fmt: skip
"""Bytes of one value in a stream, by its type."""
TEXTS = ("char", "unicodeChar")
ENCODINGS = ("utf-8", "us-ascii", "iso-8859-1")
MOST_BYTES = 512 << 20
"""Memory that the tables of a document may announce."""
MOST_ELEMENTS = 20_000
"""Of a document, beside rows and their values: the parser makes objects of them."""
_VALUES = ("TR", "TD")
_ELSEWHERE = ("fits", "parquet")
_SIZE = re.compile(r"((?:[1-9][0-9]{0,8}x)*)(?:([1-9][0-9]{0,8})|([1-9][0-9]{0,8})?\*)")
_FLOATING = re.compile(rf"|{NUMBER}|[+-]?(?:nan|inf(?:inity)?)", re.I)
_INTEGER = rf"(?:{WHOLE}|0x[0-9a-f]+|nan)"
_ONE, _SEVERAL = re.compile(rf"|{_INTEGER}", re.I), re.compile(rf"|{_INTEGER}(?:\s+{_INTEGER})*", re.I)
_OBJECT_BYTES = 8
_LENGTH_BYTES = 4


def check_upload(where: str, content: bytes, most_rows: int) -> None:
    """Refuse a document that may not be parsed.

    Raises:
        UserError: it is packed, not in UTF-8 or Latin 1, has a DTD, names another place, is too long, or is no XML.
    """
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] != b"<" or b"\0" in content:
        raise UserError(f"{where} is no VOTable: it is packed, or no XML in UTF-8", remedy="send XML, not compressed")
    reader = _Reader(where, most_rows)
    try:
        reader.parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise UserError(f"{where} is no VOTable: {error}", remedy="send a VOTable in UTF-8") from None


@dataclass(frozen=True, slots=True)
class _Width:
    """Bytes of a column in a row: of one value in a stream, or of one item where their number varies; in memory."""

    stream: int
    has_length: bool
    memory: int

    @staticmethod
    def of(where: str, given: dict[str, str]) -> _Width:
        """Raises UserError where the size cannot be read."""
        kind, size = given.get("datatype", ""), given.get("arraysize", "") or "1"
        found = _SIZE.fullmatch(size)
        if found is None:
            raise UserError(f"{where}: an arraysize '{size[:40]}' is not taken", remedy="leave the column out")
        count = math.prod(int(one) for one in found[1].split("x") if one)
        one = TAKEN.get(kind, 16)
        has_length = found[2] is None
        items = 1 if has_length and not found[3] else int(found[2] or found[3])
        memory = _OBJECT_BYTES if has_length and not (kind in TEXTS and found[3]) else 0
        memory = memory or count * items * (4 if kind in TEXTS else one)
        return _Width(one * count * (1 if has_length else items), has_length, memory + 1)


@dataclass(slots=True)
class _Table:
    """What was seen of a table."""

    announced: int = 0
    rows: int = 0
    widths: list[_Width] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    forms: list[re.Pattern[str] | None] = field(default_factory=list)
    """Of the cells of each column; None: they hold no numbers."""
    cell: int = 0
    """The next one of its row."""
    mode: str = ""

    @property
    def memory(self) -> int:
        return max(self.announced, self.rows) * sum(one.memory for one in self.widths)


def _form(datatype: str, *, is_array: bool) -> re.Pattern[str] | None:
    if datatype in ("float", "double"):
        return _FLOATING
    return (_SEVERAL if is_array else _ONE) if datatype in ("unsignedByte", "short", "int", "long") else None


class _Reader:
    """One pass over a document; its handlers raise UserError."""

    def __init__(self, where: str, most_rows: int) -> None:
        self._where = where
        self._most_rows = most_rows
        self._table: _Table | None = None
        self._memory = 0
        self._elements = 0
        self._stream: list[str] = []
        self._number: list[str] | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.XmlDeclHandler = self._declared
        self.parser.StartDoctypeDeclHandler = self._refuse_dtd
        self.parser.EntityDeclHandler = self._refuse_dtd
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end

    def _refuse(self, what: str, remedy: str) -> UserError:
        return UserError(f"{self._where} {what}", remedy=remedy)

    def _declared(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding and encoding.lower() not in ENCODINGS:
            raise self._refuse(f"is in the encoding '{encoding[:40]}'", "send it in UTF-8")

    def _refuse_dtd(self, *_: object) -> None:
        raise self._refuse("has a DTD", "send a VOTable without one")

    def _begin(self, name: str, given: dict[str, str]) -> None:
        parts = name.split(":")
        for part in parts:
            if part.lower() in _ELSEWHERE:
                raise self._refuse(f"has its rows as {part[:20]}", "send them as TABLEDATA, BINARY or BINARY2")
            if part.lower() == "stream" and any("href" in one.lower() for one in given):
                raise self._refuse("has its rows elsewhere (STREAM href)", "send them within the document")
        kind = parts[-1]
        self._elements += kind not in _VALUES
        if self._elements > MOST_ELEMENTS:
            raise self._refuse(f"has more than {MOST_ELEMENTS:,} elements beside rows", "send one table alone")
        if kind == "TABLE":
            self._begin_table(given)
        elif self._table is not None:
            self._inside(kind, given, self._table)

    def _begin_table(self, given: dict[str, str]) -> None:
        if self._table is not None or "ref" in given:
            raise self._refuse("has a table within, or of the columns of, another one", "send one table")
        announced = given.get("nrows", "0").strip()
        if not re.fullmatch(r"[0-9]{1,18}", announced):
            raise self._refuse(f"announces '{announced[:40]}' rows", "leave nrows out")
        self._table = _Table(int(announced))
        self._check_rows(self._table.announced)

    def _inside(self, kind: str, given: dict[str, str], table: _Table) -> None:
        if kind == "TD":
            self._begin_cell(table)
        elif kind == "TR":
            table.rows, table.cell = table.rows + 1, 0
            self._check_rows(table.rows)
        elif kind == "FIELD":
            name = given.get("name") or given.get("ID", "")
            require_taken(self._where, name, given.get("datatype", ""), given.get("arraysize", ""))
            table.widths.append(_Width.of(f"{self._where}, column '{name}'", given))
            table.names.append(name)
            table.forms.append(_form(given.get("datatype", ""), is_array=given.get("arraysize", "1") != "1"))
        elif kind in ("BINARY", "BINARY2", "TABLEDATA"):
            table.mode = table.mode or kind
        elif kind == "STREAM":
            self._stream = []
            self.parser.CharacterDataHandler = self._stream.append

    def _end(self, name: str) -> None:
        kind, table = name.split(":")[-1], self._table
        if table is None:
            return
        if kind == "TD":
            self._end_cell(table)
        elif kind == "STREAM":
            self.parser.CharacterDataHandler = None
            table.rows = max(table.rows, self._rows_of("".join(self._stream), table))
            self._stream = []
        elif kind == "TABLE":
            self._memory += table.memory
            self._table = None
            if self._memory > MOST_BYTES:
                raise self._refuse(f"would take more than {MOST_BYTES >> 20} MiB of memory", "declare texts as '*'")

    def _begin_cell(self, table: _Table) -> None:
        place, table.cell = table.cell, table.cell + 1
        if place < len(table.forms) and table.forms[place] is not None:
            self._number = []
            self.parser.CharacterDataHandler = self._number.append

    def _end_cell(self, table: _Table) -> None:
        """Refuse a number that is none: the parser would take it for an absent one, or for another."""
        if self._number is None:
            return
        text, self._number = "".join(self._number).strip(), None
        self.parser.CharacterDataHandler = None
        form = table.forms[table.cell - 1]
        if form is not None and not form.fullmatch(text):
            what = f", column '{table.names[table.cell - 1]}': '{text[:40]}' is no number"
            raise UserError(f"{self._where}{what}", remedy="leave the cell empty where there is none")

    def _check_rows(self, rows: int) -> None:
        if rows > self._most_rows:
            raise self._refuse(f"has more than {self._most_rows:,} rows", "upload fewer rows")

    def _rows_of(self, text: str, table: _Table) -> int:
        """The rows of a stream in base64, which has to end with one."""
        content = base64.b64decode(text.encode("ascii"))
        mask = (len(table.widths) + 7) // 8 if table.mode == "BINARY2" else 0
        if not table.widths:
            raise self._refuse("has rows and no columns", "declare its columns")
        if not any(one.has_length for one in table.widths):
            rows, left = divmod(len(content), mask + sum(one.stream for one in table.widths))
            self._check_rows(rows)
        else:
            rows, left = self._walk(content, mask, table.widths)
        if left:
            raise self._refuse("ends within a row", "send all of it")
        return rows

    def _walk(self, content: bytes, mask: int, widths: list[_Width]) -> tuple[int, int]:
        """Rows, and bytes that are missing of the last one; only lengths within the rows say where the next begins."""
        steps, fixed = [], mask
        for one in widths:
            if one.has_length:
                steps.append((fixed, one.stream))
                fixed = 0
            else:
                fixed += one.stream
        at, rows, end = 0, 0, len(content)
        while at < end:
            rows += 1
            self._check_rows(rows)
            for before, item in steps:
                at += before
                at += _LENGTH_BYTES + item * int.from_bytes(content[at : at + _LENGTH_BYTES], "big")
            at += fixed
        return rows, at - end


def require_taken(where: str, name: str, datatype: str, arraysize: str) -> None:
    """Refuse a column that a table of a server has no place for: arrays of numbers and of texts, and rare types.

    Raises:
        UserError: it is one.
    """
    is_array = "x" in arraysize or (arraysize not in ("", "1") and datatype not in (*TEXTS, "unsignedByte"))
    if datatype not in TAKEN or is_array:
        kind = f"{datatype}[{arraysize}]" if arraysize else datatype
        raise UserError(f"{where}, column '{name}': {kind} is not taken", remedy="leave the column out")
