"""Reads the small files of Qserv's catalog layouts, JSON and YAML, and the first rows of data files.

Reads files; decides nothing about tables (``qserv_layout`` does).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.catalog.dialect_marks import mark_of
from skyshard.catalog.layout import Striping
from skyshard.catalog.strict_files import parse_yaml
from skyshard.ingest.text.text_fields import Dialect
from skyshard.ingest.text.text_file import first_rows
from skyshard.ingest.values.encoded_text import Given
from skyshard.ingest.values.text_values import RowError

Json = Mapping[str, Any]

_SEPARATORS = (b"\t", b",", b"|", b";")
_BY_ENDING = {".tsv": b"\t", ".csv": b",", ".txt": b"\t"}
DATA_ENDINGS = tuple(_BY_ENDING)


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror}", remedy="check the path") from None


def read_json(path: Path, default: Json | None = None) -> Json:
    """A JSON object; ``default`` where the file is missing, if one is given."""
    if default is not None and not path.exists():
        return default
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"'{path}' line {error.lineno} is not JSON: {error.msg}", remedy="fix the file") from None
    except (RecursionError, ValueError) as error:
        raise UserError(f"'{path}' cannot be read as JSON: {error}", remedy="fix the file") from None
    if not isinstance(content, dict):
        raise UserError(f"'{path}' is no JSON object", remedy="fix the file")
    return content


def read_yaml(path: Path) -> Json:
    content = parse_yaml(read_text(path), f"'{path}'")
    return content if isinstance(content, dict) else {}


def flag_of(content: Json, key: str, default: bool, where: str) -> bool:
    """A key that is 0 or 1, the default where it is null; UserError where it is something else.

    >>> flag_of({"a": None, "b": "1"}, "a", True, "x.json"), flag_of({"b": "1"}, "b", False, "x.json")
    (True, True)
    """
    value = default if content.get(key) is None else content[key]
    if str(value).lower() not in ("0", "1", "true", "false"):
        raise UserError(f"'{where}': '{key}' is {str(value)[:40]!r}", remedy="give 0 or 1")
    return str(value).lower() in ("1", "true")


def striping_of(database: Json, common: Json, where: Path) -> Striping:
    """Striping by the database's JSON, else by the partitioner's common configuration."""
    part = common.get("part", {})
    try:
        return Striping(
            stripes=database.get("num_stripes", part.get("num-stripes")),
            substripes=database.get("num_sub_stripes", part.get("num-sub-stripes")),
            overlap_deg=database.get("overlap", part.get("default-overlap", part.get("overlap"))),
        )
    except ValueError:
        raise UserError(
            f"'{where}' does not say how to stripe the sky",
            remedy="give num_stripes, num_sub_stripes and overlap in the database's JSON file",
        ) from None


NO_TEXT = "\n"
"""What no field is: where nothing means NULL, as to LOAD DATA without an escape, but for the word where quotes are."""


def mark_byte(name: str, text: str) -> bytes:
    """One mark of a dialect; empty for none."""
    return mark_of(name, text).encode("ascii")


def loaded_dialect(
    quote: str, escape: str, null: str = "", *, header_lines: int = 0, charset: Given = "latin1"
) -> Dialect:
    """A dialect by the words of Qserv's files, all but the separator: what LOAD DATA makes of it.

    Where no text is said to mean NULL, it is N behind the escape; a dialect without one has the usual backslash.
    """
    marks = mark_byte("fields_enclosed_by", quote), mark_byte("fields_escaped_by", escape)
    is_one = bool(marks[0]) and marks[0] == marks[1]
    if is_one:  # LOAD DATA knows no escapes then, only doubled quotes
        marks = marks[0], b""
    return Dialect(
        quote=marks[0], escape=marks[1], null=null.encode("latin1") or (marks[1] or b"\\") + b"N",
        header_lines=header_lines, charset=charset, null_word=bool(marks[0]), pairs_anywhere=is_one,
    )  # fmt: skip


def separator_of(file: Path, declared: str | None, widths: Sequence[int], dialect: Dialect) -> tuple[bytes, int]:
    """The separator of a data file, and how many fields its first row has by it and the dialect's other marks.

    The declared one is taken where it gives one of the widths, else the first usual one that does.

    Raises:
        UserError: a file that cannot be read.
    """
    ending = next((ending for ending in _BY_ENDING if ending in file.name), ".tsv")
    own = mark_byte("fields_terminated_by", declared or "")
    marks = ([own] if own else []) + [_BY_ENDING[ending], *_SEPARATORS]
    found = {mark: _width(file, replace(dialect, separator=mark)) for mark in dict.fromkeys(marks)}
    fitting = next((mark for mark in marks if found[mark] in widths), marks[0])
    return fitting, found[fitting] or widths[0]


def _width(file: Path, dialect: Dialect) -> int:
    """Fields of the first row behind the header; 0 where there is none, or none by these marks."""
    try:
        rows = first_rows(file, dialect, dialect.header_lines + 1)
    except RowError:
        return 0
    return len(rows[-1]) if len(rows) > dialect.header_lines else 0
