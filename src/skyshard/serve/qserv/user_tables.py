"""Tables that clients bring by Qserv's REST: CSV in a form, or rows in JSON.

Rules: only into databases whose names begin with ``user_``, so that no catalog is touched. What would be stored in
another form than it was sent is refused. A form needs its token in a header: nobody else may send files.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from starlette.datastructures import FormData, UploadFile
from starlette.routing import Route

from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import whole_number
from skyshard.catalog.dialect_marks import mark_of, require_line_end
from skyshard.catalog.schema import is_chunk_column
from skyshard.host.processes import is_left, own_name
from skyshard.serve.access import Scope
from skyshard.serve.http.form import open_form
from skyshard.serve.lanes import Lanes
from skyshard.serve.qserv.envelope import Asked, Desk, Payload, parsed
from skyshard.serve.qserv.json_rows import BinaryEncoding, encoding_of
from skyshard.serve.services import TextMarks, UserTable, UserTables
from skyshard.serve.user_limits import require_upload

OWN = "user_"
"""How the names of databases begin that clients may make."""
DRAFT = "skyshard-brought-"
"""How folders for rows begin; the name of their process follows."""
_NO_TEXT = "\n"
"""What no field is: without an escape only the word means NULL, and that where fields may be in quotes."""
_MARKS = {"fields_terminated_by": "\\t", "fields_enclosed_by": "\\0", "fields_escaped_by": "\\\\"}
BINARY = re.compile(r"(var)?binary|(tiny|medium|long)?blob|bit", re.IGNORECASE)
"""Types whose values are encoded in JSON."""
_TEXT = re.compile(r"(var)?char\b|(tiny|medium|long)?text\b|enum\b|set\b", re.IGNORECASE)
_CHARSETS: Mapping[str, Literal["utf8", "latin1"]] = {
    "": "latin1", "latin1": "latin1", "utf8": "utf8", "utf8mb3": "utf8", "utf8mb4": "utf8", "ascii": "utf8",
}  # fmt: skip


class UserTableRoutes:
    """Its routes, of the czar's door."""

    def __init__(self, tables: UserTables, lanes: Lanes) -> None:
        self._tables = tables
        self._lanes = lanes

    def routes(self, desk: Desk) -> list[Route]:
        return [
            *desk.route("POST", "/ingest/csv", self._bring_csv, Scope.INGEST, is_json=False),
            *desk.route("POST", "/ingest/data", self._bring_rows, Scope.INGEST),
            *desk.route("DELETE", "/ingest/table/{database}/{table}", self._drop_table, Scope.INGEST),
            *desk.route("DELETE", "/ingest/database/{database}", self._drop_database, Scope.INGEST),
        ]

    async def _bring_csv(self, asked: Asked) -> Payload:
        async with open_form(asked.request) as form:
            told = asked.with_body({name: value for name, value in form.items() if isinstance(value, str)})
            told.check_version()
            columns = _columns(_part(form, "schema"), told)
            indexes = Asks.of(_part(form, "indexes"))
            rows = form.get("rows")
            if not isinstance(rows, UploadFile):
                raise UserError("the form lacks the file 'rows'", remedy="send the CSV as the last part")
            with _draft() as path:
                require_upload(asked.who.name, asked.who.quota, rows.size or 0)
                await self._lanes.work(_copy, rows, path)
                await self._lanes.work(self._tables.add, _table(told, columns, indexes, path, _marks(told)))
        return {}

    async def _bring_rows(self, asked: Asked) -> Payload:
        columns, indexes = _columns(asked.body.get("schema"), asked), Asks.of(asked.body.get("indexes"))
        rows, encoding = asked.body.get("rows"), encoding_of(asked.text("binary_encoding", "hex"))
        if not isinstance(rows, list):
            raise UserError("'rows' has to be a list of rows", remedy="send a list of values for each row")
        marks = TextMarks(",", '"', "", "utf8")
        with _draft() as path:
            await self._lanes.work(_write, rows, columns, encoding, path)
            require_upload(asked.who.name, asked.who.quota, path.stat().st_size)
            await self._lanes.work(self._tables.add, _table(asked, columns, indexes, path, marks))
        return {}

    async def _drop_table(self, asked: Asked) -> Payload:
        database = own_database(asked.request.path_params["database"])
        await self._lanes.work(self._tables.drop_table, database, asked.request.path_params["table"])
        return {}

    async def _drop_database(self, asked: Asked) -> Payload:
        await self._lanes.work(self._tables.drop_database, own_database(asked.request.path_params["database"]))
        return {}


def own_database(name: str) -> str:
    """The name of a database that clients may make and drop; UserError for any other."""
    if not name.startswith(OWN):
        raise UserError(f"'{name}' is no database of a user", remedy=f"name it {OWN}...")
    return name


@contextlib.contextmanager
def _draft() -> Iterator[Path]:
    """A file for rows, gone afterwards; where the process is killed, once another one of this host makes one."""
    for left in Path(tempfile.gettempdir()).glob(f"{DRAFT}*"):
        if is_left(" ".join(left.name.removeprefix(DRAFT).split("-")[:3])):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{DRAFT}{own_name().replace(' ', '-')}-") as folder:
        yield Path(folder) / "rows.csv"


def _copy(part: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(part.file, file, 1 << 20)


def _part(form: FormData, name: str) -> Any:
    """A part that is JSON: a file, or a field."""
    found = form.get(name)
    if found is None:
        return None
    content = found.file.read() if isinstance(found, UploadFile) else found
    try:
        return parsed(content)
    except (ValueError, RecursionError):
        raise UserError(f"the part '{name}' is not JSON", remedy="send a JSON list") from None


def _columns(schema: Any, asked: Asked) -> dict[str, str]:
    """Name → type; text columns in the character set that was asked for."""
    is_right = isinstance(schema, list) and all(
        isinstance(one, dict) and all(isinstance(one.get(key), str) for key in ("name", "type")) for one in schema
    )
    if not is_right or not schema:
        raise UserError("'schema' has to name columns", remedy='send [{"name": "ra", "type": "DOUBLE"}, ...]')
    charset, collation = asked.text("charset_name", ""), asked.text("collation_name", "")
    if not re.fullmatch(r"\w*", charset + collation):
        raise UserError(f"'{charset}', '{collation}' are no character set and collation", remedy="use MariaDB's names")
    names = [one["name"] for one in schema]
    if len({name.lower() for name in names}) != len(names):
        raise UserError("'schema' names a column twice", remedy="name each column once")
    if all(is_chunk_column(name) for name in names):
        raise UserError("'schema' names no column but those of chunks", remedy="name one of the table's own, too")
    return {one["name"]: _in_charset(one["type"].strip(), charset, collation) for one in schema}


def _in_charset(kind: str, charset: str, collation: str) -> str:
    """A type with its character set, where it is a text's and names none."""
    found = re.match(r"\s*\w+\s*(\([^)]*\))?", kind)
    if (
        found is None
        or not charset
        or not _TEXT.match(kind)
        or re.search(r"character set|charset", kind, re.IGNORECASE)
    ):
        return kind
    named = f" character set {charset}" + (f" collate {collation}" if collation else "")
    return f"{found.group().strip()}{named}{kind[found.end() :]}"


@dataclass(frozen=True, slots=True)
class Asks:
    """Indexes that are asked for: columns of each plain one, and of unique ones by their names."""

    plain: list[list[str]]
    unique: dict[str, list[str]]

    @classmethod
    def of(cls, content: Any) -> Asks:
        """From their JSON.

        Raises:
            UserError: it is no list of indexes, or one of a kind that is not made, or unique and without a name.
        """
        found = cls([], {})
        try:
            for one in content or []:
                found._add(str(one.get("spec", "DEFAULT")).upper(), str(one.get("index", "")), one["columns"])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise UserError(
                "'indexes' is no list of indexes", remedy='send [{"columns": [{"column": "ra"}]}]'
            ) from None
        return found

    def _add(self, spec: str, name: str, columns: Sequence[Mapping[str, Any]]) -> None:
        if spec in ("DEFAULT", ""):
            self.plain.append([str(column["column"]) for column in columns])
            return
        if spec != "UNIQUE":
            raise UserError(f"indexes of kind {spec[:40]} are not made", remedy="ask for DEFAULT or UNIQUE")
        if not name or name in self.unique:
            raise UserError(
                "a unique index has no name, or that of another", remedy="send a name of its own as 'index'"
            )
        lengths = [(str(column["column"]), whole_number(str(column.get("length") or 0))) for column in columns]
        self.unique[name] = [f"{column}({length})" if length else column for column, length in lengths]


def _marks(asked: Asked) -> TextMarks:
    """The dialect, as LOAD DATA spells it."""
    separator, quote, escape = (mark_of(name, asked.text(name, default)) for name, default in _MARKS.items())
    require_line_end(asked.text("lines_terminated_by", "\\n"))
    charset = asked.text("charset_name", "")
    if charset.lower() not in _CHARSETS:
        raise UserError(f"files in {charset} cannot be read", remedy="use utf8mb4 or latin1")
    null = f"{escape}N" if escape else _NO_TEXT
    return TextMarks(separator, quote, escape, _CHARSETS[charset.lower()], null, bool(quote))


def _table(asked: Asked, columns: dict[str, str], indexes: Asks, rows: Path, marks: TextMarks) -> UserTable:
    """What was asked for as one value."""
    found = _placed(asked, columns, indexes.plain, rows, marks)
    return replace(found, unique=indexes.unique) if indexes.unique else found


def _placed(asked: Asked, columns: dict[str, str], indexes: list[list[str]], rows: Path, marks: TextMarks) -> UserTable:
    database, name = own_database(asked.text("database")), asked.text("table")
    if not asked.flag("is_partitioned"):
        return UserTable(database, name, columns, rows, marks, indexes)
    key = asked.text("id_col_name", "")
    if asked.flag("is_director"):
        position = asked.text("longitude_col_name"), asked.text("latitude_col_name")
        return UserTable(database, name, columns, rows, marks, indexes, is_director=True, key=key, position=position)
    director = asked.text("ref_director_database"), asked.text("ref_director_table")
    key = asked.text("ref_director_id_col_name", key)
    return UserTable(database, name, columns, rows, marks, indexes, key=key, director=director)


def _write(rows: list[Any], columns: Mapping[str, str], encoding: BinaryEncoding, path: Path) -> None:
    """Rows of JSON as CSV: all texts in quotes, NULL as ``\\N``."""
    width = len(columns)
    if wrong := next((n for n, row in enumerate(rows, 1) if not isinstance(row, list) or len(row) != width), 0):
        raise UserError(f"row {wrong} has not {width} values", remedy="send a value for each column")
    by_column: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * width
    arrays = [
        _texts(values, name, encoding if BINARY.match(kind) else None)
        for values, (name, kind) in zip(by_column, columns.items(), strict=True)
    ]
    separator = pa.scalar(b",", pa.large_binary())
    lines = pc.binary_join_element_wise(*arrays, separator) if width > 1 else arrays[0]
    path.write_bytes(b"".join(line + b"\n" for line in lines.to_pylist()))


def _texts(values: Sequence[Any], name: str, encoding: BinaryEncoding | None) -> pa.Array:
    """The fields of a column, as they stand in the file."""
    try:
        found = [_field(value, encoding) for value in values]
    except (ValueError, TypeError, binascii.Error):
        raise UserError(f"a value of column '{name}' cannot be read", remedy="send texts, numbers or null") from None
    return pa.array(found, pa.large_binary())


def _field(value: Any, encoding: BinaryEncoding | None) -> bytes:
    content = content_of(value, encoding, "utf-8")
    return b"\\N" if content is None else b'"' + content.replace(b'"', b'""') + b'"'


def content_of(value: Any, encoding: BinaryEncoding | None, charset: str) -> bytes | None:
    r"""The bytes of a value of a JSON row, None for NULL; ValueError or TypeError where it is none.

    >>> content_of("6f", "hex", "utf-8"), content_of(True, None, "utf-8"), content_of("\xe9", None, "cp1252")
    (b'o', b'1', b'\xe9')
    """
    if value is None:
        return None
    if encoding is not None:
        return decoded(value, encoding)
    if isinstance(value, bool):
        return b"1" if value else b"0"
    if isinstance(value, str | int | float | Decimal):
        return str(value).encode(charset)
    raise TypeError


def decoded(value: Any, encoding: BinaryEncoding) -> bytes:
    """Bytes of a binary value; ValueError or TypeError where it is none."""
    if encoding == "hex":
        return bytes.fromhex(value)
    return base64.b64decode(value, validate=True) if encoding == "b64" else bytes(value)
